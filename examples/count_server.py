# count-server in Python: tells each client how many bytes it has sent, when it has finished.
import socket
import sys
import threading
import time


def main():
    args = [arg for arg in sys.argv[1:] if arg != '--quiet']
    host, port = (args[0] if args else '127.0.0.1:8888').rsplit(':', 1)
    try:
        server_socket = socket.create_server((host, int(port)))
    except OSError as error:
        fail(f'cannot listen on {host}:{port}: {error}', 'choose another port')
    print('count-server ready on %s:%d' % server_socket.getsockname(), flush=True)
    while True:
        try:
            conn, addr = server_socket.accept()
            threading.Thread(target=count, args=(conn, addr), daemon=True).start()
        except OSError:
            time.sleep(0.1)  # No file descriptor may be left.


def count(conn, addr):
    """Counts what comes until the client has finished, and only then answers."""
    count = 0
    try:
        with conn:
            while True:
                data = conn.recv(1024)
                step('6 transfer', f'{addr}, {len(data)} bytes received')
                if not data:
                    break
                count += len(data)
            conn.sendall(b'%d bytes\n' % count)
    except OSError:
        pass  # It ends its connection and nothing else.


def step(name, text):
    if '--quiet' not in sys.argv:
        print(f'count-server: {name} {text}', file=sys.stderr)


def fail(what, hint):
    print(f'count-server: {what}\ncount-server: hint: {hint}', file=sys.stderr)
    sys.exit(1)


main()
