# Checks a folder of hand-ins, a file NUMBER.txt of each student: did a client and a server see NUMBER and the
# same port of the client, over TCP and over UDP? A line for each; the exit code is 0 when all are right.
import itertools
import pathlib
import re
import sys


def ports(protocol, step, number, text):
    """The ports from which NUMBER came, as both sides tell it, if it came back too."""
    line = rf'^{protocol}-%s +\S*:(\d+), %s$'
    received = r'\d+ bytes received: ' + re.escape(number)
    client = re.findall(line % ('client: ' + step, 'chosen by the system'), text, re.M)
    server = re.findall(line % ('server: 6 transfer', received), text, re.M)
    reply = re.search(rf'^{protocol}-client: 6 transfer .*{received}$', text, re.M)
    return set(client) & set(server) if reply else set()


if len(sys.argv) != 2:
    sys.exit('usage: python3 labs/hand_ins.py FOLDER')
files, owners, all_right = sorted(pathlib.Path(sys.argv[1]).glob('*.txt')), {}, True
for file in files:
    number, text = file.stem, file.read_text(encoding='utf-8', errors='replace')
    tcp, udp = ports('tcp', '5 establish', number, text), ports('udp', '2 bind', number, text)
    # Two students with the same port of TCP and the same of UDP: that is no chance.
    copied = {owners.setdefault(pair, number) for pair in itertools.product(tcp, udp)} - {number}
    missing = [name for name, found in (('TCP', tcp), ('UDP', udp)) if not found]
    result = 'done'
    if number not in text:
        result = f'{number} is nowhere in it'
    elif missing:
        result = 'no whole conversation over ' + ' or '.join(missing)
    elif copied:
        result = 'the same ports as ' + ', '.join(sorted(copied))
    all_right = all_right and result == 'done'
    print(f'{number}: {result}')
if not files:
    sys.exit(f'there is no NUMBER.txt in {sys.argv[1]}')
sys.exit(0 if all_right else 1)
