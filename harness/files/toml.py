"""Reads TOML from elsewhere."""

from __future__ import annotations

import tomllib
from typing import Any

from harness.errors import UsageError

MOST_DOTS = 1_000  # on one line: Python 3.11 takes minutes for a key of 100,000 parts


def parsed(text: str) -> dict[str, Any]:  # as `tomllib` says: TOML has values of any type
    """The table of a TOML text. Raises `ValueError` and `RecursionError`."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_DOTS:
            raise tomllib.TOMLDecodeError(f"line {number} has more than {MOST_DOTS:,} dots")
    return tomllib.loads(text)


def not_toml(where: str, error: Exception) -> UsageError:
    """The error to raise for a file that cannot be parsed, because of `error`."""
    return UsageError(f'{where}: not valid TOML: {error}; expected lines such as name = "text"')
