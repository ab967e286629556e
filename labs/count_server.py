# Answers when a client has finished: with the number of bytes that it sent. With `wait`, only when Enter is
# pressed: count_server.py [HOST [wait]]
import socket
import sys

server_socket = socket.create_server((sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1', 8888))
print('ready on %s:%d' % server_socket.getsockname(), flush=True)
while True:
    conn, addr = server_socket.accept()
    count = 0
    while True:
        data = conn.recv(1024)
        if not data:
            break
        count += len(data)
    if 'wait' in sys.argv:
        print(count, 'bytes, and the end; Enter sends the answer', flush=True)
        input()
    conn.sendall(b'%d bytes\n' % count)
    conn.close()
