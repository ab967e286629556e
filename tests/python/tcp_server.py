# The document's TCP server, completed: an echo, one client at a time.
# python3 tcp_server.py [HOST [PORT]]
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888

# 1 create
server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
# 2 bind
server_socket.bind((host, port))
# 3 listen
server_socket.listen(5)
print('SO_ACCEPTCONN', server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
print('SO_ERROR', server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
print('ready on %s:%d' % server_socket.getsockname())
while True:
    # 5 establish
    conn, addr = server_socket.accept()
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    while True:
        # 6 transfer
        data = conn.recv(1024)
        if not data:
            break
        conn.sendall(data)
    # 7 close
    conn.close()
