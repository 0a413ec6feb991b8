"""What a safetensors file says of itself, held against its size before anything is allocated.

The format: 8 bytes, the length of the header; the header, a JSON object; the numbers.
https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.files import reading
from harness.text.values import shown_path

LENGTH = 8
LONGEST = 100_000_000  # of a header: safetensors' own limit
MEND = "Mend: save the model again with `save_pretrained`, or `glue-bench fetch --again MODEL`"


def check(path: Path) -> None:
    """Raise `ModelError` where a file announces more than it holds. Raises `OSError`."""
    with reading.opened(path, reading.WEIGHTS) as stream:
        size = path.stat().st_size
        length = int.from_bytes(stream.read(LENGTH), "little")
        held = max(size - LENGTH, 0)
        if size < LENGTH:
            return  # nothing is announced: whoever loads it says that it is too short
        if length > min(held, LONGEST):
            raise ModelError(
                f"{shown_path(path)}: found {size:,} bytes, where a header of {length:,} bytes is "
                f"announced; expected a safetensors file. {MEND}"
            )
        try:
            header = json.loads(stream.read(length))
        except (ValueError, RecursionError) as error:
            raise ModelError(
                f"{shown_path(path)}: its header is no JSON: {type(error).__name__}; expected a "
                f"safetensors file. {MEND}"
            ) from error
    end = LENGTH + length + max((_end(told) for told in _tensors(header)), default=0)
    if end > size:
        raise ModelError(
            f"{shown_path(path)}: found {size:,} bytes, where tensors up to byte {end:,} are "
            f"announced: it was cut, or is no safetensors file. {MEND}"
        )


def _tensors(header: Any) -> list[Any]:
    told = header if isinstance(header, dict) else {}
    return [value for name, value in told.items() if name != "__metadata__"]


def _end(told: Any) -> int:
    """The byte behind a tensor's last one, counted from the header's end; 0 where it is not said.

    safetensors itself names what is wrong with a tensor.
    """
    offsets = told.get("data_offsets") if isinstance(told, dict) else None
    end = offsets[1] if isinstance(offsets, list) and len(offsets) == 2 else 0
    return end if isinstance(end, int) else 0
