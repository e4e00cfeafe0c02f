#!/usr/bin/env python3
"""Expected values for src/augment, from Pillow: `python3 ops.py AUTOAUGMENT.py`, in this folder, with Pillow (made
with 13.0.0) and numpy, and torchvision's file of that name (0.24.0 gives the same as 0.29.2). Writes ops.tsv,
tables.tsv, magnitudes.tsv, policy.tsv, resize.tsv.

Policies, magnitudes and matrices follow torchvision 0.29.2 (transforms/autoaugment.py and functional.py) written out,
since torchvision itself draws its random numbers from torch; ours come from order.py. The images are
src/augment/reference.rs's.
"""

import hashlib
import math

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from order import numbers


def picture(size):
    width, height, channels = map(int, size.split("x"))
    state, values = 12345, []
    for i in range(width * height * channels):
        state = (state * 1103515245 + 12345) % (1 << 31)
        values.append(((state >> 16) & 63) + (i * 3 // 2) % 190)
    array = np.array(values, np.uint8).reshape(height, width, channels)
    return Image.fromarray(array if channels == 3 else array[:, :, 0])


def short(image):
    return hashlib.sha256(image.tobytes()).hexdigest()[:16]


def affine(image, matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=None)


OPS = {
    "plain": lambda image, _: image,
    "invert": lambda image, _: ImageOps.invert(image),
    "solarize": lambda image, v: ImageOps.solarize(image, v),
    "posterize": lambda image, v: ImageOps.posterize(image, int(v)),
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "brightness": lambda image, v: ImageEnhance.Brightness(image).enhance(v),
    "color": lambda image, v: ImageEnhance.Color(image).enhance(v),
    "contrast": lambda image, v: ImageEnhance.Contrast(image).enhance(v),
    "sharpness": lambda image, v: ImageEnhance.Sharpness(image).enhance(v),
    "rotate": lambda image, v: image.rotate(v, Image.Resampling.NEAREST),
}


def uniform(stream):
    return (next(stream) >> 11) / 2.0**53


def below(stream, bound):
    return (bound * next(stream)) >> 64


def linspace(end, start=0.0):
    """torch.linspace(start, end, 10) in float32."""
    start, end = np.float32(start), np.float32(end)
    step = (end - start) / np.float32(9)
    return [float(start + step * np.float32(i) if i < 5 else end - step * np.float32(9 - i)) for i in range(10)]


def tables():
    """torchvision's two policies, read out of its source (the file is not ours to copy)."""
    import ast, sys

    tree = ast.parse(open(sys.argv[1]).read())
    lists = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and isinstance(node.value, ast.List)]
    found = [ast.literal_eval(value) for value in lists]
    return {"imagenet": found[0], "cifar": found[1]}


def apply(image, op, magnitude, sign):
    width, height = image.size
    signed = lambda end: linspace(end)[magnitude] * sign
    if op == "ShearX":
        return affine(image, (1, math.tan(math.radians(math.degrees(math.atan(signed(0.3))))), 0, 0, 1, 0))
    if op == "ShearY":
        return affine(image, (1, 0, 0, math.tan(math.radians(math.degrees(math.atan(signed(0.3))))), 1, 0))
    if op == "TranslateX":
        return affine(image, (1, 0, -int(signed(150.0 / 331.0 * width)), 0, 1, 0))
    if op == "TranslateY":
        return affine(image, (1, 0, 0, 0, 1, -int(signed(150.0 / 331.0 * height))))
    if op == "Rotate":
        return OPS["rotate"](image, signed(30.0))
    if op in ("Brightness", "Color", "Contrast", "Sharpness"):
        return OPS[op.lower()](image, 1.0 + signed(0.9))
    if op == "Posterize":
        return OPS["posterize"](image, 8 - round(magnitude / (9 / 4)))
    if op == "Solarize":
        return OPS["solarize"](image, linspace(0.0, 255.0)[magnitude])
    return OPS[op.lower()](image, None)


def policy(image, pairs, index):
    stream = numbers(b"policy", 3, 1, index)
    pair = pairs[below(stream, 25)]
    chances = [uniform(stream), uniform(stream)]
    signs = [1 if next(stream) >> 63 else -1 for _ in range(2)]
    for (op, chance, magnitude), drawn, sign in zip(pair, chances, signs):
        if drawn <= chance:
            image = apply(image, op, magnitude or 0, sign)
    return image


def centre(image, side, height, width):
    w, h = image.size
    short_side, long_side = (w, h) if w <= h else (h, w)
    other = int(side * long_side / short_side)
    image = image.resize((side, other) if w <= h else (other, side), Image.Resampling.BILINEAR)
    left, top = int(round((image.width - width) / 2.0)), int(round((image.height - height) / 2.0))
    return image.crop((left, top, left + width, top + height))


def random_crop(image, index, side):
    """torchvision's RandomResizedCrop.get_params and resized_crop."""
    stream = numbers(b"crop", 3, 1, index)
    width, height = image.size
    low, high = math.log(3 / 4), math.log(4 / 3)
    for _ in range(10):
        area = width * height * (0.08 + 0.92 * uniform(stream))
        ratio = math.exp(low + (high - low) * uniform(stream))
        w, h = int(round(math.sqrt(area * ratio))), int(round(math.sqrt(area / ratio)))
        if 0 < w <= width and 0 < h <= height:
            top, left = below(stream, height - h + 1), below(stream, width - w + 1)
            break
    else:
        ratio = width / height
        if ratio < 3 / 4:
            w, h = width, int(round(width / (3 / 4)))
        elif ratio > 4 / 3:
            w, h = int(round(height * (4 / 3))), height
        else:
            w, h = width, height
        top, left = (height - h) // 2, (width - w) // 2
    return image.crop((left, top, left + w, top + h)).resize((side, side), Image.Resampling.BILINEAR)


def main():
    head = f"# Made by ops.py with Pillow {PIL.__version__}; {{}}\n"
    with open("ops.tsv", "w") as file:
        file.write(head.format("image, operation, argument, first digits of the SHA-256 of the bytes"))
        row = lambda size, op, argument, image: file.write(f"{size}\t{op}\t{argument}\t{short(image)}\n")
        for size in ("32x32x3", "28x28x1", "13x7x3", "40x50x3"):
            image = picture(size)
            for op in ("plain", "invert", "autocontrast", "equalize"):
                row(size, op, "", OPS[op](image, None))
            for value in (0, 85.0, 127.5, 170.0, 200, 255):
                row(size, "solarize", value, OPS["solarize"](image, value))
            for value in range(1, 9):
                row(size, "posterize", value, OPS["posterize"](image, value))
            for op in ("brightness", "color", "contrast", "sharpness"):
                for value in (0.1, 0.4, 0.7, 1.0, 1.3, 1.6, 1.9):
                    row(size, op, value, OPS[op](image, value))
            for value in (-30, -26.66666603088379, -3.3333332538604736, 0, 6.5, 20, 30):
                row(size, "rotate", value, OPS["rotate"](image, value))
            for matrix in (
                (1, 0.3, 0, 0, 1, 0),
                (1, -0.16666667, 0, 0, 1, 0),
                (1, 0, 0, 0.26666668, 1, 0),
                (1, 0, -14, 0, 1, 0),
                (1, 0, 0, 0, 1, 9),
                (0.7, 0.2, 3.3, -0.4, 1.2, -1.5),
            ):
                row(size, "affine", " ".join(map(str, matrix)), affine(image, matrix))
    with open("tables.tsv", "w") as file:
        columns = "policy, pair, its first or second operation, probability in tenths, magnitude"
        file.write(f"# torchvision's policies, read by ops.py: {columns}\n")
        for name, pairs in tables().items():
            for pair, steps in enumerate(pairs):
                for place, (op, chance, magnitude) in enumerate(steps):
                    assert round(chance * 10) / 10 == chance
                    file.write(f"{name}\t{pair}\t{place}\t{op}\t{round(chance * 10)}\t{magnitude or 0}\n")
    with open("magnitudes.tsv", "w") as file:
        columns = "image, operation of a policy, magnitude, sign, first digits of the SHA-256 of the bytes"
        file.write(head.format(columns))
        used = {op for pairs in tables().values() for steps in pairs for op, _, _ in steps}
        ops = sorted(used | {"TranslateX", "ShearY"})
        assert len(ops) == 14, ops
        for size in ("32x32x3", "13x7x3", "28x28x1"):
            for op in ops:
                for magnitude in range(10):
                    for sign in (1, -1):
                        digest = short(apply(picture(size), op, magnitude, sign))
                        file.write(f"{size}\t{op}\t{magnitude}\t{sign}\t{digest}\n")
    with open("policy.tsv", "w") as file:
        file.write(head.format("seed 3, epoch 1: image, policy, index, first digits of the SHA-256 of the bytes"))
        for name, pairs in tables().items():
            for size in ("32x32x3", "40x50x3", "28x28x1"):
                for index in range(60):
                    file.write(f"{size}\t{name}\t{index}\t{short(policy(picture(size), pairs, index))}\n")
    with open("resize.tsv", "w") as file:
        file.write(head.format("image, operation, arguments (crop: index and side, seed 3, epoch 1), the bytes"))
        row = lambda size, op, argument, image: file.write(f"{size}\t{op}\t{argument}\t{image.tobytes().hex()}\n")
        for size, (w, h) in (
            ("32x32x3", (8, 8)),
            ("32x32x3", (13, 5)),
            ("13x7x3", (20, 18)),
            ("28x28x1", (9, 40)),
            ("40x50x3", (11, 3)),
        ):
            row(size, "resize", f"{w} {h}", picture(size).resize((w, h), Image.Resampling.BILINEAR))
        for size, side, h, w in (
            ("40x50x3", 16, 14, 14),
            ("50x40x3", 16, 14, 11),
            ("32x32x3", 32, 14, 9),
            ("61x20x3", 12, 12, 12),
        ):
            row(size, "centre", f"{side} {h} {w}", centre(picture(size), side, h, w))
        for size in ("40x50x3", "61x20x3", "64x9x3"):
            for index in range(8):
                row(size, "crop", f"{index} 7", random_crop(picture(size), index, 7))


main()
