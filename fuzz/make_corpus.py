"""Write the seed corpus of the fuzz targets: small files of every format and shape.

Usage: python3 make_corpus.py (in this directory). The recorded seeds come from the data files of
the sensors crate, see the README there; all others are written here, byte by byte.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent / "runtime" / "sensors" / "data"
CLASSIC = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


def save(target, name, content):
    (HERE / "corpus" / target / name).write_bytes(content)


def records(capture):
    at = 24
    while at < len(capture):
        length = struct.unpack_from("<I", capture, at + 8)[0]
        yield capture[at:at + 16 + length]
        at += 16 + length


def velodyne(mode, product):
    blocks = b""
    for block in range(12):
        blocks += b"\xff\xee" + struct.pack("<H", (35_900 + 20 * block) % 36_000)
        for channel in range(32):
            blocks += struct.pack("<HB", 1000 + 100 * channel + block % 2, 8 * channel)
    return blocks + struct.pack("<I", 123_456_789) + bytes([mode, product])


def frame(payload, port):
    udp = struct.pack(">HHHH", port, port, 8 + len(payload), 0)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, 1, 2)
    return b"\x00" * 12 + b"\x08\x00" + ip + udp + payload


def classic(frames):
    return CLASSIC + b"".join(struct.pack("<IIII", 7, 8, len(f), len(f)) + f for f in frames)


def block(kind, body):
    body += b"\x00" * (-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def next_generation(frames):
    file = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    file += block(1, struct.pack("<HHI", 1, 0, 65535))
    for f in frames:
        file += block(6, struct.pack("<IIIII", 0, 0, 7_000_000, len(f), len(f)) + f)
    return file + block(3, struct.pack("<I", 4) + b"abcd")


def captures():
    street = list(records((DATA / "hdl32e_street.pcap").read_bytes()))
    road = list(records((DATA / "vlp16_road.pcap").read_bytes()))
    position = next(record for record in street if len(record) == 16 + 554)
    save("pcap", "hdl32e", CLASSIC + street[0] + position + street[1])
    save("pcap", "vlp16", CLASSIC + road[0] + road[74])
    single, dual = velodyne(0x37, 0x28), velodyne(0x39, 0x28)
    save("pcap", "vlp32c", classic([frame(single, 2368), frame(dual, 2368)]))
    save("pcap", "next_generation", next_generation([frame(dual, 2368), frame(b"1", 53)]))
    save("pcap", "foreign", classic([frame(velodyne(0x37, 0x63), 2368), frame(b"1", 2368), b"2"]))
    save("pcap", "header_only", CLASSIC)


def pcd(fields, sizes, types, points, kind, body):
    head = f"VERSION 0.7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {types}\n"
    head += f"WIDTH {points}\nHEIGHT 1\nPOINTS {points}\nDATA {kind}\n"
    return head.encode() + body


def pcds():
    ascii_body = b"1 2 3 0.5\n-1 nan 3 1\n"
    save("pcd", "ascii", pcd("x y z intensity", "4 4 4 4", "F F F F", 2, "ascii", ascii_body))
    mixed = struct.pack("<HfffI", 7, 1, 2, 3, 0xFF8040)
    save("pcd", "binary", pcd("label x y z rgb", "2 4 4 4 4", "U F F F U", 2, "binary", mixed * 2))
    plain = struct.pack("<6f", 1, 1, 2, 2, 3, 3)
    packed = bytes([3]) + plain[:4] + bytes([0x40, 3]) + bytes([15]) + plain[8:]
    body = struct.pack("<II", len(packed), len(plain)) + packed
    save("pcd", "compressed", pcd("x y z", "4 4 4", "F F F", 2, "binary_compressed", body))
    save("pcd", "huge", pcd("x y z", "4 4 4", "F F F", 10**12, "binary", b""))


def ply(form, elements, body):
    return f"ply\nformat {form} 1.0\n{elements}end_header\n".encode() + body


def plys():
    vertex = "element vertex 2\nproperty float x\nproperty double y\nproperty int z\n"
    vertex += "property list uchar short spare\nproperty uchar red\nproperty uchar green\n"
    vertex += "property uchar blue\n"
    save("ply", "ascii", ply("ascii", vertex, b"1 2 3 2 9 9 255 0 0\n4 5 6 0 0 255 0\n"))
    for form, order in (("binary_little_endian", "<"), ("binary_big_endian", ">")):
        row = struct.pack(order + "fdiBhhBBB", 1, 2, 3, 2, 9, 9, 1, 2, 3)
        save("ply", form, ply(form, vertex, row * 2))
    faces = "element face 1\nproperty list uchar int corner\n"
    body = struct.pack("<Bii", 2, 1, 2) + struct.pack("<fdiBBBB", 1, 2, 3, 0, 1, 2, 3) * 2
    save("ply", "faces_first", ply("binary_little_endian", faces + vertex, body))
    save("ply", "huge", ply("ascii", vertex.replace("vertex 2", f"vertex {10**12}"), b""))


for write in (captures, pcds, plys):
    write()
