"""Requests a second against the number of clients, as SVG: plot.py < RESULTS.json > PICTURE.svg

RESULTS.json is what `cargo bench --bench echo -- --json` prints.
"""
import json
import math
import sys

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 70, 50, 20, 120
COLOURS = {'ours': '#c0392b', 'floor': '#7f8c8d', 'python': '#2980b9'}
MORE = ['#27ae60', '#8e44ad', '#d35400', '#16a085']

lines = {}
for text in sys.stdin:
    figure = json.loads(text)
    if figure['row'] == 'requests of 512 bytes, clients' and figure['unit'] == 'a second':
        lines.setdefault(figure['server'], []).append((figure['number'], figure['value'][0]))
if not lines:
    sys.exit('plot.py: no requests a second on standard input')

most = max(clients for points in lines.values() for clients, _ in points)
step = 20_000
top = math.ceil(max(rate for points in lines.values() for _, rate in points) / step) * step


def x(clients):
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(clients) / math.log(max(most, 2))


def y(rate):
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * rate / top


print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
      f'font-family="sans-serif" font-size="12">')
print(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
for rate in range(0, top + 1, step):
    print(f'<path d="M{LEFT} {y(rate):.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
          f'<text x="{LEFT - 8}" y="{y(rate) + 4:.0f}" text-anchor="end">{rate:,}</text>')
for clients in sorted({clients for points in lines.values() for clients, _ in points}):
    print(f'<text x="{x(clients):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{clients}</text>')
print(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">'
      'clients at a time; requests of 512 bytes a second</text>')
label = TOP
for server, points in sorted(lines.items(), key=lambda line: -line[1][-1][1]):
    colour = COLOURS.get(server) or MORE.pop(0)
    path = 'L'.join(f'{x(clients):.1f} {y(rate):.1f}' for clients, rate in points)
    label = max(label + 15, y(points[-1][1]))
    print(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
          f'<text x="{x(points[-1][0]) + 8:.0f}" y="{label + 4:.0f}" fill="{colour}">{server}</text>')
print('</svg>')
