"""The reader on GLUE's own files: counts, bytes, texts, and scores that need no model."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from harness import metrics
from harness.catalog import tasks
from harness.catalog.glue_files import FILES
from harness.data import glue_folder
from harness.spec import Split
from tests.support.glue_files import EVERY
from tests.support.locations import REAL_GLUE as REAL

SAMPLES = {  # rows and class counts where the data beside the project are a part of GLUE's
    ("qqp", "train"): (8999, (5747, 3252)),
    ("qqp", "validation"): (1000, (623, 377)),
    ("mnli", "train"): (9999, (3408, 3313, 3278)),
    ("qnli", "train"): (9999, (5027, 4972)),
}


@pytest.fixture(scope="module")
def real() -> Callable[[str, str], tuple[Split, glue_folder.FileReport]]:
    if not REAL.is_dir():
        pytest.skip(f"no GLUE data at {REAL}: set GLUE_BENCH_REAL_DATA to a glue_data directory")
    kept: dict[tuple[str, str], tuple[Split, glue_folder.FileReport]] = {}

    def get(task: str, split: str) -> tuple[Split, glue_folder.FileReport]:
        file = FILES[task, split]
        if not glue_folder.has(REAL, task, split):
            pytest.skip(f"{file.path} is not among the GLUE data at {REAL}")
        if (task, split) not in kept:
            kept[task, split] = glue_folder.read_split(REAL, task, split)
        return kept[task, split]

    return get


@EVERY
def test_real_counts(real, file):
    split, report = real(file.task, file.split)
    task = tasks.TASKS[file.task]
    assert report.name == file.path
    assert report.rows == len(split) == len(split.ids)
    assert all(len(texts) == len(task.text_columns) for texts in split.texts[:100])
    assert glue_folder.fingerprint(REAL, file.task, [file.split]) == {file.split: report.sha256}
    if file.sha256 and (file.task, file.split) not in SAMPLES:
        assert report.sha256 == file.sha256
    found: list[float] = list(split.labels or ())
    in_order = tuple(found.count(index) for index in range(len(task.labels)))
    whole = all(glue_folder.agreement(file.task, file.split, split, report).values())
    if (file.task, file.split) in SAMPLES and not whole:
        assert (len(split), in_order) == SAMPLES[file.task, file.split]
    else:
        assert whole
        assert len(split) == task.rows[file.split]
        assert in_order == task.class_counts.get(file.split, in_order)
    assert (split.labels is None) == file.split.startswith("test")


def test_real_texts_are_kept_as_they_are(real):
    sst2, _ = real("sst2", "train")
    assert all(text.endswith(" ") and not text.endswith("  ") for (text,) in sst2.texts)
    qnli, _ = real("qnli", "validation")
    assert sum(text.count("\ufeff") for pair in qnli.texts for text in pair) == 3
    mnli, _ = real("mnli", "train")
    assert sum(hypothesis == "n/a" for _, hypothesis in mnli.texts) >= 2
    mrpc, _ = real("mrpc", "train")
    assert sum('"' in text for pair in mrpc.texts for text in pair) > 0


def test_real_scores(real):
    train, _ = real("stsb", "train")
    dev, _ = real("stsb", "validation")
    assert statistics.fmean(train.labels) == pytest.approx(2.700999, abs=1e-6)
    assert statistics.fmean(dev.labels) == pytest.approx(2.363908, abs=1e-6)
    assert len(set(train.labels)) == 140


def tokens(text: str) -> set[str]:
    return set(text.lower().split())


def jaccard(split: Split) -> list[float]:
    pairs = [(tokens(a), tokens(b)) for a, b in split.texts]
    return [len(a & b) / len(a | b) for a, b in pairs]


def scored(name: str, dev: Split, predicted: Sequence[float]) -> dict[str, float]:
    assert dev.labels is not None
    return metrics.evaluate(tasks.TASKS[name], dev.labels, predicted)


def test_golden_stsb(real):
    dev, _ = real("stsb", "validation")
    assert scored("stsb", dev, jaccard(dev)) == {
        "pearson": pytest.approx(0.595979, abs=1e-6),
        "spearmanr": pytest.approx(0.601698, abs=1e-6),
    }


def test_golden_mrpc(real):
    dev, _ = real("mrpc", "validation")
    assert scored("mrpc", dev, [int(value >= 0.4) for value in jaccard(dev)]) == {
        "accuracy": pytest.approx(0.735294, abs=1e-6),
        "f1": pytest.approx(0.824104, abs=1e-6),
    }


def test_golden_qnli(real):
    dev, _ = real("qnli", "validation")
    found = scored("qnli", dev, [int(value < 0.15) for value in jaccard(dev)])
    assert found == {"accuracy": pytest.approx(0.644152, abs=1e-6)}


def test_golden_cola(real):
    dev, _ = real("cola", "validation")
    found = scored("cola", dev, [int(len(text.split()) <= 7) for (text,) in dev.texts])
    assert found == {"matthews_correlation": pytest.approx(-0.00486, abs=1e-6)}


def test_golden_rte(real):
    dev, _ = real("rte", "validation")
    found = scored("rte", dev, [int(len(tokens(b) - tokens(a)) > 1) for a, b in dev.texts])
    assert found == {"accuracy": pytest.approx(0.483755, abs=1e-6)}


def test_golden_wnli(real):
    """The most frequent label of the premise in train, 0 where that is undecided."""
    train, _ = real("wnli", "train")
    dev, _ = real("wnli", "validation")
    votes: Counter[str] = Counter()
    for (premise, _), label in zip(train.texts, train.labels, strict=True):
        votes[premise] += 1 if label else -1
    predicted = [int(votes[premise] > 0) for premise, _ in dev.texts]
    assert scored("wnli", dev, predicted) == {"accuracy": 8 / 71}
