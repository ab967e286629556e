# Sends a number every 20 ms, and tells how late they came: real_time.py tcp or udp
import socket
import sys
import threading
import time

NUMBERS = 20
protocol = socket.SOCK_STREAM if sys.argv[1] == 'tcp' else socket.SOCK_DGRAM
receiver = socket.socket(socket.AF_INET, protocol)
receiver.bind(('127.0.0.1', 0))
sender = socket.socket(socket.AF_INET, protocol)
if sys.argv[1] == 'tcp':
    receiver.listen()
sender.connect(receiver.getsockname())
if sys.argv[1] == 'tcp':
    receiver, addr = receiver.accept()
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
receiver.settimeout(2)
begin = time.monotonic()


def send():
    for number in range(NUMBERS):
        time.sleep(max(0, begin + number * 0.02 - time.monotonic()))
        sender.send(b'%c' % number)


threading.Thread(target=send).start()
late = []
try:
    while len(late) < NUMBERS:
        for number in receiver.recv(1024):
            late.append(time.monotonic() - begin - number * 0.02)
except socket.timeout:
    pass
print('%d of %d arrived, the latest of them %d ms late' % (len(late), NUMBERS, 1000 * max(late)))
