"""Things that may lie where a file is expected, and files that nothing can read."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Make = Callable[[Path], None]
HUGE = 10**13  # bytes, ten thousand thousand million


def link(target: str) -> Make:
    return lambda path: path.symlink_to(target)


def content(raw: bytes) -> Make:
    return lambda path: path.write_bytes(raw) and None


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's whole path may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _sparse(path: Path) -> None:
    path.touch()
    with contextlib.suppress(OSError):  # a file system for smaller files
        os.truncate(path, HUGE)


def _chain(path: Path) -> None:
    path.with_name("pipe").unlink(missing_ok=True)
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


TRAPS: Mapping[str, Make] = {
    "a named pipe": lambda path: os.mkfifo(path),
    "a link to a named pipe": _chain,
    "a socket": _socket,
    "a folder": lambda path: path.mkdir(),
    "a sparse file of 10 TB": _sparse,
    "a link to zeros": link("/dev/zero"),
    "a link to random bytes": link("/dev/urandom"),
    "a link to nothing": link("/dev/null"),
    "a link to a full device": link("/dev/full"),
    "a link to the input": link("/dev/stdin"),
    "a link to a terminal": link("/dev/tty"),
    "a link to memory": link("/proc/self/mem"),
    "a link to the kernel's log": link("/proc/kmsg"),
    "a link to a folder": link("/"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link that dangles": link("not/there"),
}
"""What is no file; each stands in the place of one."""

NESTED = 100_000
JSON: Mapping[str, Make] = {
    name: content(raw)
    for name, raw in {
        "empty": b"", "deep lists": b"[" * NESTED + b"]" * NESTED,
        "deep objects": b'{"a":' * NESTED + b"1" + b"}" * NESTED,
        "deep and open": b"[" * NESTED, "a list": b"[1]", "a number": b"3", "null": b"null",
        "a text": b'"x"', "NaN": b"NaN", "half an object": b'{"model_type": "be',
        "no UTF-8": b'{"a": "\xff\xfe"}', "UTF-16": '{"a": 1}'.encode("utf-16"),
        "a long number": b'{"a": ' + b"9" * 5_000 + b"}", "zeros": b"\0" * 4_096,
        "a surrogate": b'{"a": "\\ud800"}', "a pickle": b"\x80\x04cos\nsystem\n(Vtrue\ntR.",
        "gzip": b"\x1f\x8b\x08" + b"\0" * 50, "HTML": b"<html>Log in</html>",
        "a mark": b"\xef\xbb\xbf{}",
    }.items()
}  # fmt: skip
"""What is no JSON, or none of an object."""

ODD = ([], {}, None, "x", -1, 0, 10**9, 10**13, 10**30, "x" * 100_000)
CONFIG_KEYS = (
    "model_type", "architectures", "hidden_size", "num_hidden_layers", "num_attention_heads",
    "intermediate_size", "vocab_size", "max_position_embeddings", "type_vocab_size", "id2label",
    "label2id", "dtype", "torch_dtype", "hidden_act", "layer_norm_eps", "initializer_range",
    "pad_token_id", "auto_map", "transformers_weights", "configuration_files", "num_labels",
    "problem_type", "quantization_config", "attn_implementation", "_name_or_path",
    "hidden_dropout_prob", "classifier_dropout", "finetuning_task", "transformers_version",
)  # fmt: skip
TOKENIZER_KEYS = (
    "tokenizer_class", "model_max_length", "auto_map", "added_tokens_decoder", "pad_token",
    "unk_token", "fast_tokenizer_files", "chat_template", "do_lower_case", "model_input_names",
    "extra_special_tokens", "padding_side",
)  # fmt: skip
CARD_KEYS = ("task", "texts", "labels", "max_length", "network", "method")


def changed(key: str, value: object) -> Make:
    """The JSON object that is there, with another value of a key."""

    def make(path: Path) -> None:
        said = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(said | {key: value}))

    return make


def odd_values(keys: tuple[str, ...]) -> dict[str, Make]:
    return {
        f"{key} = {str(value)[:12]} ({place})": changed(key, value)
        for key in keys
        for place, value in enumerate(ODD)
    }


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def tensor(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32", **more: Any) -> dict:
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}}


TENSORS: Mapping[str, Make] = {
    name: content(raw)
    for name, raw in {
        "empty": b"", "five bytes": b"12345", "a long header": safetensors({}, length=2**63),
        "the longest header": safetensors({}, length=2**64 - 1),
        "a header of 10 TB": safetensors({}, length=HUGE),
        "no JSON": safetensors(b"x" * 50), "a list": safetensors([1]), "a number": safetensors(3),
        "deep": safetensors(b"[" * NESTED + b"]" * NESTED), "no tensor": safetensors({}),
        "10 TB of numbers": safetensors(tensor((HUGE // 4,), (0, HUGE)), b"\0" * 8),
        "a shape of 10 TB": safetensors(tensor((HUGE,)), b"\0" * 8),
        "a shape past all numbers": safetensors(tensor((2**62, 2**62, 2**62)), b"\0" * 8),
        "a negative shape": safetensors(tensor((-2,)), b"\0" * 8),
        "negative offsets": safetensors(tensor(offsets=(-8, 0)), b"\0" * 8),
        "offsets turned round": safetensors(tensor(offsets=(8, 0)), b"\0" * 8),
        "offsets in words": safetensors(tensor(offsets="ab"), b"\0" * 8),
        "no offsets": safetensors({"w": {}}), "a tensor that is a number": safetensors({"w": 3}),
        "an unknown dtype": safetensors(tensor(dtype="X9"), b"\0" * 8),
        "cut": safetensors(tensor(), b"\0" * 4), "longer": safetensors(tensor(), b"\0" * 99),
        "twice": safetensors(b'{"w":1,"w":2}'), "a pickle": b"\x80\x04cos\nsystem\n(Vtrue\ntR.",
        "metadata that is a number": safetensors(tensor() | {"__metadata__": 3}, b"\0" * 8),
        "a zip": b"PK\x03\x04" + b"\0" * 64, "HTML": b"<html>Log in to the network</html>",
        "a pointer of git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    }.items()
}  # fmt: skip


def put(path: Path, make: Make) -> None:
    """Make something in the place of a file; what changes a file finds it there."""
    if not make.__qualname__.startswith("changed"):
        path.unlink(missing_ok=True)
    make(path)
