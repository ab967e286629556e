# Sends three messages in three sends, then looks at what recv returns: three_sends.py tcp or udp
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
for message in b'one', b'two', b'three':
    sender.send(message)
received = 0
while received < 11:
    data = receiver.recv(1024)
    print(data)
    received += len(data)
