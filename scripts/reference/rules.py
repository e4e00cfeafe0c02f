"""Learning rules in eager PyTorch, as plainly as its users write them: one step of each, for comparison only.

SLL is the paper's rule as `sll-core/src/sll/mod.rs` has it: every unit's output, cut off from what is below, is
projected by a fixed random matrix R; cross-entropy plus -2 ln BC to the posterior of the unit below trains the unit at
once. FA sends its signal through fixed random weights in place of the transposed ones; DFA sends the output's error
straight to every unit.
"""

import torch
import torch.nn.functional as F
from torch import nn

NAMES = ["bp", "sll", "fa", "dfa"]


class Random(torch.autograd.Function):
    """An affine map whose input's gradient goes through other weights."""

    @staticmethod
    def forward(ctx, x, weight, bias, feedback):
        ctx.save_for_backward(x, feedback)
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx, dy):
        x, feedback = ctx.saved_tensors
        rows = dy.flatten(0, -2)
        return dy @ feedback, rows.t() @ x.flatten(0, -2), rows.sum(0), None


class RandomConv(torch.autograd.Function):
    """The same for a convolution with as much padding as keeps the map's size."""

    @staticmethod
    def forward(ctx, x, weight, bias, feedback):
        ctx.save_for_backward(x, weight, feedback)
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    @staticmethod
    def backward(ctx, dy):
        x, weight, feedback = ctx.saved_tensors
        side = weight.shape[-1] // 2
        settings = ([1, 1], [side, side], [1, 1], False, [0, 0], 1)
        back = torch.ops.aten.convolution_backward
        dx, _, _ = back(dy, x, feedback, None, *settings, [True, False, False])
        _, dw, db = back(dy, x, weight, [len(weight)], *settings, [False, True, True])
        return dx, dw, db, None


def with_feedback(units):
    """Gives every affine map but the first, which sends nothing on, feedback weights drawn as its own were."""
    maps = [m for unit in units for m in unit.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    for module in maps[1:]:
        bound = module.weight[0].numel() ** -0.5
        module.feedback = torch.empty_like(module.weight, requires_grad=False).uniform_(-bound, bound)
        function = Random if isinstance(module, nn.Linear) else RandomConv
        module.forward = lambda x, m=module, f=function: f.apply(x, m.weight, m.bias, m.feedback)


def summary(h):
    """Class token of tokens, all values of maps."""
    return h[:, 0] if h.dim() == 3 else h.flatten(1)


def update(optimizer):
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def bp(units, optimizers, x, y):
    h = x
    for unit in units:
        h = unit(h)
    loss = F.cross_entropy(h, y)
    loss.backward()
    for optimizer in optimizers:
        update(optimizer)
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
        update(optimizer)
        parent, h = log_q.detach(), h.detach()
    return loss.detach()


def dfa(units, optimizers, x, y, feedback):
    outputs, h = [], x
    for unit in units:
        outputs.append(unit(h))
        h = outputs[-1].detach()
    loss = F.cross_entropy(h, y)
    error = (F.softmax(h, 1) - F.one_hot(y, h.shape[1])) / len(y)
    for index in reversed(range(len(units))):
        output = outputs.pop()
        last = index + 1 == len(units)
        output.backward(error if last else (error @ feedback[index]).view_as(output))
        update(optimizers[index])
    return loss


def step_of(rule, units, image, classes, make_optimizer, device):
    """A function of a batch that takes one step of `rule` on `units`, which are on `device`."""
    if rule == "fa":
        with_feedback(units)
    optimizers = [make_optimizer(unit.parameters()) for unit in units]
    if rule in ("bp", "fa"):
        return lambda x, y: bp(units, optimizers, x, y)
    fixed, probe = [], torch.randn(2, *image, device=device)
    with torch.no_grad():
        for unit in units[:-1]:
            probe = unit(probe)
            n = (summary(probe) if rule == "sll" else probe.flatten(1)).shape[1]
            shape, scale = ((n, classes), n) if rule == "sll" else ((classes, n), classes)
            fixed.append(torch.randn(*shape, device=device) / scale**0.5)
    if rule == "sll":
        return lambda x, y: sll(units, optimizers, x, y, fixed)
    return lambda x, y: dfa(units, optimizers, x, y, fixed)
