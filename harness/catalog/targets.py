"""Targets as rows: a device with a precision.

In `bf16` and `fp16`, autocast chooses the dtype of the arithmetic; parameters and optimizer states
stay fp32.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from harness.errors import UsageError
from harness.spec import Target
from harness.text.names import unknown

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
    "gpu": "cuda",
    "nvidia": "cuda",
    "rocm": "cuda",
    "metal": "mps",
    "apple": "mps",
    "intel": "xpu",
    "float32": "fp32",
    "float16": "fp16",
    "half": "fp16",
    "bfloat16": "bf16",
}
"""Other words that people write for a part of a target's name -> the part."""


def get(name: str) -> Target:
    """The row of a target. Raises `UsageError` with the targets that were probably meant."""
    if name not in TARGETS:
        raise UsageError(unknown("target", name, TARGETS, SYNONYMS))
    return TARGETS[name]


def fastest() -> tuple[str, ...]:
    """The one target that is probably the fastest on this machine."""
    targets = defaults()
    for name in ("cuda-bf16", "mps-fp32"):
        if name in targets:
            return (name,)
    return ("cpu-bf16",) if cpu_has_bf16() else ("cpu-fp32",)


BF16_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})
"""Linux's names of the instruction sets that have them: Intel's and AMD's, and ARM's `bf16`."""


def cpu_has_bf16() -> bool:
    """Whether this CPU has instructions for bf16 that oneDNN may use; False where that is unknown.

    AVX-512 alone has none: torch reports its bf16 kernels as supported there, but they are slow.
    `ONEDNN_MAX_CPU_ISA` can forbid the instructions to oneDNN, which multiplies torch's matrices.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    if not any(
        name in limit for name in ("ALL", "DEFAULT", "BF16", "FP16", "AMX", "AVX10", "VNNI_2")
    ):
        return False
    return not BF16_INSTRUCTIONS.isdisjoint(_cpu_flags())


def _cpu_flags() -> list[str]:
    """The words of /proc/cpuinfo, which include the CPU's instruction sets; empty elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return []


def defaults() -> tuple[str, ...]:
    """The targets that a profile selects on this machine where no option names one.

    This asks the operating system and not torch, because it is called while tests are collected. A
    worker whose torch cannot use the device reports that when the case runs. XPUs are not looked
    for: no file shows on every system that there is one.
    """
    names = ["cpu-fp32", "cpu-bf16"]
    if Path("/dev/nvidia0").exists():
        names += ["cuda-fp32", "cuda-bf16"]
    if sys.platform == "darwin" and platform.machine() == "arm64":
        names += ["mps-fp32"]
    return tuple(names)
