# A client with a mistake: it first sends everything, and only then wants to read.
import socket

client_socket = socket.create_connection(('127.0.0.1', 8888))
client_socket.settimeout(2)
sent = 0
try:
    while sent < 100_000_000:
        sent += client_socket.send(b'x' * 100_000)
    print('all sent')
except socket.timeout:
    print('stuck after', sent, 'bytes')
