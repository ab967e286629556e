# Without SO_REUSEADDR, and the first to close: its port is then in TIME_WAIT for a minute.
import socket

server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server_socket.bind(('127.0.0.1', 8888))
server_socket.listen(5)
print('ready on %s:%d' % server_socket.getsockname(), flush=True)
conn, addr = server_socket.accept()
conn.close()
