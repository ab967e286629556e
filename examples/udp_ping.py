# udp-ping in Python: sends ten numbered pings to a udp-server, one after another, and tells how long each took.
import socket
import sys
import time


def main():
    args = [arg for arg in sys.argv[1:] if arg != '--quiet']
    host, port = (args[0] if args else '127.0.0.1:8888').rsplit(':', 1)
    client_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    received = 0
    try:
        server = (socket.gethostbyname(host), int(port))
        for number in range(1, 11):
            elapsed = ask(client_socket, server, b'ping %d' % number)
            if elapsed is None:
                print(f'{number}: no reply', flush=True)
            else:
                print(f'{number}: {1000 * elapsed:.3f}ms', flush=True)
                received += 1
    except OSError as error:
        fail(f'cannot ask {host}:{port}: {error}', 'check the address and the network')
    print(f'10 sent, {received} received', flush=True)
    if received == 0:
        fail(f'no reply from {host}:{port}', 'start the server')


def ask(client_socket, server, ping):
    """How many seconds it took until the server sent `ping` back; None if it has not after one, whatever else
    has come: a stranger's datagram, a late reply, a second copy."""
    began = time.monotonic()
    step('6 transfer', f'{server}, sending {ping}')
    client_socket.sendto(ping, server)
    while True:
        left = began + 1 - time.monotonic()
        if left <= 0:
            return None
        client_socket.settimeout(left)
        try:
            data, addr = client_socket.recvfrom(1024)
        except socket.timeout:
            return None
        if data == ping and addr == server:
            return time.monotonic() - began


def step(name, text):
    if '--quiet' not in sys.argv:
        print(f'udp-ping: {name} {text}', file=sys.stderr)


def fail(what, hint):
    print(f'udp-ping: {what}\nudp-ping: hint: {hint}', file=sys.stderr)
    sys.exit(1)


main()
