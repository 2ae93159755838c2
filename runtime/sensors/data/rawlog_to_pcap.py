"""Write the Velodyne packets of one MRPT rawlog as a classic PCAP file.

What: takes the 1206-byte data packets out of a CObservationVelodyneScan, byte for byte, and puts
      Ethernet, IPv4 and UDP headers and a capture time around each.
Why:  vlp16_road.pcap beside this script is the result; this is how to make it again.
Note: the payloads are recorded, the headers are ours. The capture time is the packet's own GPS
      time (microseconds past the hour) within the hour of the scan's time stamp.

Usage: python3 rawlog_to_pcap.py test_velodyne_VLP16.rawlog vlp16_road.pcap
"""

import gzip
import struct
import sys

PACKET_BYTES = 1206
HOUR_US = 3_600_000_000
EPOCH_1601_S = 11_644_473_600
SCAN_TIME_AT = 26  # offset of the scan's time stamp: 100 ns ticks since 1601


def packets(rawlog):
    at = 0
    while at + PACKET_BYTES <= len(rawlog):
        if all(rawlog[at + 100 * block:][:2] == b"\xff\xee" for block in range(12)):
            yield rawlog[at:at + PACKET_BYTES]
            at += PACKET_BYTES
        else:
            at += 1


def checksum(header):
    total = sum(struct.unpack(">10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def frame(payload):
    udp = struct.pack(">HHHH", 2368, 2368, 8 + len(payload), 0)
    addresses = bytes([192, 168, 1, 201]) + bytes([255, 255, 255, 255])
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, 17, 0)
    sum_at = checksum(head + addresses)
    head = head[:10] + struct.pack(">H", sum_at) + addresses
    ethernet = b"\xff" * 6 + bytes([0x60, 0x76, 0x88, 0, 0, 0]) + b"\x08\x00"
    return ethernet + head + udp + payload


def main(source, target):
    rawlog = gzip.open(source).read()
    ticks = struct.unpack_from("<Q", rawlog, SCAN_TIME_AT)[0]
    hour_us = (ticks // 10 - EPOCH_1601_S * 1_000_000) // HOUR_US * HOUR_US
    with open(target, "wb") as out:
        out.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for payload in packets(rawlog):
            time_us = hour_us + struct.unpack_from("<I", payload, 1200)[0]
            data = frame(payload)
            seconds, micros = divmod(time_us, 1_000_000)
            out.write(struct.pack("<IIII", seconds, micros, len(data), len(data)) + data)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
