from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import metrics
from harness.catalog.tasks import GLUE_9, TASKS
from harness.records.cells import cells
from harness.records.schema import Record
from harness.reports.averages import AVERAGES, ScoreRow, coverage, missing, of, sheet
from harness.spec import Case
from tests.support.builders import record

NINE = AVERAGES["GLUE-9"]

# Columns as a paper prints them, and which figure each is. A figure that is the mean of a pair
# stands for both of the pair.
ORDERS = {
    "test": "cola sst2 mrpc:f1 mrpc:accuracy stsb:pearson stsb:spearmanr qqp:f1 "
    "qqp:accuracy mnli_m mnli_mm qnli rte wnli",
    "dev": "cola sst2 mrpc:accuracy mrpc:f1 qqp:accuracy qqp:f1 stsb:pearson stsb:spearmanr "
    "mnli_m,mnli_mm qnli rte wnli",
    "BERT": "mnli_m mnli_mm qqp:f1 qnli sst2 cola stsb:spearmanr mrpc:f1 rte",
    "ELECTRA": "cola sst2 mrpc:accuracy stsb:spearmanr qqp:accuracy mnli_m qnli rte",
    "DistilBERT": "cola mnli_m,mnli_mm mrpc:accuracy,mrpc:f1 qnli qqp:accuracy,qqp:f1 rte sst2 "
    "stsb:pearson,stsb:spearmanr wnli",
    "ModernBERT": "cola sst2 mrpc:accuracy,mrpc:f1 stsb:spearmanr qqp:accuracy,qqp:f1 "
    "mnli_m,mnli_mm qnli rte",
    "cramming": "mnli_m mnli_mm qqp:f1 qnli sst2 cola stsb:pearson mrpc:f1 rte",
}

# The average, the order of the columns, the published average, the figures.
PUBLISHED = """
# GLUE leaderboard, 2019-02-25, as printed in MT-DNN (arXiv:1901.11504), Table 2; the human row's
# exact mean is 87.05, half way between two printed figures
human | GLUE-9 test 87.1 | 66.4 97.8 86.3 80.8 92.7 92.6 59.5 80.4 92.0 92.8 91.2 93.6 95.9
bert-large | GLUE-9 test 80.5 | 60.5 94.9 89.3 85.4 87.6 86.5 72.1 89.3 86.7 85.9 92.7 70.1 65.1
mt-dnn | GLUE-9 test 82.7 | 62.5 95.6 91.1 88.2 89.5 88.8 72.7 89.6 86.7 86.0 93.1 81.4 65.1
# README of google-research/bert (Turc et al. 2019, arXiv:1908.08962)
bert-mini | GLUE-9 test 65.8 | 0.0 85.9 81.1 71.8 75.4 73.3 66.4 86.2 74.8 74.3 84.1 57.9 62.3
bert-small | GLUE-9 test 71.2 | 27.8 89.7 83.4 76.2 78.8 77.0 68.1 87.0 77.6 77.0 86.4 61.8 62.3
bert-medium | GLUE-9 test 73.5 | 38.0 89.6 86.6 81.6 80.4 78.4 69.6 87.9 80.0 79.1 87.7 62.2 62.3
# GLUE (arXiv:1804.07461v3), Table 4
CBoW | GLUE-9 test 58.9 | 0.0 80.0 81.5 73.4 61.2 58.7 51.4 79.1 56.0 56.4 72.1 54.1 65.1
Skip-Thought | GLUE-9 test 61.3 | 0.0 81.8 80.8 71.7 71.8 69.7 56.4 82.2 62.9 62.8 72.9 53.1 65.1
InferSent | GLUE-9 test 63.9 | 4.5 85.1 81.2 74.1 75.9 75.3 59.1 81.7 66.1 65.7 72.7 58.0 65.1
GenSen | GLUE-9 test 66.2 | 7.7 83.1 83.0 76.6 79.3 79.2 59.8 82.9 71.4 71.3 78.6 59.2 65.1
# GLUE (arXiv:1804.07461v3), Table 6, on the dev sets; its MNLI is the mean of both
BiLSTM | GLUE-9 dev 66.7 | 17.6 87.5 77.9 85.1 85.3 82.0 71.6 72.0 66.7 77.0 58.5 56.3
InferSent dev | GLUE-9 dev 65.7 | 8.6 83.9 76.5 84.1 81.7 75.9 80.2 80.4 67.8 63.5 71.5 56.3
# DistilBERT (arXiv:1910.01108), Table 1
elmo | GLUE-9 DistilBERT 68.7 | 44.1 68.6 76.6 71.1 86.2 53.4 91.5 70.4 56.3
distilbert | GLUE-9 DistilBERT 77.0 | 51.3 82.2 87.5 89.2 88.5 59.9 91.3 86.9 56.3
# BERT (arXiv:1810.04805), Table 1
bert-base, BERT | BERT BERT 79.6 | 84.6 83.4 71.2 90.5 93.5 52.1 85.8 88.9 66.4
bert-large, BERT | BERT BERT 82.1 | 86.7 85.9 72.1 92.7 94.9 60.5 86.5 89.3 70.1
gpt | BERT BERT 75.1 | 82.1 81.4 70.3 87.4 91.3 45.4 80.0 82.3 56.0
# TinyBERT (arXiv:1909.10351v5), Table 1
teacher | BERT BERT 79.5 | 83.9 83.4 71.1 90.9 93.4 52.8 85.2 87.5 67.0
tinybert-6 | BERT BERT 79.4 | 84.6 83.2 71.6 90.4 93.1 51.1 83.7 87.3 70.0
# ELECTRA (arXiv:2003.10555), Table 2
electra-400k | ELECTRA ELECTRA 89.0 | 69.3 96.0 90.6 92.1 92.4 90.5 94.5 86.8
electra-1.75m | ELECTRA ELECTRA 89.5 | 69.1 96.9 90.8 92.6 92.4 90.9 95.0 88.0
roberta-500k | ELECTRA ELECTRA 88.9 | 68.0 96.4 90.9 92.1 92.2 90.2 94.7 86.6
# Figures: ModernBERT (arXiv:2412.13663), Table 5; averages: gte-en-mlm-base's model card
mosaicbert | MosaicBERT ModernBERT 85.4 | 58.2 93.5 89.0 90.3 92.0 85.6 91.4 83.0
gte | MosaicBERT ModernBERT 85.61 | 57.0 93.4 92.1 90.2 88.8 86.7 91.9 84.8
# Model card of JonasGeiping/crammed-bert
crammed | cramming cramming 80.7 | 84.1 84.6 87.5 90.2 92.0 53.3 87.4 88.9 58.5
"""
ROWS = [
    [part.strip() for part in line.split("|")]
    for line in PUBLISHED.strip().splitlines()
    if not line.startswith("#")
]


