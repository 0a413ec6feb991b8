"""Targets as rows: a device with a precision.

`bf16` and `fp16` mean fp32 parameters and optimizer with autocast arithmetic.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from harness.errors import UsageError
from harness.names import unknown
from harness.spec import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("cpu-fp32", "cpu"),
        Target("cpu-bf16", "cpu", autocast="bfloat16"),
        Target("cuda-fp32", "cuda"),
        Target("cuda-tf32", "cuda", tf32=True),
        Target("cuda-bf16", "cuda", autocast="bfloat16"),
        Target("cuda-fp16", "cuda", autocast="float16"),
        Target("mps-fp32", "mps"),
        Target("mps-fp16", "mps", autocast="float16"),
        Target("xpu-bf16", "xpu", autocast="bfloat16"),
    )
}


SYNONYMS = {
    "gpu": "cuda", "nvidia": "cuda", "rocm": "cuda", "metal": "mps", "apple": "mps", "intel": "xpu",
    "float32": "fp32", "float16": "fp16", "half": "fp16", "bfloat16": "bf16",
}  # fmt: skip
"""What people write for a part of a target's name."""


def get(name: str) -> Target:
    """The row of a target. Raises `UsageError` with those that may be meant: a device's, say."""
    if name not in TARGETS:
        raise UsageError(unknown("target", name, TARGETS, SYNONYMS))
    return TARGETS[name]


def best() -> tuple[str, ...]:
    """The one target that this machine is likely to be fastest on, asked as `present` asks."""
    here = present()
    for name in ("cuda-bf16", "mps-fp32"):
        if name in here:
            return (name,)
    return ("cpu-bf16",) if _cpu_has_bf16() else ("cpu-fp32",)


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return False
    return not {"amx_bf16", "avx512_bf16", "bf16"}.isdisjoint(flags)


def present() -> tuple[str, ...]:
    """The targets a profile selects by itself on this machine.

    Asks the operating system, not torch, because this is called while tests are collected; a
    worker whose torch cannot use the device says so when the case runs.
    """
    names = ["cpu-fp32", "cpu-bf16"]
    if Path("/dev/nvidia0").exists():
        names += ["cuda-fp32", "cuda-bf16"]
    if sys.platform == "darwin" and platform.machine() == "arm64":
        names += ["mps-fp32"]
    return tuple(names)
