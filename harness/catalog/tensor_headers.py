"""Check that a safetensors file is as large as its header says, before anything is allocated.

The format: 8 bytes with the length of the header; the header, which is a JSON object; the numbers.
Source: https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
from pathlib import Path

from harness.errors import ModelError
from harness.files import reading
from harness.text.values import shown_path

LENGTH = 8  # bytes
LONGEST = 100_000_000  # bytes of a header: safetensors' own limit
FIX = "Fix: save the model again with `save_pretrained`, or `glue-bench fetch --again MODEL`"


def check(path: Path) -> None:
    """Raise `ModelError` where a file is shorter than its header says. Raises `OSError` too."""
    with reading.opened(path, reading.WEIGHTS) as stream:
        size = path.stat().st_size
        length = int.from_bytes(stream.read(LENGTH), "little")
        held = max(size - LENGTH, 0)
        if size < LENGTH:
            return  # safetensors itself reports that it is too short
        if length > min(held, LONGEST):
            raise ModelError(
                f"{shown_path(path)}: found {size:,} bytes, and a header of {length:,} bytes is "
                f"announced; expected a safetensors file. {FIX}"
            )
        try:
            header = json.loads(stream.read(length))
        except (ValueError, RecursionError) as error:
            raise ModelError(
                f"{shown_path(path)}: its header is not JSON: {type(error).__name__}; expected a "
                f"safetensors file. {FIX}"
            ) from error
    end = LENGTH + length + max(map(_end, _tensors(header)), default=0)
    if end > size:
        raise ModelError(
            f"{shown_path(path)}: found {size:,} bytes, and tensors up to byte {end:,} are "
            f"announced: it was cut, or is not a safetensors file. {FIX}"
        )


def _tensors(header: object) -> list[object]:
    """What a header says of each tensor."""
    entries = header if isinstance(header, dict) else {}
    return [value for name, value in entries.items() if name != "__metadata__"]


def _end(tensor: object) -> int:
    """Where a tensor ends, in bytes from the end of the header; 0 where the header does not say.

    What else is wrong with a tensor, safetensors itself reports.
    """
    offsets = tensor.get("data_offsets") if isinstance(tensor, dict) else None
    end = offsets[1] if isinstance(offsets, list) and len(offsets) == 2 else 0
    return end if isinstance(end, int) else 0
