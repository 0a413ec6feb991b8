"""The errors glue-bench raises.

    GlueBenchError
    ├── UsageError          an option, name or combination that cannot be meant
    ├── DataError           a data file that is missing, malformed or inconsistent
    ├── ModelError          weights or a tokenizer that are missing or do not fit
    ├── Unavailable         something this machine does not have
    │   ├── ModelUnavailable    weights that are neither installed nor to be fetched
    │   ├── DataUnavailable     a data set that is neither cached nor to be fetched
    │   └── TargetUnavailable   a device or precision it cannot run
    ├── TrainingDiverged    a loss or logit that is not finite
    ├── NotComparable       two runs that have no rows in common to be compared by
    ├── IntegrityError      a run whose own figures contradict each other
    ├── WorkerError         a worker process that did not return a result
    │   ├── WorkerCrashed
    │   │   ├── WorkerKilled    by SIGKILL: as a rule, for want of memory
    │   │   └── WorkerLost      together with the fork server, which is no fault of its own
    │   └── WorkerTimeout
    └── StorageError        a record that could not be written or read
        └── NotStored           a run's own: it holds the record

Messages say where (file and line, or key), what was found, what was expected and how to mend it.
Nothing in the package raises a bare ``Exception``; the runner turns each of these into a status.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from harness.text.escape import UNSEEN, harmless

VALUE_WIDTH = 80
VALUE_END = 25
"""Characters kept of the end of a value that is cut."""

LATIN = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
    "aeopcyxsijhdqwABEKMHOPCTYXSIJABEZHIKMNOPTYXo",
)
"""Cyrillic and Greek letters that fonts draw as a Latin one (Unicode's confusables.txt)."""
LOOKALIKES = frozenset(map(chr, LATIN))
SPELT = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt\\])")
"""What a text holds that looks like a character that is spelt out."""
ALIKE = re.compile("[\u2010\u2011\u2212\u2160-\u217f\ufb00-\ufb06]")
"""Signs that are drawn as ASCII ones: hyphens, minus, Roman numerals, ligatures."""


class GlueBenchError(Exception):
    """Base class of every error that glue-bench raises on purpose.

    Its text is harmless wherever it is shown: names and values of others stand in it.
    """

    def __str__(self) -> str:
        return harmless(super().__str__())


class UsageError(GlueBenchError):
    """An option, a name or a combination of both that cannot be meant."""


class DataError(GlueBenchError):
    """A data file that is missing, malformed or inconsistent."""


class ModelError(GlueBenchError):
    """Weights or a tokenizer that are missing or do not fit."""


class Unavailable(GlueBenchError):
    """Something this machine does not have: a failure if the user named it, else a skip."""


class ModelUnavailable(Unavailable):
    """Weights that are neither installed nor to be fetched."""


class DataUnavailable(Unavailable):
    """A data set that is neither cached nor to be fetched."""


class TargetUnavailable(Unavailable):
    """A device or precision that this machine cannot run."""


class TrainingDiverged(GlueBenchError):
    """A loss or logit that is not finite."""


class NotComparable(GlueBenchError):
    """Two runs that have no rows in common to be compared by."""


class IntegrityError(GlueBenchError):
    """A run whose own figures contradict each other."""


class WorkerError(GlueBenchError):
    """A worker process that did not return a result; what it printed, and its peak memory.

    `batching` is a `records.Batching` if it got as far as training.
    """

    batching: Any = None

    def __init__(self, message: str, log: str = "", peak_memory_bytes: int | None = None) -> None:
        super().__init__(message)
        self.log, self.peak_memory_bytes = log, peak_memory_bytes


class WorkerCrashed(WorkerError):
    """A worker process that died before it returned a result."""


class WorkerKilled(WorkerCrashed):
    """A worker process that SIGKILL ended, as the system does when the machine's memory is full.

    A user's own `kill -9` looks no different, and is taken for the same.
    """


class WorkerLost(WorkerCrashed):
    """A worker process that was forked by a server which is gone, or hung and was killed."""


class WorkerTimeout(WorkerError):
    """A worker process that was stopped because it ran too long."""


class StorageError(GlueBenchError):
    """A record that could not be written or read."""


class NotStored(StorageError):
    """A run that is over and whose record could not be written: here it is, as text.

    `lines` are its session's announcement and `line`, the record: `glue-bench import` takes them
    back, if `can_import`, and a traceback shows them too.
    """

    def __init__(self, message: str, lines: str, *, can_import: bool = True) -> None:
        super().__init__(message)
        self.can_import = can_import
        self.lines, self.line = lines, lines.rpartition("\n")[2]
        self.add_note(lines)


def shown(value: object) -> str:
    """`value` as it may stand in a message: on one line, escaped, at most 80 characters.

    What would look like another text is spelt out: a letter and its accent as two characters, a
    Cyrillic letter among Latin ones. Of a longer value the middle gives way.
    """
    try:
        text = value if isinstance(value, str) else str(value)
    except ValueError:  # Python writes out no whole number of more than 4,300 digits
        text = f"a {type(value).__name__} too long to be shown"
    if len(text) > VALUE_WIDTH:
        text = f"{text[: VALUE_WIDTH - VALUE_END - 3]}...{text[-VALUE_END:]}"
    return f"'{text}'" if _is_seen(text) else ascii(text)


def _is_seen(text: str) -> bool:
    return text.isprintable() and not looks_like_another(text)


def looks_like_another(text: str) -> bool:
    """Whether a different text would be drawn the same."""
    if SPELT.search(text):
        return True
    if text.isascii():
        return False
    if not unicodedata.is_normalized("NFC", text) or UNSEEN.search(text) or ALIKE.search(text):
        return True
    if LOOKALIKES.isdisjoint(text):
        return False
    letters = [one for one in text if one.isalpha() and one not in LOOKALIKES]
    has_latin = any(map(_is_latin, letters))
    return has_latin or not letters  # Cyrillic words are known by their other letters


def drawn(text: str) -> str:
    """What a text looks like: the same for two that fonts draw the same."""
    whole = unicodedata.normalize("NFKC", UNSEEN.sub("", text).translate(LATIN))
    return "".join(one for one in whole if one.isprintable())


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN")


def plain(text: str) -> str:
    """A name as it may stand in a message or a table: whole, on one line, escaped if it must be."""
    return text if _is_seen(text) else ascii(text)


def not_toml(where: str, error: Exception) -> UsageError:
    """What to raise for a file that `tomllib` gave up on with `error`."""
    return UsageError(f'{where}: not valid TOML: {error}; expected lines such as name = "text"')


def shown_path(path: Path) -> str:
    """A path as it may stand in a message, whole: files are found by it."""
    text = str(path)  # accents as they are: some file systems part all of them
    return text if text.isprintable() else ascii(text)