def read(order: str, figures: str) -> ScoreRow:
    """A printed row of percentages as a sheet."""
    found = {}
    for words, figure in zip(ORDERS[order].split(), figures.split(), strict=True):
        for word in words.split(","):
            column, _, metric = word.partition(":")
            only = "matthews_correlation" if column == "cola" else "accuracy"
            found[column, metric or only] = float(figure) / 100
    return found


def close(found: float | None, published: str) -> bool:
    """Whether a mean of rounded figures is what was published, within the last digit's half."""
    half = 0.5 * 10 ** -len(published.partition(".")[2])
    return found is not None and abs(100 * found - float(published)) <= half + 1e-9


@pytest.mark.parametrize(("said", "figures"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_a_published_average_recomputes(said: str, figures: str) -> None:
    name, order, published = said.split()
    assert close(of(AVERAGES[name], read(order, figures)), published)


def test_other_definitions_give_other_numbers_of_one_row() -> None:
    (row,) = [row for row in ROWS if row[0] == "bert-large"]
    found = {name: of(average, read("test", row[2])) for name, average in AVERAGES.items()}
    assert [name for name, value in found.items() if close(value, "80.5")] == ["GLUE-9"]
    assert [name for name, value in found.items() if close(value, "82.1")] == ["BERT"]
    assert len({round(value or 0, 4) for value in found.values()}) == len(AVERAGES)


def test_every_average_reads_figures_that_a_run_has() -> None:
    whole = sheet(cells([run(task, 1) for task in GLUE_9]))
    for average in AVERAGES.values():
        assert of(average, whole) == pytest.approx(0.01)
        assert len(set(average.entries)) == len(average.entries)
        assert {column.partition("_")[0] for column in average.columns} <= set(GLUE_9)
    assert set(NINE.entries) == set(whole)


@given(st.sampled_from(list(AVERAGES.values())), st.randoms(use_true_random=False))
def test_no_order_changes_an_average_and_no_hole_leaves_one(average, chance: random.Random) -> None:
    found = {entry: chance.random() for entry in NINE.entries}
    mixed = list(found.items())
    chance.shuffle(mixed)
    terms = [tuple(chance.sample(term, len(term))) for term in average.terms]
    chance.shuffle(terms)
    again = type(average)("again", "", tuple(terms), "")
    assert of(average, found) == of(again, dict(mixed))
    lost = set(chance.sample(average.entries, chance.randint(1, len(average.entries))))
    holed = {entry: value for entry, value in found.items() if entry not in lost}
    assert of(average, holed) is None
    assert set(missing(average, holed)) == lost
    have, among = coverage(average, holed)
    assert (have, among) == (sum(not lost & set(t) for t in average.terms), len(average.terms))
    assert have < among


def run(task: str, seed: int, *, scale: float = 0.01, **changed: object) -> Record:
    row = TASKS[task]
    found = {split: dict.fromkeys(row.metrics, scale * seed) for split in row.evaluated}
    return record(Case(task, "toy-bert", "cpu-fp32", seed), **{"metrics": found} | changed)


def test_a_sheet_is_the_mean_over_ok_runs() -> None:
    dead = {"metrics": {}, "score": None, "status": "failed", "reason": "x"}
    found = sheet(cells([run("mnli", 1), run("mnli", 4), run("rte", 2), run("rte", 3, **dead)]))
    assert found == {
        ("mnli_m", "accuracy"): pytest.approx(0.025),
        ("mnli_mm", "accuracy"): pytest.approx(0.025),
        ("rte", "accuracy"): pytest.approx(0.02),
    }


def test_of_two_cells_of_a_task_the_later_ok_one_counts() -> None:
    old, new = run("mrpc", 1, cell_key="a"), run("mrpc", 2, cell_key="b")
    dead = run("mrpc", 3, cell_key="c", metrics={}, score=None, status="failed", reason="x")
    found = sheet(cells([old, new, dead]))
    assert found == dict.fromkeys([("mrpc", "accuracy"), ("mrpc", "f1")], pytest.approx(0.02))


@given(st.lists(st.floats(0, 1), min_size=13, max_size=13))
def test_glue_9_is_the_mean_of_the_scores_that_runs_have(values: list[float]) -> None:
    figures = iter(values)
    found, scores = [], []
    for task in GLUE_9:
        row = TASKS[task]
        by_split = {s: {metric: next(figures) for metric in row.metrics} for s in row.evaluated}
        found.append(run(task, 1, metrics=by_split))
        scores.append(metrics.score(by_split))
    assert of(NINE, sheet(cells(found))) == pytest.approx(sum(scores) / 9)
