#!/usr/bin/env python3
"""The numbers pinned in src/random.rs, src/serve/order.rs and src/augment, computed from the documented
definition alone: `python3 order.py`.

ChaCha with 8 rounds (D. J. Bernstein, "ChaCha, a variant of Salsa20", 2008), 64-bit block counter,
key = seed || epoch || index || purpose.
"""

import struct

MASK = 0xFFFFFFFF
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
ROUND = COLUMNS + DIAGONALS


def rotate(value, bits):
    return ((value << bits) | (value >> (32 - bits))) & MASK


def block(key, counter):
    constant, words = struct.unpack("<4I", b"expand 32-byte k"), struct.unpack("<8I", key)
    start = [*constant, *words, counter & MASK, counter >> 32, 0, 0]
    x = start[:]
    for _ in range(4):
        for a, b, c, d in ROUND:
            for into, other, target, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[into] = (x[into] + x[other]) & MASK
                x[target] = rotate(x[target] ^ x[into], bits)
    return struct.pack("<16I", *((after + before) & MASK for after, before in zip(x, start)))


def numbers(purpose, seed, epoch, index):
    """The stream of 64-bit numbers of hash(purpose, seed, epoch, index)."""
    key, counter = struct.pack("<3Q", seed, epoch, index) + purpose.ljust(8, b"\0"), 0
    while True:
        yield from struct.unpack("<8Q", block(key, counter))
        counter += 1


def below(stream, bound):
    return (bound * next(stream)) >> 64


def epoch_order(seed, epoch, n):
    stream, order = numbers(b"order", seed, epoch, 0), list(range(n))
    for last in range(n - 1, 0, -1):
        other = below(stream, last + 1)
        order[last], order[other] = order[other], order[last]
    return order


def draw(seed, epoch, index, crop_padding):
    stream = numbers(b"augment", seed, epoch, index)
    return next(stream) >> 63, below(stream, 2 * crop_padding + 1), below(stream, 2 * crop_padding + 1)


if __name__ == "__main__":
    print("epoch_order(0, 0, 8) =", epoch_order(0, 0, 8))
    print("epoch_order(3, 5, 8) =", epoch_order(3, 5, 8))
    for index in range(4):
        print(f"(flip, top, left) of seed 1, epoch 2, index {index}, padding 4 =", draw(1, 2, index, 4))
