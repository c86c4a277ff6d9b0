#!/usr/bin/env python3
"""A second reader of packed networks, made from docs/packed_format.md alone.

Prints a line of JSON for the metadata and one for each tensor: name, shape, coding, and the SHA-256
of its values as little-endian float32. With --values also the values. Needs nothing but Python.
Exit code 0; 1 with one line on standard error for a file that it refuses; 2 for wrong usage.
"""

import argparse
import array
import hashlib
import json
import math
import pathlib
import struct
import sys
import zlib

REFUSED = (ArithmeticError, LookupError, OSError, ValueError, struct.error, zlib.error)
PREFIX = struct.Struct("<4sIII")
SEAL_BYTES = 32
MAX_TEXT = 4 << 20


class Broken(ValueError):
    """The file is not what the format says."""


def expect(condition, message):
    if not condition:
        raise Broken(message)


def bit_stream(data, bits, count):
    """`count` codes of `bits` bits."""
    codes = []
    for start in range(0, len(data), bits):  # 8 codes at a time
        group = int.from_bytes(data[start : start + bits], "little")
        codes.extend(group >> (i * bits) & (1 << bits) - 1 for i in range(8))
    return codes[:count]


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def decode(row, take):
    """The values of a tensor as a list; take(n) gives its next n bytes."""
    count = math.prod(row["shape"])
    coding = row["coding"]
    if coding in ("f32", "f16"):
        size, letter = (4, "f") if coding == "f32" else (2, "e")
        return list(struct.unpack(f"<{count}{letter}", take(size * count)))
    bits = row["bits"]
    kept = [1] * count
    if row.get("masked", False):
        kept = bit_stream(take((count + 7) // 8), 1, count)
    stored = sum(kept)
    codes = bit_stream(take((stored * bits + 7) // 8), bits, stored)
    if coding == "codebook":
        entries = row.get("entries", 0)
        book = struct.unpack(f"<{entries}f", take(4 * entries))
        expect(all(code < entries for code in codes), "a code has no entry")
        rest = iter(codes)
        return [book[next(rest)] if there else 0.0 for there in kept]
    expect(coding == "linear", f"unknown coding {coding}")
    groups = row.get("scales", 0)
    scales = struct.unpack(f"<{groups}f", take(4 * groups))
    zeros = [row.get("zero", 0)] * groups
    if row.get("zeros", False):
        zeros = struct.unpack(f"<{groups}f", take(4 * groups))
    each = max(1, count // max(1, groups))  # values that share a scale
    # A product of two float32 is exact in Python's double, so it is rounded once.
    return [
        float32((code - zeros[i // each]) * scales[i // each]) for i, code in enumerate(codes)
    ]


def entries(node, path=()):
    """The entries of tensors below a node of the header's tree, each with its name."""
    if isinstance(node.get("shape"), list):
        yield {"coding": "f32", **node, "name": ".".join(path)}
        return
    for key in sorted(node):
        yield from entries(node[key], (*path, key))


def read(data):
    """Metadata and a list of (row, values)."""
    expect(len(data) >= PREFIX.size + SEAL_BYTES, "too short")
    magic, version, header_bytes, text_bytes = PREFIX.unpack_from(data)
    expect(magic == b"VXBP", "not a packed file")
    body, seal = data[:-SEAL_BYTES], data[-SEAL_BYTES:]
    expect(hashlib.sha256(body).digest() == seal, "damaged")
    expect(version == 2, f"version {version}")
    expect(text_bytes <= MAX_TEXT, "the header is too long")
    header = json.loads(zlib.decompress(body[PREFIX.size : PREFIX.size + header_bytes]))
    position = PREFIX.size + header_bytes

    def take(size):
        nonlocal position
        expect(position + size <= len(body), "a tensor reaches beyond the end")
        position += size
        return body[position - size : position]

    tensors = [(row, decode(row, take)) for row in entries(header["tensors"])]
    expect(position == len(body), "bytes that belong to no tensor")
    return header["metadata"], tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--values", action="store_true", help="print the values, too")
    arguments = parser.parse_args()
    try:
        metadata, tensors = read(arguments.file.read_bytes())
    except REFUSED as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"metadata": metadata}))
    for row, values in tensors:
        floats = array.array("f", values)
        if sys.byteorder == "big":
            floats.byteswap()
        line = {key: row[key] for key in ("name", "shape", "coding")}
        line["sha256"] = hashlib.sha256(floats.tobytes()).hexdigest()
        if arguments.values:
            line["values"] = values
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
