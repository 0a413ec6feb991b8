"""The toy tasks: miniatures of GLUE's, generated.

`generate` has `makers` make every row of every split, keeps rows apart and then gives a share of
them a wrong label, as in data that people labelled: no model can be right about those.
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
"""Changes whenever any row does."""

NOISE = 0.06
"""Share of wrong labels; for scores, the standard deviation of their error over 5."""

ROWS = {"train": 1000, "validation": 250, "test": 100}
LARGER = ("wnli",)  # trained on twice as many: with 1,000, one seed in six learns nothing

# How often each label is the true one; for STS-B, each whole score.
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
    """What a task's miniature still lacks, as the tables that have no row of it."""
    tables = {"MAKERS in harness/data/toy/makers.py": MAKERS, "SHARES in " + HERE: SHARES}
    lacking = [table for table, rows in tables.items() if task.name not in rows]
    unsized = [name for name in task.rows if name.split("_")[0] not in ROWS]
    return lacking + [f"ROWS in {HERE} (for its split {name})" for name in unsized]


def generate(task_name: str, noise: float = NOISE) -> dict[str, Split]:
    """Every split of a toy task, by the names its row in `harness.catalog.tasks` gives them.

    The rows are the same on every machine; `noise` changes labels only. `generate("mnli")` also
    holds the diagnostic rows, as the split `ax`.
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
    """MNLI's mismatched sets come from where its training set does not."""
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
    """The score as a few people would agree on it: near, and in steps of 0.2."""
    blurred = min(5.0, max(0.0, rng.gauss(score, 5 * noise)))
    return round(blurred * 5) / 5
