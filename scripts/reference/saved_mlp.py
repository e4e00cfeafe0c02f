"""The logits of a saved MLP in plain numpy, beside those of the harness.

    harness run --rule sll --dataset mnist-sample --save model.safetensors
    harness evaluate model.safetensors --scores scores.safetensors
    python3 scripts/reference/saved_mlp.py model.safetensors datasets/samples/mnist-sample scores.safetensors

Needs numpy and safetensors. Prints one JSON object: test images, how many are classified right, and the largest
difference between the two programs' logits. h_0 = (pixel / 255 - mean) / std, h_l = phi(h_{l-1} W_l^T + b_l); the last
layer has no phi.
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

PHI = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}


def idx(path, head):
    """The bytes of an IDX file behind its `head` bytes of sizes."""
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=head)


def logits(weights, card, pixels):
    """[n, pixels] to [n, classes]."""
    phi = PHI[card["spec"]["network"]["activation"]]
    h = (pixels / np.float32(255) - np.float32(card["data"]["mean"])) / np.float32(card["data"]["std"])
    last = len(card["layers"]) - 1
    for layer in range(last + 1):
        z = h @ weights[f"layers.{layer}.weight"].T + weights[f"layers.{layer}.bias"]
        h = z if layer == last else phi(z)
    return h


def main(model, data, scores):
    weights, card = load_file(model), json.loads(safe_open(model, "numpy").metadata()["sll"])
    data = Path(data)
    pixels = idx(data / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, np.prod(card["data"]["shape"]))
    labels = idx(data / "t10k-labels-idx1-ubyte.gz", 8)
    found, own = logits(weights, card, pixels), load_file(scores)["scores"]
    right = int((found.argmax(1) == labels).sum())
    print(json.dumps({"n": len(labels), "right": right, "largest_difference": float(np.abs(found - own).max())}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
