# Sends a few bytes and resets the connection, as a program does that crashes: SO_LINGER of 0 seconds.
import socket
import struct
import sys

client_socket = socket.create_connection((sys.argv[1], int(sys.argv[2])))
client_socket.sendall(b'Hello')
client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
client_socket.close()
