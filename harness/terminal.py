"""The door: every text of glue-bench that goes to a terminal or a log goes out through here.

Names, reasons, rows and messages of libraries are other people's words. Whatever a terminal would
obey in them, what reorders a line or is not seen, and what a CI service or `glue-bench import`
would read in a log is spelt out (`escape.harmless`). Line ends and tabs stay.

`say` prints a text. `say_document` prints the content of a file, which its format made harmless.
`say_record` prints a record's own line. `Door` stands before a stream that others print on, too.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import warnings
from collections.abc import Generator
from typing import Any, TextIO, cast

from harness.errors import StorageError
from harness.text.escape import Speller, harmless

_CODE = "(?:0?[0-57]|2[2-9]|3[0-79]|4[0-79]|9[0-7]|10[0-7])"
COLOUR = rf"\x1b\[(?:{_CODE}(?:;{_CODE})*)?m"
"""What sets colours and weights; not what hides a text."""
COLOURS = re.compile(COLOUR)
DRAWING = re.compile(rf"\A(?:{COLOUR})*\r|{COLOUR}|\x1b\[[AK]|\x1b\]9;4;\d(?:;\d+)?\x1b\\")
"""What pytest and progress bars draw with on a terminal: also back to the start of the line."""
BAR = re.compile(r"\A\r|\x1b\[A")
"""Likewise, of progress bars alone."""


def say(text: str = "", *, err: bool = False) -> None:
    """Print a text and a line end on standard output, or on standard error, at once."""
    _print(f"{harmless(text)}\n", err=err)


def say_part(text: str) -> None:
    """Print the next part of what a worker printed; `WorkerLog` made it harmless as a whole."""
    _print(text)


def write_above_bars(text: str) -> None:
    """`say_part`, above the progress bars that stand on the terminal."""
    from tqdm import tqdm

    tqdm.write(encodable(text, sys.stdout), file=sys.stdout, end="")
    sys.stdout.flush()


def say_record(line: str) -> None:
    """Print a record's line as it is, from which `glue-bench import` reads it back.

    On standard error where standard output takes nothing, as on a full disk. Raises `OSError`.
    """
    try:
        _print(f"\n{line}\n")
    except OSError:
        _print(f"\n{line}\n", err=True)


def say_document(text: str) -> None:
    """Print a file's content; into another file or a pipe as UTF-8, byte for byte."""
    stream = sys.stdout
    if isinstance(stream, Door):
        stream.write_document(text)
    elif stream is not None:
        Door(stream).write_document(text)


def flush() -> None:
    """Have what was printed written now."""
    if sys.stdout is not None:
        sys.stdout.flush()


def warn(text: str, stacklevel: int = 1) -> None:
    """Warn the caller of the function that calls this; Python prints it as it is."""
    warnings.warn(harmless(text), stacklevel=stacklevel + 2)


def _print(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    if stream is not None:  # a process may have been started without it
        stream.write(encodable(text, stream))
        stream.flush()


def encodable(text: str, stream: Any) -> str:
    """`text` with what the stream's encoding lacks spelt out."""
    encoding = getattr(stream, "encoding", None)
    if not isinstance(encoding, str) or text.isascii():
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)


class Door:
    """A text stream through which only harmless text reaches the one behind it.

    `passed` matches what is let through as it is. It has no `buffer`: no bytes get past it.
    """

    def __init__(self, stream: TextIO, passed: re.Pattern[str] | None = None) -> None:
        self.stream = stream
        self._spelt = Speller(passed)
        self._returns = passed is not None and bool(passed.match("\r"))
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Write `text`, harmless; returns its length."""
        with self._lock:
            if text.startswith("\r") and not self._returns:  # a bar, in a log: a line each time
                text = f"\n{text[1:]}"
            self.put(encodable(self._spelt(text), self.stream))
        return len(text)

    def let_through(self, text: str) -> None:
        """Let this text pass from now on, as it is."""
        self._spelt.let_through(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def write_document(self, text: str) -> None:
        """Write a file's content, which its format made harmless."""
        buffer = getattr(self.stream, "buffer", None)
        if buffer is None or self.stream.isatty():
            self.put(encodable(text, self.stream))
        else:
            self.flush()
            self.put(text.encode(), buffer)
        self.flush()

    def put(self, content: str | bytes, stream: Any = None) -> None:
        """Hand text, or bytes, to the stream behind."""
        target: Any = stream or self.stream
        target.write(content)

    def flush(self) -> None:
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        if name in ("buffer", "stream"):
            raise AttributeError(name)
        return getattr(self.stream, name)


class _CommandDoor(Door):
    """A command's own: when nobody reads any more, it goes on to its exit code in silence.

    Raises `StorageError` where standard output can't be written for another reason.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream, BAR if stream.isatty() else None)
        self._name, self._is_lost = name, False
        self._error: StorageError | None = None

    def put(self, content: str | bytes, stream: Any = None) -> None:
        if not self._is_lost:
            with self._losing():
                super().put(content, stream)

    def flush(self) -> None:
        if self._error:  # again: typer has no ear for what its first, empty write raises
            raise self._error
        if not self._is_lost:
            with self._losing():
                super().flush()

    @contextlib.contextmanager
    def _losing(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            self._is_lost = True
            self._point_nowhere()
            if isinstance(error, BrokenPipeError) or self._name != "standard output":
                return
            self._error = StorageError(
                f"{self._name}: could not write: {error.strerror or error}. Mend: make room there, "
                "or send it elsewhere"
            )
            raise self._error from error

    def _point_nowhere(self) -> None:
        """Let what is still buffered go: Python writes it when it ends, and would complain."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def command() -> Generator[None]:
    """Standard output and standard error behind doors, as long as a command runs.

    They stay where an error is not expected: Python prints its traceback through them.
    """
    with _replaced(_CommandDoor, "standard output", "standard error"):
        yield


@contextlib.contextmanager
def doors() -> Generator[None]:
    """Standard output and standard error behind doors, while a library works in this process."""
    with _replaced(lambda stream, _: Door(stream, DRAWING if stream.isatty() else None), "", ""):
        yield


@contextlib.contextmanager
def _replaced(door: Any, *names: str) -> Generator[None]:
    before = sys.stdout, sys.stderr
    made = [
        stream if stream is None or isinstance(stream, Door) else door(stream, name)
        for stream, name in zip(before, names, strict=True)
    ]
    sys.stdout, sys.stderr = (cast("TextIO", one) for one in made)
    keep = False
    try:
        yield
    except Exception:
        keep = door is _CommandDoor
        raise
    finally:
        # Whoever else put a stream there, as pytest does while it captures, takes it away again.
        if not keep and sys.stdout is made[0]:
            sys.stdout = before[0]
        if not keep and sys.stderr is made[1]:
            sys.stderr = before[1]
