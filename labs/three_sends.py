# Sends three messages in three sends, then looks at what recv returns: three_sends.py tcp or udp
import sys

from pair import pair

sender, receiver = pair(sys.argv[1])
for message in b'one', b'two', b'three':
    sender.send(message)
received = 0
while received < 11:
    data = receiver.recv(1024)
    print(data)
    received += len(data)
