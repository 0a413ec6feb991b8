"""The settings of torch's switches, and the settings that other code may have made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from harness.training.torch_state import SWITCHES

VALUES: dict[str, Any] = {
    "threads": 2,
    "default_dtype": torch.float64,
    "float32_matmul_precision": "medium",
    "conv_fp32_precision": "bf16",
    "rnn_fp32_precision": "bf16",
    "deterministic_algorithms": 2,
    "mkldnn_enabled": False,
    "flush_denormal": True,
    "flash_sdp": False,
    "math_sdp": False,
    "math_sdp_allow_fp16_bf16_reduction": True,
    "autocast_cpu": True,
    "autocast_cuda": True,
    "autocast_cache": False,
    "autocast_depth": 2,
    "anomaly_mode": True,
}


def snapshot() -> dict[str, Any]:
    """What every switch is set to now."""
    return {
        **{switch.name: switch.read() for switch in SWITCHES},
        "grad_enabled": torch.is_grad_enabled(),
        "inference_mode": torch.is_inference_mode_enabled(),
        "default_device": torch.get_default_device(),
    }


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Whatever is set inside is put back, in an order in which no switch changes another."""
    before = [(switch, switch.read()) for switch in SWITCHES]
    try:
        yield
    finally:
        for switch, value in reversed(before):
            switch.write(value)


@contextlib.contextmanager
def everything_changed() -> Iterator[None]:
    """Every switch at a foreign value, in blocks that change the rest; put back at the end."""
    with restored():
        for switch in SWITCHES:
            switch.write(VALUES[switch.name])
        with torch.device("meta"), torch.inference_mode():
            yield
