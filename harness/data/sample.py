"""Parts of a split: a sample that is the same for every model and seed, a range, or a remainder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from harness.spec import Split

DATA_SEED = "glue-bench/1"
BY_RANK = f"{DATA_SEED}/by rank"
"""The name of the sampling of custom tasks in `cell_key`; that of GLUE's tasks is `DATA_SEED`."""


def stratified(split: Split, size: int | None, name: str, *, glue: bool = False) -> Split:
    """`size` rows of `split` with the same distribution of labels as the whole split.

    Each class has its share. For scores, the rows are sorted by score and taken at even distances.
    Samples are nested: the sample of 1,000 rows is part of that of 2,000. Rows keep their order.

    With `glue`, the sample is the one that GLUE's tasks have had since the first version: scores of
    STS-B, from 0 to 5, are classes by their whole number, and ties go to the first row.
    """
    if size is None or size >= len(split):
        return split
    drawn = sorted(range(len(split)), key=lambda row: _draw(name, split.ids[row]))
    labels = split.labels or [0] * len(split)
    if isinstance(labels[0], float) and not glue:
        ranked = sorted(drawn, key=lambda row: labels[row])
        chosen = [ranked[rank] for rank in _evenly(len(ranked), name)]
    else:
        place = _places(drawn, labels)
        order = range(len(split)) if glue else drawn
        chosen = sorted(order, key=lambda row: place[row])  # stable: equal places keep `order`
    return _rows(split, sorted(chosen[:size]))


def only(split: Split, rows: tuple[int, int] | None) -> Split:
    """The rows from the first number up to before the second; None: all."""
    return split if rows is None else _rows(split, range(*rows))


def without(split: Split, share: float, seed: int) -> Split:
    """The rows that are left after `seed` has drawn a share of them at random."""
    if not share:
        return split
    drawn = sorted(range(len(split)), key=lambda row: _draw(f"held out/{seed}", split.ids[row]))
    return _rows(split, sorted(drawn[: int((1 - share) * len(split))]))


def _places(drawn: Sequence[int], labels: Sequence[int] | Sequence[float]) -> dict[int, float]:
    """A place in (0, 1) for each row. In this order, any prefix has each class in its share."""
    strata: dict[int, list[int]] = defaultdict(list)
    for row in drawn:
        strata[int(labels[row])].append(row)
    return {
        row: (rank + 0.5) / len(stratum)
        for stratum in strata.values()
        for rank, row in enumerate(stratum)
    }


def _evenly(count: int, name: str) -> Iterator[int]:
    """The numbers below `count` in an order in which every prefix is spread evenly.

    This is the binary van der Corput sequence: the bits of 0, 1, 2, ... in reverse. Some bits are
    flipped at random, so that no rank is preferred. See Niederreiter, Random Number Generation and
    Quasi-Monte Carlo Methods (1992), section 3.1.
    """
    bits = max(1, (count - 1).bit_length())
    flipped = int.from_bytes(_draw(f"{name}/flipped", 0), "big") % (1 << bits)
    for number in range(1 << bits):
        rank = int(f"{number:0{bits}b}"[::-1], 2) ^ flipped
        if rank < count:
            yield rank


def _rows(split: Split, rows: Sequence[int]) -> Split:
    return Split(
        texts=[split.texts[row] for row in rows],
        labels=[split.labels[row] for row in rows] if split.labels else None,
        ids=[split.ids[row] for row in rows],
    )


def _draw(name: str, row_id: int) -> bytes:
    """A random number that depends only on the row, on every platform and with every version."""
    return hashlib.blake2b(f"{DATA_SEED}/{name}/{row_id}".encode(), digest_size=8).digest()
