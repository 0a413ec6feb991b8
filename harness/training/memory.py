"""Memory of a device: its peak, whether an error says that it ran out, and giving it back."""

from __future__ import annotations

import gc
import traceback

import torch

from harness.errors import chain, is_out_of_memory
from harness.spec import Target


def peak_memory_bytes(target: Target) -> int | None:
    """The most device memory that tensors held; None where the device has none of its own."""
    if target.device == "cuda" and torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if target.device == "xpu" and torch.xpu.is_available():
        return torch.xpu.max_memory_allocated()
    return None


def release(error: BaseException, target: Target) -> None:
    """Give back what a computation held that ended in `error`, on the target's device too.

    A traceback holds the frames that it went through, and those their tensors. It is cleared and
    taken off; clearing alone leaves the variables that inner functions share.
    """
    for link in chain(error):
        traceback.clear_frames(link.__traceback__)
        link.__traceback__ = None
    gc.collect()
    if is_out_of_memory(error) and target.device in EMPTY_CACHE:  # any other may have broken it
        EMPTY_CACHE[target.device]()


EMPTY_CACHE = {
    "cuda": torch.cuda.empty_cache,
    "mps": torch.mps.empty_cache,
    "xpu": torch.xpu.empty_cache,
}
