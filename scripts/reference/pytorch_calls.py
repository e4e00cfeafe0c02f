"""Operators that a training step of eager PyTorch calls, counted from what its profiler hears: what `harness bench`
sets ours against, and `baselines/tests/calls.rs` too, by what this prints:

    python pytorch_calls.py >../../baselines/tests/calls.json
"""

import functools
import json

import networks
import rules
import torch


# Samples of the steps that this program counts; what is called does not depend on it.
BATCH = 16


def within(event, start):
    """Whether the call is made inside of another one whose name starts so."""
    above = event.cpu_parent
    while above is not None and not above.name.startswith(start):
        above = above.cpu_parent
    return above is not None


def copies(event):
    """Whether something that the call calls copies values."""
    return any(child.name == "aten::copy_" or copies(child) for child in event.cpu_children)


def count(step):
    """Of each operator that `step` calls: calls from outside LibTorch, and all. What the optimiser does with its
    counters of steps, which lie on the host whatever the device of the parameters, is named ` (host)`; calls from
    outside that copy values below them are named ` (copy)`."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, record_shapes=True) as profile:
        step()
    found = {}
    for event in profile.events():
        # Fused optimisers read the same counters.
        if not event.name.startswith("aten::") or within(event, "aten::_fused_"):
            continue
        # Lists of tensors have no shape either.
        listed = event.name.startswith(("aten::_fused_", "aten::_foreach_"))
        scalar = bool(event.input_shapes) and event.input_shapes[0] == [] and not listed
        name = event.name + (" (host)" if scalar and within(event, "Optimizer.step") else "")
        found.setdefault(name, [0, 0])[1] += 1
        if not within(event, "aten::"):
            found.setdefault(name if name.endswith(")") or not copies(event) else f"{name} (copy)", [0, 0])[0] += 1
    return dict(sorted(found.items()))


def step_of(network, rule, batch, fused, device):
    """A step with its batch: ours of the bench, Adam, the loss read at its end; and the number of parameters."""
    torch.manual_seed(0)
    units, image, classes, _ = networks.network(network)
    units = [unit.to(device) for unit in units]
    adam = functools.partial(torch.optim.Adam, lr=1e-3, **({"fused": True} if fused else {}))
    step = rules.step_of(rule, units, image, classes, adam, device)
    x = torch.randn(batch, *image, device=device)
    y = (torch.arange(batch) % classes).to(device)
    return lambda: step(x, y).item(), sum(p.numel() for unit in units for p in unit.parameters())


def main():
    lines = []
    for network in ["mlp-2x800", "mlp-3x1000", "cnn-1", "cnn-small", "vit-7"]:
        for rule in rules.NAMES:
            for fused in [False, True]:
                step, _ = step_of(network, rule, BATCH, fused, torch.device("cpu"))
                for _ in range(2):
                    step()
                # What is called from outside, and values read.
                tallies = count(step).items()
                found = {name: tally for name, tally in tallies if tally[0] or "_local_scalar_dense" in name}
                lines.append(f'"{network} {rule}{" fused" if fused else ""}": {json.dumps(found)}')
    steps = ",\n".join(lines)
    print(f'{{"torch": "{torch.__version__}", "batch": {BATCH}, "steps": {{\n{steps}\n}}}}')


if __name__ == "__main__":
    main()
