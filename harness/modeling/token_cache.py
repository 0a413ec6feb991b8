"""Keeps the tokens of large splits in files, so that the next run with the same rows reads them.

To tokenize MNLI's 393,000 pairs takes about a minute, and to read their tokens 3 s. A file is named
by a hash of all that decides the tokens: the rows, the tokenizer as it is in memory, the limits,
and the versions of what computes them. It begins with a checksum; a file that is damaged counts as
missing. A cache that cannot be read or written is no error.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken

from harness.files import paths, reading
from harness.files.disk import DISK, make_folders, replace_file
from harness.modeling import tokenization
from harness.modeling.library_types import Tokenizer
from harness.modeling.tokenization import Encoded
from harness.system import environment

VARIABLE = "GLUE_BENCH_CACHE"
"""A variable of the environment: the folder that holds caches, or `off`."""
FORMAT = 1
LEAST_ROWS = 10_000
"""Fewer rows take less than a second to tokenize."""
PART = 5_000
"""Rows tokenized at a time. A library's lists of numbers take ten times the memory of arrays."""
MOST_BYTES = 4 * reading.GB
"""The files that were not used for the longest time are removed beyond this."""
SUFFIX = ".tokens"
FILE = reading.Kind("a file of tokens", MOST_BYTES)
ABANDONED_S = 86_400.0
"""A temporary file as old as this was left behind by a process that was killed."""
DIGEST_BYTES = 32
NO_STATE = ("_tokenizer", "deprecation_warnings")  # the backend; which warnings were printed


def encode(
    tokenizer: Tokenizer,
    texts: Sequence[tuple[str, ...]],
    max_length: int,
    extra_padding: int = 0,
    *,
    fixed: bool = False,
) -> Encoded:
    """What `tokenization.encode` returns for the same arguments, read from the cache if it can be.

    Raises as that does.
    """
    compute = functools.partial(_in_parts, tokenizer, texts, max_length, extra_padding, fixed=fixed)
    limits = {"max_length": max_length, "extra_padding": extra_padding, "fixed": fixed}
    cache = folder() if len(texts) >= LEAST_ROWS else None
    key = key_of(tokenizer, texts, limits) if cache else None
    if cache is None or key is None:
        return compute()
    path = cache / f"{key}{SUFFIX}"
    if (found := _read(path, key)) is not None:
        return found
    encoded = compute()
    with contextlib.suppress(OSError):  # it may be read-only or full: the run goes on without
        make_folders(DISK, cache)
        replace_file(DISK, path, to_bytes(encoded, key))
        _prune(cache)
    return encoded


def folder() -> Path | None:
    """The folder of the cache; None if it is switched off or has no place."""
    said = os.environ.get(VARIABLE)
    if said:
        return None if said == "off" else Path(said).absolute() / "tokens"
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).absolute() / "glue-bench" / "tokens"
    home = paths.home()
    return home / ".cache" / "glue-bench" / "tokens" if home else None


def key_of(
    tokenizer: Tokenizer, texts: Sequence[tuple[str, ...]], limits: Mapping[str, object]
) -> str | None:
    """The sha256 of all that decides the tokens; None if a tokenizer's state cannot be told.

    It is told of tokenizers that are written in Rust and have plain values as their attributes.
    """
    description = _description(tokenizer)
    if description is None:
        return None
    content = json.dumps(
        {
            "format": FORMAT,
            "rows": hashlib.sha256(json.dumps([*texts]).encode()).hexdigest(),
            "tokenizer": description,
            "limits": dict(limits),
            "versions": {
                name: environment.version(name) for name in ("transformers", "tokenizers")
            },
            "glue-bench_sha256": environment.sources_sha256(),
        },
        sort_keys=True,
    )
    return hashlib.sha256(content.encode()).hexdigest()


def _description(tokenizer: Tokenizer) -> object:
    kind = type(tokenizer)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not kind.__module__.startswith("transformers."):
        return None
    pipeline = json.loads(backend.to_str())
    for state in ("truncation", "padding"):  # of the last call; each call sets them
        pipeline.pop(state, None)
    attributes = {name: value for name, value in vars(tokenizer).items() if name not in NO_STATE}
    given = getattr(tokenizer, "init_kwargs", {})
    attributes["init_kwargs"] = {n: value for n, value in given.items() if n != "local_files_only"}
    try:
        spelt = json.dumps(attributes, sort_keys=True, default=_spelt)
    except (TypeError, ValueError):
        return None
    whole = getattr(backend, "encode_special_tokens", None)  # not in the backend's JSON
    return [kind.__module__, kind.__qualname__, pipeline, whole, spelt]


