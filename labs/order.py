# Sends eight numbers to 10.8.0.2, and shows in which order they come: order.py tcp or udp
import socket
import sys

from pair import pair

sender, receiver = pair(sys.argv[1], '10.8.0.2')
if sys.argv[1] == 'tcp':
    # Each number shall be a segment of its own (lab 11).
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for number in range(1, 9):
    sender.send(b'%d' % number)
received = b''
while len(received) < 8:
    received += receiver.recv(1024)
print(received.decode())
