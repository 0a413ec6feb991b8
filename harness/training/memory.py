"""Memory of a device: its peak, and releasing what a failed computation holds."""

from __future__ import annotations

import gc
import traceback

from harness.errors import chain, is_out_of_memory
from harness.spec import Target
from harness.training.device import BACKENDS


def peak_memory_bytes(target: Target) -> int | None:
    """The peak of device memory in tensors, in bytes; None if it has no memory of its own."""
    backend = BACKENDS[target.device]
    if backend.peak_memory_bytes is None or not backend.is_available():
        return None
    return backend.peak_memory_bytes()


def release(error: BaseException, target: Target) -> None:
    """Free the memory of a computation that ended in `error`, also on the target's device.

    The traceback refers to frames, and frames to tensors. So the frames are cleared and the
    traceback is removed; clearing alone leaves the variables that inner functions share.
    """
    for link in chain(error):
        traceback.clear_frames(link.__traceback__)
        link.__traceback__ = None
    gc.collect()
    if is_out_of_memory(error):  # after an error of another kind the device may not work
        BACKENDS[target.device].empty_cache()
