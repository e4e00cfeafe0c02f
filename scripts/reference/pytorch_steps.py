"""Training steps of eager PyTorch on the networks of this workspace: time and memory to set ours against.

    python pytorch_steps.py --network mlp-3x1000 --rule bp --batch 128 --device cuda:0

Prints one JSON object. `step_peak` is the most bytes that a step holds above what stands between steps (parameters and
the optimiser's state), the batch included: on CUDA by torch.cuda.max_memory_allocated, on the CPU by the allocations
that torch.profiler reports. Written for comparison only; nothing here is used for training.
"""

import argparse
import functools
import json
import time

import networks
import rules
import torch


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
    parser.add_argument("--network", required=True, choices=networks.NAMES)
    parser.add_argument("--rule", required=True, choices=rules.NAMES)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = torch.device(args.device)
    units, image, classes, kind = networks.network(args.network)
    units = [unit.to(device) for unit in units]
    train = rules.step_of(args.rule, units, image, classes, functools.partial(kind, lr=1e-3), device)
    pixels = torch.randn(args.batch, *image)
    labels = torch.arange(args.batch) % classes

    def step():
        return train(pixels.to(device, copy=True), labels.to(device))

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
