"""What a worker prints: a file that it writes to, read as it grows.

A worker's text is not ours: the marks of `glue-bench import` are spelt otherwise in it.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

from harness.log_marks import Speller, spelt_out

Echo = Callable[[str, str], None]
"""Called with a case's id and what its worker printed since the last call."""


class WorkerLog:
    """The file that a worker's standard output and standard error go to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_bytes = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._spell = Speller()
        path.touch()

    def new_text(self) -> str:
        """What was printed since the last call, without a character that is only half there."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_bytes)
                content = file.read()
        except OSError:  # `text` says so
            return ""
        self._read_bytes += len(content)
        return self._spell(self._decode(content))

    def text(self) -> str:
        """All that was printed so far. A run is not lost with its temporary folder."""
        try:
            return spelt_out(self.path.read_text("utf-8", errors="replace"))
        except OSError as error:
            return f"its output cannot be read: {error}\n"


def prefixed(text: str, name: str) -> str:
    """`text` with `[name] ` before each line; the last line ends with a line break."""
    return "".join(f"[{name}] {line}\n" for line in text.splitlines())
