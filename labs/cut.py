# Sends 2000 times `a` and then `b`, and calls recv(1024) twice: cut.py tcp or udp
import sys

from pair import pair

sender, receiver = pair(sys.argv[1])
sender.send(2000 * b'a')
sender.send(b'b')
for number in 1, 2:
    data = receiver.recv(1024)
    print('recv %d: %d bytes, the last of them %s' % (number, len(data), data[-1:]))
