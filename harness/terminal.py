"""All text that glue-bench prints goes to the terminal or a log through this module.

Names, reasons, rows and messages of libraries come from elsewhere. In them, everything is escaped
that a terminal would obey, that reorders a line or cannot be seen, and that a CI service or
`glue-bench import` would read in a log (`escape.harmless`). Line ends and tabs stay.

`say` prints a text. `say_document` prints the content of a file, which its format made harmless.
`say_record` prints the line of a record. A `Door` is a stream that makes harmless what anybody
writes to it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable
from typing import Any, BinaryIO, TextIO, cast

from harness.errors import StorageError
from harness.text.escape import Speller, harmless

_CODE = "(?:0?[0-57]|2[2-9]|3[0-79]|4[0-79]|9[0-7]|10[0-7])"
COLOUR = rf"\x1b\[(?:{_CODE}(?:;{_CODE})*)?m"
"""Escape sequences that set a colour or weight; none that hides text."""
COLOURS = re.compile(COLOUR)
DRAWING = re.compile(rf"\A(?:{COLOUR})*\r|{COLOUR}|\x1b\[[AK]|\x1b\]9;4;\d(?:;\d+)?\x1b\\")
"""What pytest and progress bars use on a terminal, including a return to the line's start."""
BAR = re.compile(r"\A\r|\x1b\[A")
"""What only progress bars use."""


def say(text: str = "", *, err: bool = False) -> None:
    """Print a text and a line end on standard output or standard error, without delay."""
    _print(f"{harmless(text)}\n", err=err)


def say_part(text: str) -> None:
    """Print the next part of a worker's output, which `WorkerLog` made harmless as a whole."""
    _print(text)


def write_above_bars(text: str) -> None:
    """As `say_part`, but above the progress bars on the terminal."""
    from tqdm import tqdm

    tqdm.write(encodable(text, sys.stdout), file=sys.stdout, end="")
    sys.stdout.flush()


def say_record(line: str) -> None:
    """Print a record's line unchanged, so that `glue-bench import` can read it.

    It goes to standard error if standard output cannot be written, as on a full disk. Raises
    `OSError`.
    """
    try:
        _print(f"\n{line}\n")
    except OSError:
        _print(f"\n{line}\n", err=True)


def say_document(text: str) -> None:
    """Print a file's content; to a file or a pipe it goes as UTF-8, byte for byte."""
    stream = sys.stdout
    if isinstance(stream, Door):
        stream.write_document(text)
    elif stream is not None:
        Door(stream).write_document(text)


def flush() -> None:
    """Write what is still buffered."""
    if sys.stdout is not None:
        sys.stdout.flush()


def warn(text: str, stacklevel: int = 1) -> None:
    """Warn the caller of the function that calls this one."""
    warnings.warn(harmless(text), stacklevel=stacklevel + 2)


def _print(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    if stream is not None:  # a process may be started without it
        stream.write(encodable(text, stream))
        stream.flush()


def encodable(text: str, stream: object) -> str:
    """`text`, with an escape for each character that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None)
    if not isinstance(encoding, str) or text.isascii():
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)


class Door:
    """A text stream that passes only harmless text on to the stream behind it.

    Text that `passed` matches goes through unchanged. It has no `buffer`, so no bytes get past it.
    """

    def __init__(self, stream: TextIO, passed: re.Pattern[str] | None = None) -> None:
        self.stream = stream
        self._spelt = Speller(passed)
        self._returns = passed is not None and bool(passed.match("\r"))
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Write `text`, made harmless; returns its length."""
        with self._lock:
            if text.startswith("\r") and not self._returns:  # a progress bar in a log
                text = f"\n{text[1:]}"
            self.put(encodable(self._spelt(text), self.stream))
        return len(text)

    def let_through(self, text: str) -> None:
        """Let this text through unchanged from now on."""
        self._spelt.let_through(text)

    def writelines(self, lines: Iterable[str]) -> None:
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

    def put(self, content: str | bytes, buffer: BinaryIO | None = None) -> None:
        """Write text to the stream behind, or bytes to its `buffer`."""
        target: Any = buffer or self.stream  # takes what `content` is
        target.write(content)

    def flush(self) -> None:
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:  # whatever the stream behind has
        if name in ("buffer", "stream"):
            raise AttributeError(name)
        return getattr(self.stream, name)


class _CommandDoor(Door):
    """The door of a command. If nobody reads its output any more, the command goes on in silence.

    Raises `StorageError` if standard output cannot be written for another reason.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream, BAR if stream.isatty() else None)
        self._name, self._is_lost = name, False
        self._error: StorageError | None = None

    def put(self, content: str | bytes, buffer: BinaryIO | None = None) -> None:
        if not self._is_lost:
            with self._noting_loss():
                super().put(content, buffer)

    def flush(self) -> None:
        if self._error:  # raised again, since typer ignores an error of its first, empty write
            raise self._error
        if not self._is_lost:
            with self._noting_loss():
                super().flush()

    @contextlib.contextmanager
    def _noting_loss(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            self._is_lost = True
            self._point_nowhere()
            if isinstance(error, BrokenPipeError) or self._name != "standard output":
                return
            self._error = StorageError(
                f"{self._name}: could not write: {error.strerror or error}. Fix: make room there, "
                "or redirect it"
            )
            raise self._error from error

    def _point_nowhere(self) -> None:
        """Discard what is buffered: Python writes it at exit, and would report an error."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def command() -> Generator[None]:
    """Put standard output and standard error behind doors while a command runs.

    After an unexpected error they stay, so that Python prints the traceback through them.
    """
    with _replaced(_CommandDoor, "standard output", "standard error"):
        yield


@contextlib.contextmanager
def doors() -> Generator[None]:
    """Put standard output and standard error behind doors while a library works in this process."""
    with _replaced(lambda stream, _: Door(stream, DRAWING if stream.isatty() else None), "", ""):
        yield


@contextlib.contextmanager
def _replaced(door: Callable[[TextIO, str], Door], *names: str) -> Generator[None]:
    before = sys.stdout, sys.stderr
    replacements = [
        stream if stream is None or isinstance(stream, Door) else door(stream, name)
        for stream, name in zip(before, names, strict=True)
    ]
    sys.stdout, sys.stderr = (cast("TextIO", stream) for stream in replacements)
    keep = False
    try:
        yield
    except Exception:
        keep = door is _CommandDoor
        raise
    finally:
        # If another stream is there now, as while pytest captures, its owner removes it again.
        if not keep and sys.stdout is replacements[0]:
            sys.stdout = before[0]
        if not keep and sys.stderr is replacements[1]:
            sys.stderr = before[1]
