# Sends 5 bytes to a port of 127.0.0.1 from any port, through a raw socket: send_from.py FROM TO
import socket
import struct
import sys

source, target = int(sys.argv[1]), int(sys.argv[2])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack('!HHHH', source, target, 8 + 5, 0) + b'bogus', ('127.0.0.1', 0))
