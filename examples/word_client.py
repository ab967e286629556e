# word-client in Python: sends the words of MESSAGE, and prints each reply on a line of its own.
import socket
import sys

from word import read_word, write_word


def main():
    args = [arg for arg in sys.argv[1:] if arg != '--quiet']
    host, port = (args[0] if args else '127.0.0.1:8888').rsplit(':', 1)
    words = (args[1] if len(args) > 1 else 'hello 你好').split()
    if any(len(word.encode()) > 65535 for word in words):
        fail('a word is too long', 'it may have 65535 bytes', 2)
    try:
        client_socket = socket.create_connection((host, int(port)))
    except OSError as error:
        fail(f'cannot connect to {host}:{port}: {error}', 'start the server')
    # The server may close early: then a send fails, but what it has answered is still there to be read.
    try:
        for word in words:
            step('6 transfer', f'sending {word!r}')
            write_word(client_socket, word)
        client_socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    source = client_socket.makefile('rb')
    try:
        for word in words:
            reply = read_word(source)
            if reply is None:
                fail(f'no reply to {word}', "look at the server's terminal")
            print(reply, flush=True)
    except (OSError, ValueError) as error:
        fail(f'cannot receive from {host}:{port}: {error}', "look at the server's terminal")


def step(name, text):
    if '--quiet' not in sys.argv:
        print(f'word-client: {name} {text}', file=sys.stderr)


def fail(what, hint, code=1):
    print(f'word-client: {what}\nword-client: hint: {hint}', file=sys.stderr)
    sys.exit(code)


main()
