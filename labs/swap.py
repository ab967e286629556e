# A way to 10.8.0.2 and back to this machine, on which of two packets with data the second comes first.
import fcntl
import os
import struct

way = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(way, 0x400454CA, struct.pack('16sH22x', b'way', 0x1001))  # TUNSETIFF, see tun(4)
os.system('ip address add 10.8.0.1/24 dev way && ip link set way up && echo ready')
held = {}
while True:
    packet = os.read(way, 65535)
    # Source and destination change places. The checksums are sums, and stay right.
    packet = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
    flow = packet[9], packet[20:24]  # protocol and ports
    has_data = packet[9] != 6 or len(packet) > 20 + packet[32] // 16 * 4  # 6 is TCP
    if has_data and flow not in held:
        held[flow] = packet
    else:
        for packet in [packet, held.pop(flow)] if has_data else [packet]:
            os.write(way, packet)
