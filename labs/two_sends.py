# Twenty requests, each in two sends, and how long the reply to both takes: two_sends.py [nodelay]
import socket
import sys
import threading
import time

from pair import pair

client, server = pair('tcp')
if 'nodelay' in sys.argv:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def reply():
    for number in range(20):
        server.recv(2, socket.MSG_WAITALL)
        server.send(b'!')


threading.Thread(target=reply).start()
for number in range(20):
    begin = time.monotonic()
    client.send(b'a')
    client.send(b'b')
    client.recv(1024)
    print(round(1000 * (time.monotonic() - begin)), end=' ms\n' if number == 19 else ' ')
