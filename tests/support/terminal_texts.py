"""Texts that a terminal, a CI service or `glue-bench import` would obey, and who obeys each."""

from __future__ import annotations

import io
import re
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pytest

from harness import cli
from harness.records import codec
from harness.spec import Case
from tests.support import printed_records
from tests.support.builders import record
from tests.support.hostile_names import NAMES

FORGED = codec.to_line(record(Case("sst2", "toy-bert", "cpu-fp32", 7)))
TEXTS = (
    "\x1b]0;gone\x07", "\x1b]0;gone\x1b\\", "\x1b]8;;http://e.org\x07x", "\x1b]52;c;eA==\x07",
    "\x1b[2J", "\x1b[H", "\x1b[?1049h", "\x1b[8mhidden", "\x1b[31mred\x1b[0m", "\x9b31m",
    "\x9d0;x\x9c", "\x1bP+q\x1b\\", "\x1bc", "\x07", "\x08\x08x", "a\x0bb", "a\x0cb", "\x7f",
    "x\r::error::y", "\r\n::error::x", "x\n::error file=a,line=1::y", "x\n \t::warning::y",
    "\u2003::error::x",
    "x\u2028::error::y", "x\x85::error::y", "::add-mask::1", "::stop-commands::x",
    "::set-env name=a::b",
    "##[error]x", "x ##[error]y", "###[group]x", "a ##vso[task.setvariable variable=a]b",
    "##VSO[task.complete]", "##teamcity[buildStatus text='x']",
    "x ##teamcity[buildStop comment='x']",
    "section_start:1:a\r\x1b[0Kx", "section_start:1:a", "travis_fold:start:a", "a\u202eb",
    "\u2066a\u2069", "a\u200fb", "\u061cx", "a\u200db", "\u2060", "\ufeff", "\U000e0041",
    "\udce9", "a\u00adb",
    f"x {FORGED}", FORGED,
)  # fmt: skip
EVERY = tuple(dict.fromkeys((*TEXTS, *NAMES)))


IMPORTED = "import: a record"


def unruly(shown: str, *, parted: bool = False) -> list[str]:
    """What of an output somebody would obey; none of it may be there.

    `parted`: Markdown, in which spaces of no width part what GitHub would act on.
    """
    found = [f"raw {one!a}" for one in sorted({*filter(_is_raw, shown)} - {"\u200b"})]
    if "\u200b" in shown and not parted:
        found.append("raw zero-width space")
    for line in re.split(r"\r\n|[\r\n]", shown):
        found += [f"{who}: {line[:90]!a}" for who, obeys in SERVICES.items() if obeys(line)]
    found += [
        "import: a record"
        for one in printed_records.records_in(shown)
        if not isinstance(one, Exception)
    ]
    return found


def _is_raw(one: str) -> bool:
    return unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") and one not in "\n\t"


SERVICES: dict[str, Callable[[str], object]] = {
    # ActionCommand.cs: TrimStart() and StartsWith; IndexOf
    "GitHub": lambda line: re.match(r"::.+::", line.lstrip()),
    "GitHub, old": lambda line: re.search(r"##\[.+\]", line),
    "Azure": lambda line: re.search(r"(?i)##vso\[.+\]|##\[\w+\]", line),
    "TeamCity": lambda line: re.search(r"(?i)##teamcity\[", line),
    "GitLab": lambda line: re.search(r"section_(start|end):\d+:[\w.-]+", line),
    "Travis": lambda line: re.search(r"travis_(fold|time):\w", line),
}


class Said(NamedTuple):
    """What a command came to: its exit code, both its streams, and an error nobody expected."""

    code: int
    out: str
    err: str
    error: str = ""


def faults(shown: Mapping[str, str]) -> dict[str, list[str]]:
    """What is unruly of each text that was shown in place of another."""
    return {ascii(text)[:80]: found for text, said in shown.items() if (found := unruly(said))}


def glue_bench(*args: str, encoding: str = "utf-8") -> Said:
    """The command in this process, with streams of bytes, as a pipe has them."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, newline="") for _ in range(2)]
    code, error = 0, ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["glue-bench", *args])
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        except Exception as unexpected:  # noqa: BLE001  (counted as a crash)
            code, error = -1, f"{type(unexpected).__name__}: {unexpected}"
            traceback.print_exc()  # as Python does, through what stands there by now
    for stream in streams:
        stream.flush()
    said = [stream.buffer.getvalue().decode(encoding) for stream in streams]  # ty: ignore[unresolved-attribute]
    return Said(code, said[0], said[1], error)


def typeable(texts: tuple[str, ...]) -> Iterator[str]:
    """Those that can stand on a command line: without NUL, half a surrogate pair only of bytes."""
    for text in texts:
        try:
            if b"\0" not in text.encode("utf-8", "surrogateescape"):
                yield text
        except UnicodeEncodeError:
            continue


def nameable(texts: tuple[str, ...]) -> Iterator[str]:
    """Those that a file or folder can be called."""
    for text in typeable(texts):
        if (
            "/" not in text
            and text not in ("", ".", "..")
            and len(text.encode("utf-8", "surrogateescape")) < 200
        ):
            yield text
