#!/usr/bin/env python3
"""The JPEGs of src/format/jpeg.rs's tests: `python3 jpegs.py`, in this folder, with Pillow (made with 13.0.0).

Writes progressive.jpg, restarts.jpg, thumbnail.jpg."""

import io
import struct

from PIL import Image


def picture(width, height):
    image = Image.new("RGB", (width, height))
    places = [(x, y) for y in range(height) for x in range(width)]
    image.putdata([((x * 37 ^ y * 11) & 255, (x * 5 + y * 3) & 255, (x * y) & 255) for x, y in places])
    return image


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50, **options)
    return file.getvalue()


def exif(thumbnail):
    """An EXIF block whose second directory is of `thumbnail`: compression 6 (JPEG), where it lies, its length."""
    entry = lambda tag, kind, value: struct.pack("<HHII", tag, kind, 1, value)
    first = struct.pack("<H", 0) + struct.pack("<I", 14)
    entries = entry(0x103, 3, 6) + entry(0x201, 4, 56) + entry(0x202, 4, len(thumbnail))
    second = struct.pack("<H", 3) + entries + struct.pack("<I", 0)
    return b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + first + second + thumbnail


def check(jpeg):
    """Pillow reads it with anything behind it, and no truncation of it."""
    Image.open(io.BytesIO(jpeg + b"\xff\xd8\xff\xe1\xff\xff")).load()
    for length in range(len(jpeg) - 2):
        try:
            Image.open(io.BytesIO(jpeg[:length])).load()
        except (OSError, SyntaxError):
            continue
        raise AssertionError(f"Pillow reads {length} of {len(jpeg)} bytes")


def main():
    image, small = picture(48, 40), picture(12, 10)
    files = {
        "progressive": saved(image, progressive=True),
        "restarts": saved(image, restart_marker_blocks=1),
        "thumbnail": saved(image, exif=exif(saved(small))),
    }
    for name, jpeg in files.items():
        check(jpeg)
        with open(f"{name}.jpg", "wb") as file:
            file.write(jpeg)


main()
