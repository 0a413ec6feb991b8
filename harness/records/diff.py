"""What differs between two JSON values, key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.text.values import shown

ABSENT = "nothing"
HASH_DIGITS = 12  # as many as are shown of a sha256


def differences(then: Any, now: Any, path: str = "") -> list[str]:
    """Where two values of JSON differ, as lines `recipe.learning_rate: was 2e-05, is 0.0001`."""
    return [f"{key}: was {brief(a)}, is {brief(b)}" for key, a, b in apart(then, now, path)]


def apart(a: Any, b: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Where two values of JSON differ: the key, `recipe.learning_rate`, and either's value."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return [
            found
            for key in dict.fromkeys([*a, *b])
            for found in apart(
                a.get(key, ABSENT), b.get(key, ABSENT), f"{path}.{key}" if path else str(key)
            )
        ]
    return [] if a == b else [(path, a, b)]


def brief(value: Any) -> str:
    """A value as a line shows it: of a sha256 its first digits; only texts are in quotes."""
    if value is None or isinstance(value, bool | int | float):
        return "none" if value is None else json.dumps(value)
    is_hash = isinstance(value, str) and len(value) == 64
    return shown(value[:HASH_DIGITS] if is_hash else value)
