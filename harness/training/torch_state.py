"""The process-wide switches that change what torch computes, and the state runs are defined in.

Whoever shares the process (a notebook, another test) may have set any of them. A run sets each to
the value below and puts back what it found. These are torch 2.13's: all that were found to change
results on a CPU, or may, and cuDNN's and cuBLAS's. Out of reach: what is read when torch is loaded
(`ATEN_CPU_CAPABILITY`, `MKL_CBWR`, `ONEDNN_*`, `OMP_*`), and hooks put into every module or tensor.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness.spec import Target


@dataclass(frozen=True)
class Switch:
    """One setting: how to read it, how to set it, and its value during a run."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    value: Any


def _flag(name: str, value: bool) -> Switch:
    # torch.backends.mkldnn and its like refuse assignments after `disable_global_flags`, which
    # importing torch's own test helpers calls; these do not.
    read, write = getattr(torch._C, f"_get_{name}"), getattr(torch._C, f"_set_{name}")
    return Switch(name, read, write, value)


def _fp32_precision(backend: str, op: str) -> Switch:
    # `torch.backends.mkldnn.fp32_precision` reads mkldnn's and sets everybody's.
    return Switch(
        f"{backend}.{op}.fp32_precision",
        lambda: torch._C._get_fp32_precision_getter(backend, op),
        lambda value: torch._C._set_fp32_precision_setter(backend, op, value),
        "none",
    )


def _attention(name: str) -> Switch:
    read = getattr(torch.backends.cuda, f"{name}_sdp_enabled")  # decides on a CPU too
    write = getattr(torch.backends.cuda, f"enable_{name}_sdp")
    return Switch(f"{name}_sdp", read, write, True)


def _cublas(name: str, value: bool) -> Switch:
    # The attribute can be set to all that torch keeps, and reads as a part of it.
    return Switch(
        f"cublas_{name}",
        getattr(torch._C, f"_get_cublas_{name}"),
        lambda value: setattr(torch.backends.cuda.matmul, name, value),
        value,
    )


def _autocast_depth() -> int:
    """How many `torch.autocast` blocks are open: rounded weights are kept until none is."""
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting()


def _set_autocast_depth(depth: int) -> None:
    for _ in range(_autocast_depth(), depth):
        torch.autocast_increment_nesting()
    for _ in range(depth, _autocast_depth()):
        torch.autocast_decrement_nesting()


def _float32_matmul_precision() -> str:
    """As torch says it: not at all while that of a single backend is another."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "contradicted"


SWITCHES = (
    Switch("threads", torch.get_num_threads, torch.set_num_threads, 1),
    Switch("default_dtype", torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    # What is set for all backends or operations shows in each that has nothing of its own, and the
    # last of these can be read only when none contradicts it: hence this order.
    _fp32_precision("generic", "all"),
    _fp32_precision("mkldnn", "all"),
    _fp32_precision("mkldnn", "matmul"),
    _fp32_precision("mkldnn", "conv"),
    _fp32_precision("mkldnn", "rnn"),
    _fp32_precision("cuda", "all"),
    _fp32_precision("cuda", "matmul"),
    Switch(
        "float32_matmul_precision", _float32_matmul_precision,
        torch.set_float32_matmul_precision, "highest",
    ),
    # Runs of BERT on a CPU are the same bit for bit without it.
    Switch(
        "deterministic_algorithms", torch.get_deterministic_debug_mode,
        torch.set_deterministic_debug_mode, 0,
    ),
    _flag("mkldnn_enabled", True),
    _flag("mkldnn_deterministic", False),
    _flag("nnpack_enabled", True),
    Switch(  # torch cannot be asked; the switch is the CPU's, and holds for Python's floats too
        "flush_denormal", lambda: sys.float_info.min / 2 == 0, torch.set_flush_denormal, False,
    ),
    _attention("flash"),
    _attention("mem_efficient"),
    _attention("math"),
    _attention("cudnn"),
    Switch(
        "math_sdp_allow_fp16_bf16_reduction",
        torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed,
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp, False,
    ),
    Switch(
        "mha_fastpath", torch.backends.mha.get_fastpath_enabled,
        torch.backends.mha.set_fastpath_enabled, True,
    ),
    Switch(
        "autocast_cpu", lambda: torch.is_autocast_enabled("cpu"),
        lambda value: torch.set_autocast_enabled("cpu", value), False,
    ),
    Switch(
        "autocast_cuda", lambda: torch.is_autocast_enabled("cuda"),
        lambda value: torch.set_autocast_enabled("cuda", value), False,
    ),
    Switch(
        "autocast_cache", torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled, True,
    ),
    Switch("autocast_depth", _autocast_depth, _set_autocast_depth, 0),
    Switch(  # a loss of NaN would be an error of torch's and not a run that diverged
        "anomaly_mode", torch.is_anomaly_enabled,
        lambda value: torch.set_anomaly_enabled(value, torch.is_anomaly_check_nan_enabled()), False,
    ),
    _flag("cudnn_enabled", True),
    _flag("cudnn_benchmark", False),
    _flag("cudnn_deterministic", False),
    _cublas("allow_fp16_reduced_precision_reduction", True),
    _cublas("allow_bf16_reduced_precision_reduction", True),
    _cublas("allow_fp16_accumulation", False),
)  # fmt: skip


@contextlib.contextmanager
def of_run(target: Target, *, threads: int, seed: int) -> Generator[None]:
    """Everything a run does happens in here: with the same switches, whatever they were before."""
    values = {
        "threads": threads,
        "float32_matmul_precision": "high" if target.tf32 else "highest",
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # and so with gradients
        stack.enter_context(_random_states(seed))
        for switch in SWITCHES:
            stack.callback(switch.write, switch.read())
            switch.write(values.get(switch.name, switch.value))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))  # slows each call down a little
        yield


@contextlib.contextmanager
def _random_states(seed: int) -> Generator[None]:
    """Seed Python's and NumPy's generators, for models that ask them; put all back, torch's too."""
    pythons, numpys = random.getstate(), np.random.get_state()
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(gpus):
            random.seed(seed)
            np.random.seed(seed % 2**32)
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)
