"""Generate the toy tasks, which are miniatures of GLUE's.

`makers` make the rows, and no row is in two splits. Then a share of the rows get a wrong label, as
human annotators make mistakes too. No model can predict those labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from harness.catalog.tasks import get
from harness.data.toy.lexicon import COAST, REGIONS, TOWN, Region
from harness.data.toy.makers import MAKERS
from harness.spec import Split, Task

HERE = "harness/data/toy/generate.py"
VERSION = 1
"""It changes whenever any row changes."""

NOISE = 0.06
"""The share of wrong labels; for scores, the standard deviation of the error, divided by 5."""

ROWS = {"train": 1000, "validation": 250, "test": 100}
LARGER = ("wnli",)  # 2,000 training rows: with 1,000, one seed in six learns nothing

# The share of rows with each true label; for STS-B, with each whole score.
SHARES: Mapping[str, tuple[float, ...]] = {
    "cola": (0.42, 0.58),
    "sst2": (0.48, 0.52),
    "mrpc": (0.45, 0.55),
    "stsb": (0.1, 0.15, 0.15, 0.2, 0.2, 0.2),
    "qqp": (0.58, 0.42),
    "mnli": (0.34, 0.33, 0.33),
    "qnli": (0.5, 0.5),
    "rte": (0.52, 0.48),
    "wnli": (0.54, 0.46),
    "ax": (0.34, 0.33, 0.33),
}


def missing(task: Task) -> list[str]:
    """The tables of toy data that have no row for a task; empty if toy data has the task."""
    tables = {"MAKERS in harness/data/toy/makers.py": MAKERS, "SHARES in " + HERE: SHARES}
    lacking = [table for table, rows in tables.items() if task.name not in rows]
    unsized = [name for name in task.rows if name.split("_")[0] not in ROWS]
    return lacking + [f"ROWS in {HERE} (for its split {name})" for name in unsized]


def generate(task_name: str, noise: float = NOISE) -> dict[str, Split]:
    """Every split of a toy task, by the names of its row in `catalog.tasks`.

    The rows are the same on every machine, and `noise` changes only labels. `generate("mnli")` also
    has the diagnostic rows, as the split `ax`.
    """
    task = get(task_name)
    seen: set[frozenset[str]] = set()
    splits = {name: _split(task, name, noise, seen) for name in task.rows}
    if task.name in LARGER:
        splits["train"] = _joined(splits["train"], _split(task, "train_more", noise, seen))
    if task.name == "mnli":
        splits["ax"] = generate("ax")["test"]
    return splits


def _split(task: Task, name: str, noise: float, seen: set[frozenset[str]]) -> Split:
    """One split, without any of the rows `seen` so far."""
    stream = f"{task.name}/{name}/{VERSION}"
    rng = Random(stream)
    size = ROWS[name.split("_")[0]]
    true = _labels(rng, size, SHARES[task.name])
    texts = []
    for label in true:
        row: tuple[str, ...] = ()
        while not row or frozenset(row) in seen or len(set(row)) < len(row):
            row = MAKERS[task.name](rng, label, _region(rng, task.name, name))
        seen.add(frozenset(row))
        texts.append(row)
    if name in task.predicted:
        return Split(texts, None, range(size))
    blur = Random(f"{stream}/noise")
    if task.is_regression:
        return Split(texts, [_blurred(blur, score, noise) for score in true], range(size))
    return Split(texts, _flipped(blur, true, noise, task.outputs), range(size))


def _joined(first: Split, second: Split) -> Split:
    labels = [*(first.labels or ()), *(second.labels or ())]
    return Split([*first.texts, *second.texts], labels, range(len(labels)))


def _region(rng: Random, task: str, split: str) -> Region:
    """A random region. MNLI's mismatched sets have another region than its training set."""
    if task == "mnli":
        return COAST if split.endswith("mismatched") else TOWN
    return rng.choice(REGIONS)


def _labels(rng: Random, size: int, shares: Sequence[float]) -> list[int]:
    """Labels in these shares, shuffled."""
    labels = [label for label, share in enumerate(shares) for _ in range(round(share * size))]
    labels += [0] * (size - len(labels))
    rng.shuffle(labels)
    return labels[:size]


def _flipped(rng: Random, labels: Sequence[int], share: float, classes: int) -> list[int]:
    noisy = list(labels)
    for row in rng.sample(range(len(noisy)), round(share * len(noisy))):
        noisy[row] = (noisy[row] + rng.randrange(1, classes)) % classes
    return noisy


def _blurred(rng: Random, score: int, noise: float) -> float:
    """The score with an error, as the mean of a few annotators: in steps of 0.2."""
    blurred = min(5.0, max(0.0, rng.gauss(score, 5 * noise)))
    return round(blurred * 5) / 5
