# The document's TCP client: it sends a message and prints the reply.
# python3 tcp_client.py [HOST [PORT [MESSAGE]]]
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888
message = sys.argv[3] if len(sys.argv) > 3 else 'Hello, server!'

# 1 create
client_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
# 4 connect
client_socket.connect((host, port))
# 6 transfer
client_socket.sendall(message.encode())
data = client_socket.recv(1024)
print('Received:', data.decode())
# 7 close
client_socket.close()
