# The document's UDP server, completed: an echo of each datagram.
# python3 udp_server.py [HOST [PORT]]
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888

# 1 create
server_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# 2 bind
server_socket.bind((host, port))
print('ready on %s:%d' % server_socket.getsockname())
while True:
    # 6 transfer
    data, addr = server_socket.recvfrom(1024)
    server_socket.sendto(data, addr)
