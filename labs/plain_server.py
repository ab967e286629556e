# The server of section 3.1, for one client, without an option: plain_server.py [PORT]
import socket
import sys

server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server_socket.bind(('127.0.0.1', int(sys.argv[1]) if len(sys.argv) > 1 else 8888))
server_socket.listen(5)
print('ready on %s:%d' % server_socket.getsockname(), flush=True)
conn, addr = server_socket.accept()
print('a client has come', flush=True)
while True:
    data = conn.recv(1024)
    if not data:
        break
    conn.sendall(data)
conn.close()
server_socket.close()
