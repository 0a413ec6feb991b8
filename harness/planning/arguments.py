"""Arguments of `run` and `load_results` as what they have to be, or a `UsageError` with their name.

A command line has text alone; a script may hand over anything.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from typing import Any, TypeVar

from harness.errors import UsageError
from harness.files import paths
from harness.planning import option_values
from harness.text.values import shown

T = TypeVar("T")


def optional(check: Callable[[str, Any], T], name: str, value: Any) -> T | None:
    """What `check` makes of a value; None stays None."""
    return None if value is None else check(name, value)


def text(name: str, value: Any) -> str:
    """A name, as a `str`."""
    if not isinstance(value, str):
        raise _refused(name, value, "text")
    return str(value)


def path(name: str, value: Any) -> str:
    """A folder or file, as the text of an absolute path; nothing need be there."""
    if not isinstance(value, str | bytes | os.PathLike):
        raise _refused(name, value, "a path: text, or a path object")
    try:
        return str(paths.located(value))
    except ValueError as error:
        raise UsageError(f"{name}: found {shown(value)}; {error}") from None


def written_folder(name: str, value: Any) -> str:
    """A folder to write into: what is there is a folder, or nothing."""
    path(name, value)
    try:
        return str(paths.for_writing(value))
    except ValueError as error:
        raise UsageError(f"{name}: found {shown(value)}; {error}") from None


def model(name: str, value: Any) -> str:
    """A model: its name, or its folder where it is a path object."""
    if isinstance(value, os.PathLike):
        return path(name, value)
    if not isinstance(value, str):
        raise _refused(name, value, "a name, or a folder: text, or a path object")
    return value


def number(name: str, value: Any) -> int:
    """A whole number of any type that has them; True is none."""
    try:
        found = operator.index(value)
    except TypeError:
        found = None
    if found is None or isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        raise _refused(name, value, "a whole number")
    if abs(found) > option_values.LARGEST:
        raise _refused(name, value, f"a whole number of at most {option_values.LARGEST:,}")
    return found


def seed(name: str, value: Any) -> int:
    """A whole number that random generators can begin from."""
    found = number(name, value)
    if not 0 <= found <= option_values.LAST_SEED:
        raise _refused(name, value, f"a whole number from 0 to {option_values.LAST_SEED}")
    return found


def seconds(name: str, value: Any) -> float:
    """A duration."""
    if isinstance(value, str | bytes | bool):
        raise _refused(name, value, "a number of seconds above zero")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _refused(name, value, "a number of seconds above zero") from None


def switch(name: str, value: Any) -> bool:
    """True or False, NumPy's too."""
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise _refused(name, value, "True or False")
    return bool(value)


def _refused(name: str, value: Any, expected: str) -> UsageError:
    kind = type(value).__name__
    return UsageError(f"{name}: found {shown(value)}, of type {kind}; expected {expected}")
