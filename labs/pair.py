# A sender and a receiver in one program, over TCP or UDP.
import socket


def pair(protocol):
    kind = socket.SOCK_STREAM if protocol == 'tcp' else socket.SOCK_DGRAM
    receiver = socket.socket(socket.AF_INET, kind)
    receiver.bind(('127.0.0.1', 0))
    sender = socket.socket(socket.AF_INET, kind)
    if protocol == 'tcp':
        receiver.listen()
    sender.connect(receiver.getsockname())
    if protocol == 'tcp':
        receiver, addr = receiver.accept()
    return sender, receiver
