"""The networks of this workspace in PyTorch: what `harness bench` and gpu.sh set ours against."""

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Pre-norm encoder block."""

    def __init__(self, d, heads, ratio):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc1, self.fc2 = nn.Linear(d, ratio * d), nn.Linear(ratio * d, d)
        self.heads = heads

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d)
        x = x + self.proj(mixed)
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Embed(nn.Module):
    """Patches and a class token, with learned positions."""

    def __init__(self, side, patch, d):
        super().__init__()
        self.map = nn.Conv2d(3, d, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, d))
        self.positions = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + 1, d))

    def forward(self, x):
        x = self.map(x).flatten(2).transpose(1, 2)
        return torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions


class Head(nn.Module):
    """Logits from the class token."""

    def __init__(self, d, classes):
        super().__init__()
        self.norm, self.map = nn.LayerNorm(d), nn.Linear(d, classes)

    def forward(self, x):
        return self.map(self.norm(x[:, 0]))


POOLS = {"": [], "max": [nn.MaxPool2d(2)], "grid": [nn.AdaptiveAvgPool2d(2)]}


def conv(c, o, pool, norm):
    normed = [nn.BatchNorm2d(o)] if norm else []
    return nn.Sequential(nn.Conv2d(c, o, 3, padding=1), *normed, nn.ReLU(), *POOLS[pool])


def dense(n, m):
    return nn.Sequential(nn.Flatten(), nn.Linear(n, m), nn.ReLU())


def mlp(n, width, depth):
    return [dense(n, width), *[dense(width, width) for _ in range(depth - 1)], nn.Linear(width, 10)]


def cnn(c, plan, hidden, flat, norm):
    """Convolutions of `plan`, (channels, pool), then dense layers of `hidden` units on `flat` features."""
    inputs = [c, *[channels for channels, _ in plan]]
    convs = [conv(n, channels, pool, norm) for n, (channels, pool) in zip(inputs, plan)]
    sizes = [flat, *hidden]
    denses = [dense(n, m) for n, m in zip(sizes, sizes[1:])]
    return [*convs, *denses, nn.Sequential(nn.Flatten(), nn.Linear(sizes[-1], 10))]


VGG = [(64, "max"), (128, "max"), (256, ""), (256, "max"), (512, "max")]


def network(name):
    """Units of one layer each, the image's shape, the number of classes and the optimiser that the paper uses."""
    if name == "mlp-2x800":
        return mlp(784, 800, 2), (1, 28, 28), 10, torch.optim.Adamax
    if name == "mlp-3x1000":
        return mlp(3072, 1000, 3), (3, 32, 32), 10, torch.optim.Adamax
    if name == "cnn-1":  # with batch norm
        return cnn(1, VGG, [], 512, True), (1, 28, 28), 10, torch.optim.Adam
    if name == "cnn-small":
        plan = [(96, "max"), (192, "max"), (512, "grid")]
        return cnn(3, plan, [1024], 2048, False), (3, 32, 32), 10, torch.optim.Adam
    if name == "cnn-3":
        return cnn(3, [*VGG, (512, ""), (1024, "")], [], 4096, False), (3, 32, 32), 10, torch.optim.Adam
    depth, heads, ratio, patch, side, classes = {
        "vit-7": (7, 12, 2, 4, 32, 10),
        "vit-12": (12, 6, 3, 16, 224, 1000),
    }[name]
    blocks = [Block(384, heads, ratio) for _ in range(depth)]
    blocks[0] = nn.Sequential(Embed(side, patch, 384), blocks[0])
    blocks[-1] = nn.Sequential(blocks[-1], Head(384, classes))
    return blocks, (3, side, side), classes, torch.optim.AdamW


NAMES = ["mlp-2x800", "mlp-3x1000", "cnn-1", "cnn-small", "cnn-3", "vit-7", "vit-12"]
