# Listens with 5 and never calls accept; then eight clients come.
import socket

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', 8888))
listener.listen(5)
clients = []
for number in range(1, 9):
    client = socket.socket()
    client.settimeout(1)
    try:
        client.connect(('127.0.0.1', 8888))
        clients.append(client)
        print(number, 'is connected', flush=True)
    except socket.timeout:
        print(number, 'is not connected after a second', flush=True)
print('Enter ends', flush=True)
input()
