"""Check the arguments of `run` and `load_results`, and convert them to the types used inside.

An option of the command line is always text; a script may pass any object. Each function raises
`UsageError`, with the argument's name, for a value that it cannot convert.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import SupportsFloat, SupportsIndex, TypeVar, cast

from harness.errors import UsageError
from harness.files import paths
from harness.planning import option_values
from harness.text.values import shown

T = TypeVar("T")


def optional(check: Callable[[str, object], T], name: str, value: object) -> T | None:
    """The result of `check` for a value; None for None."""
    return None if value is None else check(name, value)


def text(name: str, value: object) -> str:
    """A name, as a `str`."""
    if not isinstance(value, str):
        raise _refused(name, value, "text")
    return str(value)


def path(name: str, value: object) -> str:
    """A folder or file, which need not exist, as the text of an absolute path."""
    return _convert_path(name, value, paths.located)


def written_folder(name: str, value: object) -> str:
    """A folder to write into, which exists or can be made, as the text of an absolute path."""
    return _convert_path(name, value, paths.for_writing)


def _convert_path(
    name: str, value: object, convert: Callable[[str | bytes | os.PathLike[str]], Path]
) -> str:
    if not isinstance(value, str | bytes | os.PathLike):
        raise _refused(name, value, "a path: text, or a path object")
    try:
        return str(convert(value))
    except ValueError as error:
        raise UsageError(f"{name}: found {shown(value)}; {error}") from None


def model(name: str, value: object) -> str:
    """A model's name, or the path of its folder if `value` is a path object."""
    if isinstance(value, os.PathLike):
        return path(name, value)
    if not isinstance(value, str):
        raise _refused(name, value, "a name, or a folder: text, or a path object")
    return value


def number(name: str, value: object) -> int:
    """A whole number of any integer type. True and False are not numbers here."""
    try:
        integer = operator.index(cast("SupportsIndex", value))
    except TypeError:
        integer = None
    if integer is None or _is_bool(value):
        raise _refused(name, value, "a whole number")
    if abs(integer) > option_values.LARGEST:
        raise _refused(name, value, f"a whole number of at most {option_values.LARGEST:,}")
    return integer


def seed(name: str, value: object) -> int:
    """A whole number that random generators accept as a seed."""
    integer = number(name, value)
    if not 0 <= integer <= option_values.LAST_SEED:
        raise _refused(name, value, f"a whole number from 0 to {option_values.LAST_SEED}")
    return integer


def seconds(name: str, value: object) -> float:
    """A duration in seconds."""
    if isinstance(value, str | bytes | bool):
        raise _refused(name, value, "a number of seconds above zero")
    try:
        return float(cast("SupportsFloat", value))
    except (TypeError, ValueError, OverflowError):
        raise _refused(name, value, "a number of seconds above zero") from None


def switch(name: str, value: object) -> bool:
    """True or False, also of NumPy's type."""
    if not _is_bool(value):
        raise _refused(name, value, "True or False")
    return bool(value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def _refused(name: str, value: object, expected: str) -> UsageError:
    kind = type(value).__name__
    return UsageError(f"{name}: found {shown(value)}, of type {kind}; expected {expected}")
