"""Training steps of eager PyTorch on the networks of this workspace: time and memory to set ours against.

    python pytorch_steps.py --network mlp-3x1000 --rule bp --batch 128 --device cuda:0

Prints one JSON object. `step_peak` is the most bytes that a step holds above what stands between steps (parameters and
the optimiser's state), the batch included: on CUDA by torch.cuda.max_memory_allocated, on the CPU by the allocations that
torch.profiler reports. Written for comparison only; nothing here is used for training.

SLL is the paper's rule as `sll-core/src/sll/mod.rs` has it: every unit's output, cut off from what is below, is projected by a
fixed random matrix R; cross-entropy plus -2 ln BC to the posterior of the unit below trains the unit at once.
"""

import argparse
import json
import time

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


def conv(c, o, pool):
    layers = [nn.Conv2d(c, o, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


def network(name):
    """Units of one layer each, the image's shape, the number of classes and the optimiser that the paper trains it with."""
    if name == "mlp-3x1000":
        dense = lambda n: nn.Sequential(nn.Linear(n, 1000), nn.ReLU())
        first = nn.Sequential(nn.Flatten(), dense(3072))
        return [first, dense(1000), dense(1000), nn.Linear(1000, 10)], (3, 32, 32), 10, torch.optim.Adamax
    if name == "cnn-3":
        plan = [(3, 64, 1), (64, 128, 1), (128, 256, 0), (256, 256, 1), (256, 512, 1), (512, 512, 0), (512, 1024, 0)]
        head = nn.Sequential(nn.Flatten(), nn.Linear(4096, 10))
        return [*[conv(*layer) for layer in plan], head], (3, 32, 32), 10, torch.optim.Adam
    depth, heads, ratio, patch, side, classes = {
        "vit-7": (7, 12, 2, 4, 32, 10),
        "vit-12": (12, 6, 3, 16, 224, 1000),
    }[name]
    blocks = [Block(384, heads, ratio) for _ in range(depth)]
    blocks[0] = nn.Sequential(Embed(side, patch, 384), blocks[0])
    blocks[-1] = nn.Sequential(blocks[-1], Head(384, classes))
    return blocks, (3, side, side), classes, torch.optim.AdamW


def summary(h):
    """Class token of tokens, all values of maps."""
    return h[:, 0] if h.dim() == 3 else h.flatten(1)


def bp(units, optimizers, x, y):
    h = x
    for unit in units:
        h = unit(h)
    loss = F.cross_entropy(h, y)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def sll(units, optimizers, x, y, projections):
    h, parent = x, None
    for index, (unit, optimizer) in enumerate(zip(units, optimizers)):
        h = unit(h)
        last = index + 1 == len(units)
        log_q = F.log_softmax(h if last else summary(h) @ projections[index], 1)
        loss = F.nll_loss(log_q, y)
        if parent is not None and not last:
            loss = loss - 2 * torch.logsumexp(0.5 * (log_q + parent), 1).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        parent, h = log_q.detach(), h.detach()
    return loss.detach()


def cpu_peak(step):
    """The most bytes that the CPU's allocator handed out at once during `step`, above what it had before."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        step()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True, choices=["mlp-3x1000", "cnn-3", "vit-7", "vit-12"])
    parser.add_argument("--rule", required=True, choices=["bp", "sll"])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = torch.device(args.device)
    units, image, classes, kind = network(args.network)
    units = [unit.to(device) for unit in units]
    optimizers = [kind(unit.parameters(), lr=1e-3) for unit in units]
    probe = torch.randn(2, *image, device=device)
    projections = []
    if args.rule == "sll":
        with torch.no_grad():
            for unit in units[:-1]:
                probe = unit(probe)
                n = summary(probe).shape[1]
                projections.append(torch.randn(n, classes, device=device) / n**0.5)
    pixels = torch.randn(args.batch, *image)
    labels = torch.arange(args.batch) % classes

    def step():
        x, y = pixels.to(device, copy=True), labels.to(device)
        return bp(units, optimizers, x, y) if args.rule == "bp" else sll(units, optimizers, x, y, projections)

    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    for _ in range(3):
        step()
    wait()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        standing = torch.cuda.memory_allocated(device)
        step()
        wait()
        peak = torch.cuda.max_memory_allocated(device) - standing
    else:
        peak = cpu_peak(step)
    started = time.perf_counter()
    for _ in range(args.steps):
        step()
    wait()
    seconds = (time.perf_counter() - started) / args.steps
    print(json.dumps({
        "network": args.network,
        "rule": args.rule,
        "batch": args.batch,
        "device": args.device,
        "hardware": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "backend": f"PyTorch {torch.__version__}, eager",
        "parameters": sum(p.numel() for unit in units for p in unit.parameters()),
        "step_peak": peak,
        "seconds_per_step": seconds,
    }))


if __name__ == "__main__":
    main()
