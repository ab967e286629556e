# Sends a number every 20 ms, and tells how many ms late each came, `-` if it did not: real_time.py tcp or udp
import socket
import sys
import threading
import time

from pair import pair

sender, receiver = pair(sys.argv[1])
if sys.argv[1] == 'tcp':
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
receiver.settimeout(2)
begin = time.monotonic()


def send():
    for number in range(20):
        time.sleep(max(0, begin + number * 0.02 - time.monotonic()))
        sender.send(b'%c' % number)


threading.Thread(target=send).start()
late = ['-'] * 20
try:
    while late[19] == '-':
        for number in receiver.recv(1024):
            late[number] = str(int(1000 * (time.monotonic() - begin) - 20 * number))
except socket.timeout:
    pass
print(20 - late.count('-'), 'of 20 arrived, so late (ms):', *late)
