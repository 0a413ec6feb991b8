"""What differs between two JSON values, key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from harness.text.values import shown

ABSENT = "nothing"
HASH_DIGITS = 12  # as many as are shown of a sha256


class Difference(NamedTuple):
    """A key that two values of JSON hold different values under, and either's value."""

    path: tuple[str, ...]
    a: object  # of any type, as all of JSON; `ABSENT` where the key lacks
    b: object

    @property
    def key(self) -> str:
        """The path in one word: `recipe.learning_rate`."""
        return ".".join(self.path)


def differences(then: object, now: object, *path: str) -> list[str]:
    """Where two values of JSON differ, as lines `recipe.learning_rate: was 2e-05, is 0.0001`."""
    found = apart(then, now, path)
    return [f"{one.key}: was {brief(one.a)}, is {brief(one.b)}" for one in found]


def apart(a: object, b: object, path: tuple[str, ...] = ()) -> list[Difference]:
    """Every key of two values of JSON whose values differ, in the order of the keys."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return [
            found
            for key in dict.fromkeys([*a, *b])
            for found in apart(a.get(key, ABSENT), b.get(key, ABSENT), (*path, str(key)))
        ]
    return [] if a == b else [Difference(path, a, b)]


def brief(value: object) -> str:
    """A value as a line shows it: of a sha256 its first digits; only texts are in quotes."""
    if value is None or isinstance(value, bool | int | float):
        return "none" if value is None else json.dumps(value)
    is_hash = isinstance(value, str) and len(value) == 64
    return shown(value[:HASH_DIGITS] if is_hash else value)
