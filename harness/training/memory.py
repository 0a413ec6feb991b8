"""Memory of a device: its peak, and releasing what a failed computation holds."""

from __future__ import annotations

import gc
import traceback

import torch

from harness.errors import chain, is_out_of_memory
from harness.spec import Target


def peak_memory_bytes(target: Target) -> int | None:
    """The peak of device memory in tensors, in bytes; None if it has no memory of its own."""
    if target.device == "cuda" and torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if target.device == "xpu" and torch.xpu.is_available():
        return torch.xpu.max_memory_allocated()
    return None


def release(error: BaseException, target: Target) -> None:
    """Free the memory of a computation that ended in `error`, also on the target's device.

    The traceback refers to frames, and frames to tensors. So the frames are cleared and the
    traceback is removed; clearing alone leaves the variables that inner functions share.
    """
    for link in chain(error):
        traceback.clear_frames(link.__traceback__)
        link.__traceback__ = None
    gc.collect()
    if (
        is_out_of_memory(error) and target.device in EMPTY_CACHE
    ):  # after other errors the device may not work
        EMPTY_CACHE[target.device]()


EMPTY_CACHE = {
    "cuda": torch.cuda.empty_cache,
    "mps": torch.mps.empty_cache,
    "xpu": torch.xpu.empty_cache,
}
