"""Parse the text of an option into its value, and the largest values allowed."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.catalog.speedups import ALL as ALL_SPEEDUPS
from harness.catalog.speedups import SPEEDUPS
from harness.records.parts import SUBJECTS
from harness.spec import Policy
from harness.text.names import unknown

FIRST_SEED = 42
ENGINES = ("process", "inline")
MOST_SEEDS = 10_000
LAST_SEED = 2**32 - 1  # the largest that NumPy and scikit-learn accept
MOST_JOBS = 1024
MOST_EPOCHS = 10_000
MOST_PAIRS = 500  # of two sides that take turns
MOST_RECHECKS = 1_000  # new seeds of both sides
MOST_SECONDS = 366 * 24 * 3600  # a year
DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,9})s?)?")
LARGEST = 10**12  # of rows and other numbers


def names(text: str) -> tuple[str, ...]:
    """The names in a list: ("a", "b") for `a,b,a`. Raises `ValueError`, as all parsers here do."""
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not parts:
        raise ValueError("expected one name or several, separated by commas")
    return parts


def seeds(text: str) -> tuple[int, ...]:
    """The seeds 42, 43, 44 for `3`; the two seeds for `7,9`; the one seed 7 for `7,`."""
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",") if part.strip()))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 0:
        raise ValueError("expected how many seeds, or the seeds separated by commas")
    if max(numbers) > LAST_SEED:
        raise ValueError(f"expected seeds of at most {LAST_SEED}")
    if len(numbers) > MOST_SEEDS:
        raise ValueError(f"expected at most {MOST_SEEDS:,} seeds")
    if "," in text:
        return numbers
    if numbers[0] < 1:
        raise ValueError("expected at least one seed")
    if numbers[0] > MOST_SEEDS:
        raise ValueError(
            f"expected at most {MOST_SEEDS:,} seeds; `{numbers[0]},` means that one seed"
        )
    return tuple(range(FIRST_SEED, FIRST_SEED + numbers[0]))


def positive(text: str) -> int:
    """A whole number from 1 to `LARGEST`."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= LARGEST:
        most = f", at most {LARGEST:,}" if number > LARGEST else ""
        raise ValueError(f"expected a whole number above zero{most}")
    return number


def at_most(most: int) -> Callable[[str], int]:
    """A function that parses a whole number from 1 to `most`."""

    def parse(text: str) -> int:
        if (number := positive(text)) > most:
            raise ValueError(f"expected at most {most:,}")
        return number

    return parse


def seconds(text: str) -> float:
    """A duration in seconds, above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= MOST_SECONDS:
        most = f", at most {MOST_SECONDS:,}" if number > 0 else ""
        raise ValueError(f"expected a number of seconds above zero{most}")
    return number


def duration(text: str) -> float:
    """Seconds of a time such as `90`, `90s`, `15m` or `1h30m`."""
    form = DURATION.fullmatch(text.strip())
    hours, minutes, rest = (int(part or 0) for part in form.groups()) if form else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + rest
    if not 0 < total <= MOST_SECONDS:
        raise ValueError("expected a time up to a year, such as 900s, 15m or 1h30m")
    return float(total)


def engine(text: str) -> str:
    """The name of an engine."""
    if text not in ENGINES:
        raise ValueError(unknown("engine", text, ENGINES))
    return text


def subject(text: str) -> tuple[str, ...]:
    """The parts that the gate may find to differ, from a list of them."""
    parts = names(text)
    for part in parts:
        if part not in SUBJECTS:
            raise ValueError(unknown("subject", part, SUBJECTS))
    return parts


def speedups(text: str) -> tuple[str, ...]:
    """The speed-ups that may be used: all, none, or those in a list."""
    if text in ("all", "none"):
        return ALL_SPEEDUPS if text == "all" else ()
    parts = names(text)
    for part in parts:
        if part not in SPEEDUPS:
            raise ValueError(unknown("speed-up", part, ("all", "none", *SPEEDUPS)))
    return tuple(name for name in ALL_SPEEDUPS if name in parts)


def policy(text: str) -> Policy:
    """The name of a policy of the gate."""
    if text not in Policy.__members__:
        raise ValueError(unknown("policy", text, [*Policy]))
    return Policy(text)


def yes(text: str) -> bool:
    """Whether a switch is on."""
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"
