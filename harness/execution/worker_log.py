"""What a worker prints: an unnamed file that it writes to, read while it grows."""

from __future__ import annotations

import codecs
import io
import os
import tempfile
from collections.abc import Callable

from harness.text.escape import Speller, harmless

LONGEST_BYTES = 4 << 20
"""Of a longer log the end is kept, since errors stand there."""

Echo = Callable[[str, str], None]
"""Called with a case's id and what its worker printed since the last call."""


class WorkerLog:
    """The file that a worker's standard output and standard error go to. Raises `OSError`.

    Libraries print text from a model's files, so control characters are escaped when it is read.
    Carriage returns, as progress bars print them, become line ends.
    """

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  (`close` closes it)
        self._read_bytes = 0
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._decode = io.IncrementalNewlineDecoder(decoder, translate=True).decode
        self._spelt = Speller()

    def new_text(self) -> str:
        """What was printed since the last call, up to the last complete character."""
        content = self._content(self._read_bytes)
        self._read_bytes += len(content)
        return self._spelt(self._decode(content))

    def text(self) -> str:
        """All that was printed so far, or its end."""
        left_out = max(0, os.fstat(self.file.fileno()).st_size - LONGEST_BYTES)
        note = f"({left_out:,} bytes before this are left out)\n" if left_out else ""
        content = self._content(left_out).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return note + harmless(content.decode("utf-8", errors="replace"))

    def close(self) -> None:
        """Close the file, which removes it."""
        self.file.close()

    def _content(self, start: int) -> bytes:
        # Not `read`: the worker shares this descriptor, and would go on writing where we read.
        return os.pread(self.file.fileno(), LONGEST_BYTES, start)


def prefixed(text: str, name: str) -> str:
    """`text` with `[name] ` before each line; the last line ends with a line break."""
    return "".join(f"[{name}] {line}\n" for line in text.splitlines())
