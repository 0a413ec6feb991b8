"""How a CPU multiplies bf16 matrices: natively, or upcast to fp32, whichever is faster."""

from __future__ import annotations

import functools
import time
from typing import Literal

import torch

from harness.catalog import targets

TOKENS, WIDTH = 64, 384  # of the products that are timed: those of a small step
ROUNDS = 12
BUDGET_S = 0.2  # torch's kernels for old CPUs are a thousand times slower
CLEARLY = 1.5
"""What the CPU's flags say holds unless the other way is so many times as fast.

Near a tie, two runs on one machine would else round differently.
"""

Products = Literal["native", "upcast"]


@functools.cache
def native_speed() -> float | None:
    """How many times as fast native products are as upcast ones, measured once per process.

    Of each the fastest round counts. None where torch has no kernels for them.
    """
    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return None
    values = torch.ones(TOKENS, WIDTH, dtype=torch.bfloat16)
    weight = torch.ones(WIDTH, WIDTH, dtype=torch.bfloat16)
    native = upcast = float("inf")
    began = time.perf_counter()
    for round_ in range(ROUNDS):
        start = time.perf_counter()
        torch.mm(values, weight)
        middle = time.perf_counter()
        torch.mm(values.float(), weight.float()).bfloat16()
        end = time.perf_counter()
        if round_:  # the first allocates, and chooses kernels
            native, upcast = min(native, middle - start), min(upcast, end - middle)
        if round_ and end - began > BUDGET_S:
            break
    return upcast / native


def products() -> Products:
    """How this CPU's bf16 products are computed."""
    speed = native_speed()
    if speed is None:
        return "upcast"
    needed = 1 / CLEARLY if targets.cpu_has_bf16() else CLEARLY
    return "native" if speed >= needed else "upcast"
