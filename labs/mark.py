# Marks a folder with a folder of each student: the traces, the report, and the exercises (file names in any case, with
# - or _), whose programs run in labs/box. Prints all and writes marks.csv: mark.py FOLDER. Linux, an ordinary user.
import csv
import json
import os
import re
import subprocess
import sys

from hand_ins import like, look_over, shown, traces

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = 'count-server', 'word-server', 'word-client', 'udp-ping'
BUILD = """cp -r "$1"/{Cargo.*,src,benches} . && cp "$2" "src/bin/$3.rs" && (cp -r "${2%/*}/word" src/bin || :) &&
CARGO_HOME=$BOX/cargo cargo install -q --offline --debug --path . --root . --target-dir target --bin "$3" || exit"""


def check(name, files, checks):
    own = name.replace('-', '_')
    source = next((files[own + ending] for ending in ('.rs', '.py', '') if own + ending in files), None)
    if source is None:
        return 'none'
    build = BUILD + '; PROGRAM=$BOX/bin/$3' if source.endswith('.rs') else 'PROGRAM=$2'
    command = 'python3 "$PROGRAM"' if source.endswith('.py') else '"$PROGRAM"'
    script = f"{build}; export PROGRAM RUST_BACKTRACE=0 {own.upper()}='{command}'; exec \"$4\" --exact {own}"
    run = ['bash', '-o', 'pipefail', '-c', 'timeout -s KILL 180 "$@" </dev/null 2>&1 | tail -c 20000', 'bash']
    run += [PROJECT + '/labs/box', PROJECT + '/target/box', 'bash', '-c', script, '', PROJECT, source, name, checks]
    done = subprocess.run(run, stdout=subprocess.PIPE, errors='replace')
    # Rust before 1.73 writes the sentence behind "panicked at", in quotes.
    said = re.findall(rf"^(?:.* panicked at ')?({name}: (?!this checks ).*?|error.*?)(?:', tests/.*)?$", done.stdout, re.M)
    said += ['it does not end in 180 s' if done.returncode == 137 else 'its check ended without a word']
    return 'passed' if done.returncode == 0 else said[0]


def main(folder):
    os.makedirs(f'{PROJECT}/target/box', exist_ok=True)
    cargo = ['cargo', 'test', '--quiet', '--no-run', '--message-format=json', '--test', 'exercises']
    built = subprocess.run(cargo, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    built = map(json.loads, built.stdout.splitlines())
    checks = [one['executable'] for one in built if one.get('target', {}).get('name') == 'exercises'][0]
    table, found = [['number', 'traces', 'report', *PROGRAMS, 'compare with']], look_over(folder)
    for student in sorted(os.listdir(folder)):
        walk = os.walk(os.path.join(folder, student))
        files = {name.lower().replace('-', '_'): os.path.join(place, name) for place, _, names in walk for name in names}
        own = [name for name, result in found.items() if name.startswith(shown(student) + '/') and result[0]]
        number, _, wrong = found[own[0]] if own else (shown(student), set(), 'none')
        try:
            report = 'there' if number in traces(files['report.md'])[0] else f'does not name {number}'
        except (KeyError, OSError):
            report = 'none'
        others = sorted(like(own[0], found)) if own else []
        verdicts = (check(name, files, checks) for name in PROGRAMS)
        title = number if number in shown(student) else f'{number} (in {shown(student)})'
        table.append([title, wrong or 'done', report, *verdicts, ', '.join(others)])
        print(*map(': '.join, zip(table[0], table[-1])), '', sep='\n', flush=True)
    with open('marks.csv', 'w', newline='', encoding='utf-8-sig') as file:
        # A cell that begins like a formula would be one.
        csv.writer(file).writerows([re.sub('^(?=[=+@-])', "'", cell) for cell in row] for row in table)


main(os.path.abspath(sys.argv[1]) if len(sys.argv) == 2 else sys.exit('usage: python3 labs/mark.py FOLDER'))
