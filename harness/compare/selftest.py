"""How well this machine tells speeds apart: the speed rule on processes of the same code.

Each block of four processes in a row may have been A B B A or B A A B. Every such labeling of the
same measurements is a comparison of equal code, so a red one is a false alarm (a permutation test
of the rule itself; Good, "Permutation, Parametric and Bootstrap Tests", 2005, for the idea).
"""

from __future__ import annotations

import itertools
import math
import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from harness.compare import speed
from harness.compare.speed import PAIRS, Pair
from harness.compare.stats import ALPHA, POWER
from harness.compare.verdicts import Verdict
from harness.errors import StorageError
from harness.files.disk import DISK, make_folders, names_in, read_file, write_file
from harness.files.outputs import cannot_write
from harness.records.schema import Count, Moment, Part, PositiveCount, Rate
from harness.text.values import shown_path

FOLDER = "selftest"
BLOCK = 4  # processes: A B B A, or B A A B
PROCESSES = 24
LEAST_PROCESSES = 12  # three blocks: six pairs
MOST_PROCESSES = 2 * speed.MOST_PAIRS
MOST_LABELINGS = 1024
STAGE_PAIRS = speed.LOOKS * PAIRS
STAGE = f"{PAIRS} to {STAGE_PAIRS} pairs"
DRAWS = 400  # comparisons by which the power at one slowdown is estimated
LARGEST_SLOWDOWN = 3.0
MOST_BYTES = 1 << 20
FIX = "Fix: remove it, and run `glue-bench selftest`"

Labeled = tuple[list[Pair], str]
"""Pairs of processes in their order, and the side of each process."""


class CellNoise(Part):
    """What a cell's processes say of this machine."""

    processes: PositiveCount
    sd: Rate  # of the log ratio of two neighbours
    labelings: PositiveCount
    red: Count  # labelings in which one stage of the rule says worse
    detectable: Rate | None  # relative slowdown that both stages find four times in five


class SelfTest(Part):
    """One self-test of a machine, by the cells that were run."""

    created: Moment = Field(default_factory=lambda: datetime.now(UTC))
    boot: str | None
    cpu: str | None
    effect: Rate
    cells: dict[str, CellNoise]

    @property
    def has_false_alarms(self) -> bool:
        """Whether more labelings are red than one stage may have: 1 in 100."""
        return any(noise.red > ALPHA * noise.labelings for noise in self.cells.values())

    @property
    def lines(self) -> list[str]:
        """A line per cell."""
        return [
            f"selftest of {self.created:%Y-%m-%d %H:%M} UTC, {name}: two processes of the same "
            f"code differ by {100 * noise.sd:.1f}% (sd); false alarms: {noise.red} of "
            f"{noise.labelings} labelings; {_detectable(noise)}"
            for name, noise in self.cells.items()
        ]


def _detectable(noise: CellNoise) -> str:
    if noise.detectable is None:
        return f"{STAGE} do not find +{100 * LARGEST_SLOWDOWN:.0f}% four times in five"
    return f"{STAGE} find +{100 * noise.detectable:.1f}% four times in five"


def study(values: Sequence[float], effect: float) -> CellNoise:
    """The noise of processes of one cell, in the order in which they ran.

    Raises `ValueError` for fewer than `LEAST_PROCESSES`.
    """
    blocks = [values[place : place + BLOCK] for place in range(0, len(values) - BLOCK + 1, BLOCK)]
    if len(blocks) * BLOCK < LEAST_PROCESSES:
        raise ValueError(f"{len(values)} processes; expected {LEAST_PROCESSES} or more")
    draw = random.Random(0)
    labelings = _labelings(len(blocks), draw)
    judged = [_judge(_labeled(blocks, flips), effect) for flips in labelings]
    pairs, _ = _labeled(blocks, (False,) * len(blocks))
    return CellNoise(
        processes=len(values),
        sd=speed.log_ratio([math.log(b / a) for a, b in pairs]).sd,
        labelings=len(labelings),
        red=sum(judged),
        detectable=_smallest_found(blocks, effect, draw),
    )


def _labelings(blocks: int, draw: random.Random) -> list[tuple[bool, ...]]:
    """Every way to flip blocks; of more than `MOST_LABELINGS` a random sample."""
    if 2**blocks <= MOST_LABELINGS:
        return [*itertools.product((False, True), repeat=blocks)]
    return [tuple(draw.random() < 0.5 for _ in range(blocks)) for _ in range(MOST_LABELINGS)]


def _labeled(blocks: Sequence[Sequence[float]], flips: Sequence[bool]) -> Labeled:
    """Pairs and sides of these blocks; a flipped block is B A A B."""
    pairs: list[Pair] = []
    for (first, second, third, fourth), flipped in zip(blocks, flips, strict=True):
        inner, outer = [(second, first), (third, fourth)], [(first, second), (fourth, third)]
        pairs += inner if flipped else outer
    return pairs, "".join("baab" if flipped else "abba" for flipped in flips)


def _judge(labeled: Labeled, effect: float, slowdown: float = 0.0) -> bool:
    """Whether one stage is red if B takes `slowdown` longer than it did."""
    pairs, sides = labeled
    slowed = [(a, b * (1 + slowdown)) for a, b in pairs]
    return speed.judge_in_looks(slowed, effect, sides).verdict is Verdict.WORSE


def _smallest_found(
    blocks: Sequence[Sequence[float]], effect: float, draw: random.Random
) -> float | None:
    """The slowdown that `PAIRS` to `STAGE_PAIRS` pairs and a repetition find with chance `POWER`.

    Blocks are drawn with replacement and flipped at random. Both stages are red with the square of
    one stage's chance. None: not even `LARGEST_SLOWDOWN` is found.
    """
    drawn = []
    for _ in range(DRAWS):
        chosen = draw.choices(blocks, k=STAGE_PAIRS * 2 // BLOCK)
        drawn.append(_labeled(chosen, [draw.random() < 0.5 for _ in chosen]))

    def is_found(slowdown: float) -> bool:
        red = sum(_judge(labeled, effect, slowdown) for labeled in drawn)
        return (red / DRAWS) ** 2 >= POWER

    low, high = 0.0, LARGEST_SLOWDOWN
    if not is_found(high):
        return None
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (low, middle) if is_found(middle) else (middle, high)
    return high


def save(results: Path, made: SelfTest) -> Path:
    """Store a self-test below a results folder. Raises `StorageError`."""
    folder = results / FOLDER
    path = folder / f"{made.created:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}.json"
    content = f"{made.model_dump_json(indent=1)}\n".encode()
    try:
        make_folders(DISK, folder)
        write_file(DISK, path, content)
    except OSError as error:
        raise StorageError(cannot_write(path, error, "--results", len(content))) from error
    return path


def newest(results: Path) -> SelfTest | None:
    """The newest self-test below a results folder; None: there is none. Raises `StorageError`."""
    names = names_in(DISK, results / FOLDER, ".json", FIX)
    if not names:
        return None
    path = results / FOLDER / names[-1]  # their names begin with the time
    try:
        return SelfTest.model_validate_json(read_file(DISK, path, MOST_BYTES, FIX))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        raise StorageError(
            f"{shown_path(path)}: key {where}: {error.errors()[0]['msg']}. {FIX}"
        ) from None


def notes(results: Path) -> list[str]:
    """The lines of the newest self-test, for a report; a damaged one is a line that says so."""
    try:
        found = newest(results)
    except StorageError as error:
        return [str(error)]
    return found.lines if found else []
