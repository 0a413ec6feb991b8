"""What a worker prints: a file that it writes to, read as it grows."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable
from pathlib import Path

from harness.escape import Speller, harmless

Echo = Callable[[str, str], None]
"""Called with a case's id and what its worker printed since the last call."""


class WorkerLog:
    """The file that a worker's standard output and standard error go to.

    Libraries print what stands in a model's files: what is read of it is harmless. A progress
    bar's carriage returns become line ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_bytes = 0
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._decode = io.IncrementalNewlineDecoder(decoder, translate=True).decode
        self._spelt = Speller()
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
        return self._spelt(self._decode(content))

    def text(self) -> str:
        """All that was printed so far. A run is not lost with its temporary folder."""
        try:
            return harmless(self.path.read_text("utf-8", errors="replace"))
        except OSError as error:
            return f"its output cannot be read: {error}\n"


def prefixed(text: str, name: str) -> str:
    """`text` with `[name] ` before each line; the last line ends with a line break."""
    return "".join(f"[{name}] {line}\n" for line in text.splitlines())
