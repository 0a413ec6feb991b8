"""The settings of a process that change what torch computes, as a run needs them.

Whoever shares the process (a notebook, another test) may have changed them. A run sets each to the
value below and puts back what it found. The rows are the settings that were seen to change a run
on a CPU or to break it, and the precision of fp32 products, which a target decides. A run in a
process of its own (`engine="process"`) starts with all of torch's settings as torch sets them.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from harness.errors import UsageError
from harness.spec import Target

Value = Any  # each switch has values of a type of its own: int, bool, str, torch.dtype


@dataclass(frozen=True)
class Switch:
    """One setting: how to read it, how to set it, and its value during a run."""

    name: str
    read: Callable[[], Value]
    write: Callable[[Value], object]
    value: Value

    @contextlib.contextmanager
    def at(self, value: Value) -> Generator[None]:
        """A block in which the setting has this value."""
        before = self.read()
        if before == value:  # some setters change more than can be read, so do not touch it
            yield
            return
        self.write(value)
        try:
            yield
        finally:
            self.write(before)


def _float32_matmul_precision() -> str:
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        raise UsageError(
            "the precision of fp32 products (torch.backends.*.fp32_precision) was set in this "
            'process for some of torch\'s backends. Fix: do not set it, or say engine="process"'
        ) from None


def _autocast_depth() -> int:
    """How many `torch.autocast` blocks are open: rounded weights are kept until none is."""
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting()


def _set_autocast_depth(depth: int) -> None:
    for _ in range(_autocast_depth(), depth):
        torch.autocast_increment_nesting()
    for _ in range(depth, _autocast_depth()):
        torch.autocast_decrement_nesting()


def _autocast(device: str) -> Switch:
    return Switch(
        f"autocast_{device}",
        partial(torch.is_autocast_enabled, device),
        partial(torch.set_autocast_enabled, device),
        False,
    )


def _onednn_precision(operation: str) -> Switch:
    """How oneDNN rounds the fp32 inputs of an operation on the CPU."""
    backend = getattr(torch.backends.mkldnn, operation)
    return Switch(
        f"{operation}_fp32_precision",
        lambda: backend.fp32_precision,
        lambda value: setattr(backend, "fp32_precision", value),
        "ieee",
    )


_cuda = torch.backends.cuda  # what it says of attention decides on a CPU too

SWITCHES = (
    Switch("threads", torch.get_num_threads, torch.set_num_threads, 1),
    Switch("default_dtype", torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    Switch(
        "float32_matmul_precision",
        _float32_matmul_precision,
        torch.set_float32_matmul_precision,
        "highest",
    ),
    _onednn_precision("conv"),
    _onednn_precision("rnn"),
    Switch(  # 2 makes an error of each operation that has no deterministic kernel
        "deterministic_algorithms",
        torch.get_deterministic_debug_mode,
        torch.set_deterministic_debug_mode,
        0,
    ),
    Switch(
        "mkldnn_enabled",
        lambda: torch.backends.mkldnn.enabled,
        lambda value: setattr(torch.backends.mkldnn, "enabled", value),
        True,
    ),
    Switch(  # torch cannot be asked; the switch is the CPU's, and holds for Python's floats too
        "flush_denormal",
        lambda: sys.float_info.min / 2 == 0,
        torch.set_flush_denormal,
        False,
    ),
    Switch("flash_sdp", _cuda.flash_sdp_enabled, _cuda.enable_flash_sdp, True),
    Switch("math_sdp", _cuda.math_sdp_enabled, _cuda.enable_math_sdp, True),
    Switch(
        "math_sdp_allow_fp16_bf16_reduction",
        _cuda.fp16_bf16_reduction_math_sdp_allowed,
        _cuda.allow_fp16_bf16_reduction_math_sdp,
        False,
    ),
    _autocast("cpu"),
    _autocast("cuda"),
    Switch(
        "autocast_cache", torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled, True
    ),
    Switch("autocast_depth", _autocast_depth, _set_autocast_depth, 0),
    Switch(  # with it, a loss of NaN is an error of torch's and not a run that diverged
        "anomaly_mode",
        torch.is_anomaly_enabled,
        lambda value: torch.set_anomaly_enabled(value, torch.is_anomaly_check_nan_enabled()),
        False,
    ),
)


@contextlib.contextmanager
def of_run(target: Target, *, threads: int, seed: int) -> Generator[None]:
    """The block that a run happens in: every switch has its value for runs, and is restored.

    Raises `UsageError` if torch cannot tell the value of one of them.
    """
    values = {
        "threads": threads,
        "float32_matmul_precision": "high" if target.tf32 else "highest",
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # a caller may be in inference mode
        stack.enter_context(_random_states(seed))
        for switch in SWITCHES:
            stack.enter_context(switch.at(values.get(switch.name, switch.value)))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))  # slows each call down a little
        yield


@contextlib.contextmanager
def _random_states(seed: int) -> Generator[None]:
    """Seed Python's and NumPy's generators, which some models use; restore them and torch's."""
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
