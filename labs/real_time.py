# Sends a number every 20 ms, and tells how late they came: real_time.py tcp or udp
import socket
import sys
import threading
import time

from pair import pair

NUMBERS = 20
sender, receiver = pair(sys.argv[1])
if sys.argv[1] == 'tcp':
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