def _spelt(value: object) -> str:
    if isinstance(value, AddedToken):
        return repr(value)
    raise TypeError(f"{type(value)}: no plain value")


def _in_parts(
    tokenizer: Tokenizer,
    texts: Sequence[tuple[str, ...]],
    max_length: int,
    extra_padding: int,
    *,
    fixed: bool,
) -> Encoded:
    """The tokens of all rows, computed for `PART` rows at a time."""
    parts = [
        tokenization.encode(
            tokenizer, texts[start : start + PART], max_length, extra_padding, fixed=fixed
        )
        for start in range(0, max(1, len(texts)), PART)
    ]
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([part.starts[-1] for part in parts])
    starts = [
        part.starts[1:] + end - part.starts[-1] for part, end in zip(parts, ends, strict=True)
    ]
    first = parts[0]
    return Encoded(
        columns={
            name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns
        },
        starts=np.concatenate([first.starts[:1], *starts]),
        padding=first.padding,
        pad_left=first.pad_left,
        truncated=sum(part.truncated for part in parts),
        extra_padding=first.extra_padding,
        width=first.width,
    )


def to_bytes(encoded: Encoded, key: str) -> bytes:
    """The content of a file: a checksum, a line of JSON, and arrays in their smallest dtypes."""
    arrays = {"starts": encoded.starts, **{f"column {n}": a for n, a in encoded.columns.items()}}
    small = {name: np.ascontiguousarray(_smallest(array)) for name, array in arrays.items()}
    about = {
        "key": key,
        "arrays": [[name, array.dtype.str, len(array)] for name, array in small.items()],
        "padding": dict(encoded.padding),
        "pad_left": encoded.pad_left,
        "truncated": encoded.truncated,
        "extra_padding": encoded.extra_padding,
        "width": encoded.width,
    }
    content = b"\n".join(
        [json.dumps(about).encode(), b"".join(a.tobytes() for a in small.values())]
    )
    return hashlib.sha256(content).digest() + content


def _smallest(array: np.ndarray) -> np.ndarray:
    low, high = (int(array.min()), int(array.max())) if len(array) else (0, 0)
    return array.astype(np.result_type(np.min_scalar_type(low), np.min_scalar_type(high)))


def from_bytes(raw: bytes, key: str) -> Encoded | None:
    """What a file holds; None if it is damaged, or of another key."""
    content = memoryview(raw)[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != raw[:DIGEST_BYTES]:
        return None
    end = raw.index(b"\n", DIGEST_BYTES)
    about: dict[str, Any] = json.loads(raw[DIGEST_BYTES:end])
    if about["key"] != key:
        return None
    arrays, place = {}, end + 1
    for name, dtype, length in about["arrays"]:
        array = np.frombuffer(raw, dtype=np.dtype(dtype), count=length, offset=place)
        arrays[name] = array.astype(np.int64)
        place += array.nbytes
    return Encoded(
        columns={n.removeprefix("column "): a for n, a in arrays.items() if n != "starts"},
        starts=arrays["starts"],
        padding=about["padding"],
        pad_left=about["pad_left"],
        truncated=about["truncated"],
        extra_padding=about["extra_padding"],
        width=about["width"],
    )


def _read(path: Path, key: str) -> Encoded | None:
    with contextlib.suppress(OSError):
        found = from_bytes(reading.read(path, FILE), key)
        with contextlib.suppress(PermissionError):
            os.utime(path)  # used now: `_prune` removes what was not used for the longest time
        return found
    return None


def _prune(cache: Path) -> None:
    """Remove abandoned temporary files, and the oldest beyond `MOST_BYTES`. Raises `OSError`."""
    left = MOST_BYTES
    files = [(path, path.stat()) for path in cache.iterdir()]
    for path, status in sorted(files, key=lambda each: each[1].st_mtime, reverse=True):
        if path.suffix == SUFFIX:
            left -= status.st_size
            if left < 0:
                path.unlink(missing_ok=True)
        elif path.suffix == ".tmp" and time.time() - status.st_mtime > ABANDONED_S:
            path.unlink(missing_ok=True)
