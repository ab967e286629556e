# A way to 10.8.0.2 and back to this machine, on which of two packets with data the second comes first.
import fcntl
import os
import struct

way = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(way, 0x400454CA, struct.pack('16sH22x', b'way', 0x1001))  # TUNSETIFF, see tun(4)
os.system('ip address add 10.8.0.1/24 dev way && ip link set way up && echo ready')
held = []
while True:
    packet = os.read(way, 65535)
    # What went from A to B comes from B to A. The checksums are sums, and stay right.
    packet = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
    if packet[9] == 6 and len(packet) == 20 + packet[32] // 16 * 4:  # TCP's own, without data
        os.write(way, packet)
    elif packet[0] == 0x45:  # IPv4
        held.insert(0, packet)
    if len(held) == 2:
        os.write(way, held.pop(0))
        os.write(way, held.pop(0))
