"""Parts of a split: a sample that is the same for every model and seed, a range, a remainder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from harness.spec import Split

DATA_SEED = "glue-bench/1"


def stratified(split: Split, size: int | None, name: str) -> Split:
    """`size` rows of `split`, each class in its share (a regression score by its whole number).

    Samples are nested: 1,000 rows are part of 2,000. The order of the rows is kept.
    """
    if size is None or size >= len(split):
        return split
    strata: dict[int, list[int]] = defaultdict(list)
    for row in range(len(split)):
        strata[int(split.labels[row]) if split.labels else 0].append(row)
    place: dict[int, float] = {}
    for stratum in strata.values():
        stratum.sort(key=lambda row: _draw(name, split.ids[row]))
        # Spread each class evenly over (0, 1): any prefix then holds every class in its share.
        place |= {row: (rank + 0.5) / len(stratum) for rank, row in enumerate(stratum)}
    return _rows(split, sorted(sorted(place, key=lambda row: (place[row], row))[:size]))


def only(split: Split, rows: tuple[int, int] | None) -> Split:
    """The rows from the first number to before the second; None: all."""
    return split if rows is None else _rows(split, range(*rows))


def without(split: Split, share: float, seed: int) -> Split:
    """What is left when a seed has set a share of the rows aside, drawn from all alike."""
    if not share:
        return split
    drawn = sorted(range(len(split)), key=lambda row: _draw(f"held out/{seed}", split.ids[row]))
    return _rows(split, sorted(drawn[: int((1 - share) * len(split))]))


def _rows(split: Split, rows: Sequence[int]) -> Split:
    return Split(
        texts=[split.texts[row] for row in rows],
        labels=[split.labels[row] for row in rows] if split.labels else None,
        ids=[split.ids[row] for row in rows],
    )


def _draw(name: str, row_id: int) -> bytes:
    """A random number that depends on nothing but the row, on every platform and version."""
    return hashlib.blake2b(f"{DATA_SEED}/{name}/{row_id}".encode(), digest_size=8).digest()
