# The numbers of four options, and what they are for a listener, both ends of a connection, and UDP.
from socket import *

OPTIONS = SO_REUSEADDR, SO_ERROR, SO_KEEPALIVE, SO_ACCEPTCONN


def show(s):
    print(*[s.getsockopt(SOL_SOCKET, option) for option in OPTIONS])


print(*OPTIONS)
listener = socket(AF_INET, SOCK_STREAM)
listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', 0))
listener.listen(5)
show(listener)
client = socket(AF_INET, SOCK_STREAM)
client.connect(listener.getsockname())
show(client)
conn, addr = listener.accept()
conn.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
show(conn)
show(socket(AF_INET, SOCK_DGRAM))
