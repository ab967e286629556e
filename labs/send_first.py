# A client with a mistake: it first sends everything, and only then wants to read.
import socket

client_socket = socket.create_connection(('127.0.0.1', 8888))
client_socket.settimeout(2)
data = memoryview(b'x' * 100_000_000)
sent = client_socket.send(data)
print('the first send took', sent, 'bytes of', len(data))
try:
    while sent < len(data):
        sent += client_socket.send(data[sent:])
    print('all sent')
except socket.timeout:
    print('stuck after', sent, 'bytes')
