"""How this process gets memory from the system, and whether it gives it back."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
LARGE = 2**30  # bytes


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory of up to 1 GiB a piece for this process; whether it does.

    glibc maps each large tensor anew and gives it back when it is freed, so that in each training
    step the kernel clears and maps the same megabytes again.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE)) and bool(mallopt(M_TRIM_THRESHOLD, 2 * LARGE - 1))
