"""Measures timm's and PyTorch's own averages, from their packages, in turns.

usage: peers.py SHAPES ROUNDS FILE

SHAPES has a line for each model, its name and the shapes of its parameters: "name;64x3x7x7;64;...".
What was measured is written to FILE as the Java side writes it. Exits with 3 where a package is missing.
"""

import csv
import math
import os
import sys
import time

try:
    import timm
    import torch
    from timm.utils import ModelEma, ModelEmaV2, ModelEmaV3
    from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn
except ImportError as missing:
    print(f"no {missing.name}")
    sys.exit(3)

DECAY = 0.9999
LEAST_MILLIS = 5
SETTLED_MILLIS = 100
WARM_UPS = 3
MOST_THREADS = min(2, os.cpu_count() or 1)


class Model(torch.nn.Module):
    """Parameters and nothing else."""

    def __init__(self, shapes):
        super().__init__()
        for i, shape in enumerate(shapes):
            self.register_parameter(f"parameter{i}", torch.nn.Parameter(0.02 * torch.randn(shape)))


def copy_of(model):
    """Returns copying a model, as the reference line."""
    copies = [torch.empty_like(p) for p in model.parameters()]

    def copy():
        with torch.no_grad():
            for target, source in zip(copies, model.parameters()):
                target.copy_(source)

    return copy


def contenders(model):
    """Returns what is measured, by name: a function of no arguments each, and the bytes per parameter."""
    v1 = ModelEma(model, decay=DECAY)
    v2 = ModelEmaV2(model, decay=DECAY)
    v3 = ModelEmaV3(model, decay=DECAY)
    each = AveragedModel(model, avg_fn=get_ema_avg_fn(DECAY))
    fused = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    return [
        ("copy_ of the model", copy_of(model), 8),
        ("timm ModelEma", lambda: v1.update(model), 12),
        ("timm ModelEmaV2", lambda: v2.update(model), 12),
        ("timm ModelEmaV3", lambda: v3.update(model), 12),
        ("torch AveragedModel, avg_fn", lambda: each.update_parameters(model), 12),
        ("torch AveragedModel, multi_avg_fn", lambda: fused.update_parameters(model), 12),
    ]


def millis(call, threads, calls=1):
    torch.set_num_threads(threads)
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begin) * 1e3 / calls


def sample(call, threads, estimate):
    """Measures as Rounds.java does, which says why."""
    if estimate < SETTLED_MILLIS:
        millis(call, threads)
    return millis(call, threads, max(1, math.ceil(LEAST_MILLIS / estimate)))


def measure(model, rounds):
    """Returns name, threads, bytes per parameter and samples of each contender."""
    lanes = [(name, threads, size, call, []) for name, call, size in contenders(model)
             for threads in range(1, MOST_THREADS + 1)]
    estimates = [[millis(call, threads) for _ in range(WARM_UPS)][-1] for _, threads, _, call, _ in lanes]
    for turn in range(rounds):
        for i in range(len(lanes)):
            at = (i + turn) % len(lanes)
            _, threads, _, call, samples = lanes[at]
            samples.append(sample(call, threads, estimates[at]))
    return [(name, threads, size, samples) for name, threads, size, _, samples in lanes]


def main(shapes, rounds, file):
    process = f"Python {sys.version.split()[0]}, torch {torch.__version__.split('+')[0]}, timm {timm.__version__}"
    with open(shapes) as lines, open(file, "w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["process", "group", "contender", "threads", "parameters", "bytes", "milliseconds"])
        for line in lines:
            group, *texts = line.rstrip("\n").split(";")
            model = Model([[int(size) for size in text.split("x")] for text in texts])
            parameters = sum(p.numel() for p in model.parameters())
            for name, threads, size, samples in measure(model, int(rounds)):
                rows.writerow([process, group, name, threads, parameters, parameters * size,
                               " ".join(f"{each:.5f}" for each in samples)])
            print(f"  {group}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
