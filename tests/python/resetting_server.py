# Resets each connection as soon as it has accepted it: SO_LINGER of 0 seconds.
import socket
import struct

server_socket = socket.create_server(('127.0.0.1', 0))
print('resetting_server ready on %s:%d' % server_socket.getsockname(), flush=True)
while True:
    conn, addr = server_socket.accept()
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    conn.close()
