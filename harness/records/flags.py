"""Flags as rows: facts beside a score, and which figures of a run each of them spoils.

`training.checks` says which flags a run has.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Spoils(Enum):
    """Which use of a run's figures a flag forbids."""

    GATE_MEAN = auto()  # the gate counts the run, and leaves its score out of the mean
    TIMES = auto()  # its times are not compared
    PUBLISHED = auto()  # its score is not compared with published ones
    TEST = auto()  # its test fails, where the profile demands scores above the floor
    CHOICE = auto()  # its dev score does not choose the run that is submitted


@dataclass(frozen=True)
class Flag:
    """What a flag means, which figures it spoils, and what it says elsewhere."""

    meaning: str
    spoils: Spoils | None = None
    mark: str = ""  # beside every score that such a run is part of
    submission: str = ""  # said of a file of a GLUE submission whose run has the flag
    is_of_cell: bool = False  # seen only across the runs of a cell: no run has it itself


CONTAMINATED = "contaminated"
FLAGS: dict[str, Flag] = {
    "collapsed": Flag(
        "predicts one class, or one value, for every row",
        Spoils.GATE_MEAN,
        submission="the same label in every row",
    ),
    "at_floor": Flag(
        "scores no better than the best constant predictor",
        Spoils.TEST,
        submission="no better than the best constant predictor",
    ),
    "flat_loss": Flag("the training loss did not fall"),
    "unstable": Flag("fp16 left out more than 5% of the updates", Spoils.GATE_MEAN),
    "degraded": Flag(
        "ran out of memory and was computed in smaller parts: its times are not comparable",
        Spoils.TIMES,
    ),
    "noisy": Flag("the machine's speed changed while it ran", Spoils.TIMES),
    "subset": Flag(
        "trained or scored on a part of the data set, or on rows that are not GLUE's",
        Spoils.PUBLISHED,
    ),
    "train_overlap": Flag(
        "scored on rows whose texts are training rows too: the record says how many",
        Spoils.CHOICE,
        submission="scored on training rows, so that dev flatters",
    ),
    "missing_labels": Flag("a label had no training row: the record names it"),
    CONTAMINATED: Flag("the model's pretraining saw this task's texts", mark="†"),
    "warm_start": Flag("began from weights that were fine-tuned on a task before"),
    "shared_cores": Flag("ran beside other runs: its times are not comparable", Spoils.TIMES),
    "same_seed": Flag("its seeds had the same losses, or the same order of rows", is_of_cell=True),
}


def marked(name: str) -> str:
    """What a flag's mark means, for the notes under a table."""
    return f"{FLAGS[name].mark} {name}: {FLAGS[name].meaning}"


def that_spoil(use: Spoils) -> tuple[str, ...]:
    """The flags that forbid a use of a run's figures."""
    return tuple(name for name, flag in FLAGS.items() if flag.spoils is use)
