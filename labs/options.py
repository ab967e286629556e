# What getsockopt reads and setsockopt refuses.
from socket import *

listener = create_server(('127.0.0.1', 0))
connection = create_connection(listener.getsockname())
print('SO_ACCEPTCONN of a listener:', listener.getsockopt(SOL_SOCKET, SO_ACCEPTCONN))
print('SO_ACCEPTCONN of a connection:', connection.getsockopt(SOL_SOCKET, SO_ACCEPTCONN))
try:
    connection.setsockopt(SOL_SOCKET, SO_ACCEPTCONN, 1)
except OSError as error:
    print('setting SO_ACCEPTCONN:', error)
udp = socket(AF_INET, SOCK_DGRAM)
# For UDP, connect sends nothing: it stores the address, and the socket hears of errors from there.
udp.connect(('127.0.0.1', 9999))
udp.send(b'anybody?')
print('SO_ERROR after a datagram that nobody wanted:', udp.getsockopt(SOL_SOCKET, SO_ERROR))
print('SO_ERROR once more:', udp.getsockopt(SOL_SOCKET, SO_ERROR))
