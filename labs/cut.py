# Sends 2,000 times `a` and then `b`, and calls recv(1024) twice: cut.py tcp or udp
import socket
import sys

protocol = socket.SOCK_STREAM if sys.argv[1] == 'tcp' else socket.SOCK_DGRAM
receiver = socket.socket(socket.AF_INET, protocol)
receiver.bind(('127.0.0.1', 0))
sender = socket.socket(socket.AF_INET, protocol)
if sys.argv[1] == 'tcp':
    receiver.listen()
sender.connect(receiver.getsockname())
if sys.argv[1] == 'tcp':
    receiver, addr = receiver.accept()
sender.send(2000 * b'a')
sender.send(b'b')
for number in 1, 2:
    data = receiver.recv(1024)
    print('recv %d: %d bytes, the last of them %s' % (number, len(data), data[-1:]))
