# Checks a folder of hand-ins: did client and server see the student's number, and the same port of the client, over
# TCP and UDP? With the trace of the teacher's server also who was there: hand_ins.py [--roll FILE] FOLDER
import argparse
import codecs
import os
import re
import sys


def decode(data):
    """Text as editors and shells write it: UTF-8, UTF-16 (PowerShell's >), GBK (Windows in China)."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode('utf-16', 'replace')
    try:
        return data.decode('utf-8-sig')
    except UnicodeDecodeError:
        return data.decode('gbk', 'replace')


def shown(name):
    """A file's name in one line, whatever bytes are in it."""
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in decode(os.fsencode(name)))


def traces(path):
    """The text, and what programs told in it, line by line: protocol, side, address, port, 'sending', message."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(0, 'it is no file')
    with open(path, 'rb') as file:
        text = decode(file.read(1_000_000))
    line = re.compile(r'(tcp|udp)-(client|server): \d \w+ +(?:(\S{1,60}):(\d{1,5}), )?'
                      r'(?:chosen by the system|(sending )?[1-9]\d* bytes(?: received)?: *(.{1,99}?)(?:\\n)?) *')
    return text, [found.groups() for found in map(line.fullmatch, text.splitlines()) if found]


def look_at(path, name):
    """The student's number, the client's ports that both sides told, and what is wrong."""
    stem, ending = os.path.splitext(os.path.basename(name))
    if ending.lower() != '.txt':
        return None, set(), 'no hand-in, its name does not end with .txt'
    try:
        text, told = traces(path)
    except OSError as error:
        return None, set(), f'no hand-in: {error.strerror}'
    numbers = sorted(re.findall(r'\d+', name), key=len, reverse=True) + [stem]
    number = next((each for each in numbers if each in {line[5] for line in told}), numbers[0])
    server = {line[0] + line[3] for line in told if line[1] == 'server' and line[5] == number and line[3]}
    client = {line[0] + line[3] for line in told if line[1] == 'client' and line[5] is None and line[3]}
    back = tuple(line[0] for line in told if line[1] == 'client' and line[5] == number and not line[4])
    ports = {port for port in server & client if port.startswith(back)}
    missing = [protocol.upper() for protocol in ('tcp', 'udp') if protocol not in str(ports)]
    wrong = 'no whole conversation over ' + ' or '.join(missing) if missing else None
    if number not in {line[5] for line in told}:
        wrong = f'no trace in it carries {number}' if text.strip() else 'is empty'
    return number, ports, wrong


def look_over(folder):
    found, unread = {}, []
    for place, folders, files in os.walk(folder, onerror=unread.append):
        for name in files + [name for name in folders if os.path.islink(os.path.join(place, name))]:
            path = os.path.join(place, name)
            found[path] = look_at(path, shown(os.path.relpath(path, folder)))
    found.update((error.filename, (None, set(), f'no hand-in: {error.strerror}')) for error in unread)
    found = {shown(os.path.relpath(path, folder)): result for path, result in sorted(found.items())}
    # Whose folder has a hand-in may have other files in it too.
    numbers, done = {result[0] for result in found.values()}, {result[0] for result in found.values() if not result[2]}
    theirs = {name: {*re.findall(r'\d+', os.path.dirname(name)), *name.split('/')[:-1]} & numbers for name in found}
    folders = tuple(os.path.dirname(name) + '/' for name, result in found.items() if result[0] and '/' in name)
    return {name: result for name, result in found.items() if not (
        result[2] and (result[0] in done if result[0] else theirs[name] or name.startswith(folders)))}


def like(name, found):
    """Whose hand-ins have a port of this one; and other folders with the same number, as a copy has it."""
    number, ports, _ = found[name]
    others = {other for other, theirs, _ in found.values() if ports & theirs} - {number}
    twice = {os.path.dirname(other) for other, result in found.items() if number and result[0] == number}
    return others | twice - {os.path.dirname(name), ''}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--roll', type=argparse.FileType('rb'))
    parser.add_argument('folder')
    args = parser.parse_args()
    found = look_over(args.folder)
    roll = traces(args.roll.name)[1] if args.roll else []
    roll = {(line[5], line[2]) for line in roll if line[1] == 'server' and line[5]}
    for name, (number, _, wrong) in found.items():
        here = {address for other, address in roll if other == number}
        same = like(name, found) | {other for other, address in roll if address in here} - {number}
        notes = [f'compare with {", ".join(sorted(same))}'] if number and same else []
        notes += ['not on the roll'] if args.roll and number and not here else []
        title = name if number is None else number if name == f'{number}.txt' else f'{number} ({name})'
        print('; '.join([f'{title}: {wrong or "done"}'] + notes))
    for number, address in sorted(one for one in roll if one[0] not in {number for number, *_ in found.values()}):
        print(f'{number}: on the roll, from {address}, and nothing handed in')
    sys.exit(0 if found and not any(wrong for *_, wrong in found.values()) else f'not all is done in {args.folder}')


if __name__ == '__main__':
    main()
