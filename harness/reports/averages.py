"""The averages that are called "GLUE", each with a name and a definition.

Figures are fractions. An average is the unweighted mean of its terms, and a term is the mean of its
entries. Where an entry is missing there is no average: over fewer terms it would be another one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from harness.catalog.tasks import GLUE_9, TASKS
from harness.records.cells import Cell

ScoreKey = tuple[str, str]
"""A column and one of its metrics, by Hugging Face's name."""

ScoreRow = Mapping[ScoreKey, float]
"""The figures of one row of a board. A task is a column; MNLI is two, `mnli_m` and `mnli_mm`."""

SUFFIXES = {"validation": "", "validation_matched": "_m", "validation_mismatched": "_mm"}
"""What a column's name has behind its task's, by the split it was scored on."""


@dataclass(frozen=True)
class Average:
    """A named average; `definition` has to be printed beside every number."""

    name: str
    definition: str
    terms: tuple[tuple[ScoreKey, ...], ...]
    source: str

    @property
    def entries(self) -> tuple[ScoreKey, ...]:
        """Every score that it needs."""
        return tuple(entry for term in self.terms for entry in term)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, once each."""
        return tuple(dict.fromkeys(column for column, _ in self.entries))


def term(task: str) -> tuple[ScoreKey, ...]:
    """A task's score as GLUE defines it: all its metrics on all its dev sets, as one term."""
    row = TASKS[task]
    return tuple((task + SUFFIXES[split], name) for split in row.evaluated for name in row.metrics)


def _each(*entries: ScoreKey) -> tuple[tuple[ScoreKey, ...], ...]:
    """Terms of one entry each."""
    return tuple((entry,) for entry in entries)


MCC, ACCURACY, F1 = "matthews_correlation", "accuracy", "f1"
MNLI = (("mnli_m", ACCURACY), ("mnli_mm", ACCURACY))
SINGLE = (("cola", MCC), ("sst2", ACCURACY), ("qnli", ACCURACY), ("rte", ACCURACY))
"""The tasks without a choice: all averages but GLUE's own read the same metric of them."""
PEARSON, SPEARMAN = ("stsb", "pearson"), ("stsb", "spearmanr")

AVERAGES: dict[str, Average] = {
    average.name: average
    for average in (
        Average(
            "GLUE-9",
            "mean of the nine task scores; metric pairs and MNLI-m/-mm averaged first",
            tuple(map(term, GLUE_9)),
            "GLUE paper (Wang et al. 2019, arXiv:1804.07461), section 3.4; the leaderboard's score",
        ),
        Average(
            "GLUE-8",
            "GLUE-9 without WNLI",
            tuple(term(task) for task in GLUE_9 if task != "wnli"),
            "usual where WNLI is left out, for its adversarial dev set",
        ),
        Average(
            "BERT",
            "mean of nine columns, MNLI-m and -mm apart, no WNLI; F1 for MRPC and QQP, Spearman "
            "for STS-B",
            _each(*SINGLE, *MNLI, ("mrpc", F1), ("qqp", F1), SPEARMAN),
            "BERT (Devlin et al. 2019, arXiv:1810.04805), Table 1; TinyBERT (arXiv:1909.10351)",
        ),
        Average(
            "ELECTRA",
            "mean of eight tasks, no WNLI; accuracy for MRPC and QQP, Spearman for STS-B, MNLI-m "
            "alone",
            _each(*SINGLE, MNLI[0], ("mrpc", ACCURACY), ("qqp", ACCURACY), SPEARMAN),
            "ELECTRA (Clark et al. 2020, arXiv:2003.10555), Table 2",
        ),
        Average(
            "MosaicBERT",
            "mean of eight tasks, no WNLI; accuracy and F1 averaged for MRPC and QQP, MNLI-m and "
            "-mm averaged, Spearman for STS-B",
            (
                *(term(task) for task in GLUE_9 if task not in ("stsb", "wnli")),
                *_each(SPEARMAN),
            ),
            "glue.py of MosaicBERT (mosaicml/examples) and ModernBERT (arXiv:2412.13663, Table 5); "
            "theirs start RTE, MRPC and STS-B from an MNLI checkpoint",
        ),
        Average(
            "cramming",
            "mean of nine columns, MNLI-m and -mm apart, no WNLI; F1 for MRPC and QQP, Pearson "
            "for STS-B",
            _each(*SINGLE, *MNLI, ("mrpc", F1), ("qqp", F1), PEARSON),
            "Cramming (Geiping and Goldstein 2022, arXiv:2212.14034): its model card, and the "
            "target_metrics of its code",
        ),
        Average(
            "main",
            "mean over the nine tasks of each one's first metric on its first dev set (an average "
            "of this project's own)",
            tuple(term(task)[:1] for task in GLUE_9),
            "glue-bench",
        ),
    )
}


def sheet(cells: Iterable[Cell]) -> ScoreRow:
    """The mean over ok runs of every metric on a dev set, for the cells of one row of a board.

    If a task has two cells, the later one that has an ok run counts.
    """
    figures: dict[ScoreKey, float] = {}
    for cell in {cell.task: cell for cell in cells if cell.ok}.values():
        found: dict[ScoreKey, list[float]] = defaultdict(list)
        for run in cell.ok:
            for split, suffix in SUFFIXES.items():
                for metric, value in run.metrics.get(split, {}).items():
                    found[cell.task + suffix, metric].append(value)
        figures |= {entry: fmean(values) for entry, values in found.items()}
    return figures


def of(average: Average, sheet: ScoreRow) -> float | None:
    """The average of a row; None if an entry is missing. The order of the entries has no effect."""
    if missing(average, sheet):
        return None
    return fmean(fmean(sheet[entry] for entry in term) for term in average.terms)


def missing(average: Average, sheet: ScoreRow) -> tuple[ScoreKey, ...]:
    """The entries of an average that a row does not have."""
    return tuple(entry for entry in average.entries if entry not in sheet)


def coverage(average: Average, sheet: ScoreRow) -> tuple[int, int]:
    """How many of an average's terms a row has completely, and how many there are."""
    whole = sum(all(entry in sheet for entry in term) for term in average.terms)
    return whole, len(average.terms)
