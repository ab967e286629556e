# A sender and a receiver in one program, over TCP or UDP; the sender sends to `address`.
import socket


def pair(protocol, address='127.0.0.1'):
    kind = socket.SOCK_STREAM if protocol == 'tcp' else socket.SOCK_DGRAM
    receiver = socket.socket(socket.AF_INET, kind)
    receiver.bind(('', 0))
    sender = socket.socket(socket.AF_INET, kind)
    if protocol == 'tcp':
        receiver.listen()
    sender.connect((address, receiver.getsockname()[1]))
    if protocol == 'tcp':
        receiver, addr = receiver.accept()
    return sender, receiver
