# word-server in Python: sends each word back with its characters in reverse order.
import socket
import sys
import threading
import time

from word import read_word, write_word


def main():
    args = [arg for arg in sys.argv[1:] if arg != '--quiet']
    host, port = (args[0] if args else '127.0.0.1:8888').rsplit(':', 1)
    try:
        server_socket = socket.create_server((host, int(port)))
    except OSError as error:
        fail(f'cannot listen on {host}:{port}: {error}', 'choose another port')
    print('word-server ready on %s:%d' % server_socket.getsockname(), flush=True)
    while True:
        try:
            conn, addr = server_socket.accept()
            threading.Thread(target=serve, args=(conn, addr), daemon=True).start()
        except OSError:
            time.sleep(0.1)  # No file descriptor may be left.


def serve(conn, addr):
    """Answers each word until the client has finished."""
    try:
        with conn, conn.makefile('rb') as source:
            while True:
                word = read_word(source)
                step('6 transfer', f'{addr}, {word!r}')
                if word is None:
                    break
                write_word(conn, word[::-1])
    except (OSError, ValueError):
        pass  # It ends its connection and nothing else.


def step(name, text):
    if '--quiet' not in sys.argv:
        print(f'word-server: {name} {text}', file=sys.stderr)


def fail(what, hint):
    print(f'word-server: {what}\nword-server: hint: {hint}', file=sys.stderr)
    sys.exit(1)


main()
