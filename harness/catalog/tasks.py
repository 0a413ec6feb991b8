"""GLUE's tasks as rows.

Columns, label order and row counts are those of `nyu-mll/glue` on the Hugging Face Hub. Class
counts, mean labels and rows shared with the training file were counted on the official files; only
the training counts of QQP and MNLI are published ones. Metrics are those of the GLUE paper (Wang et
al. 2019, section 3), under Hugging Face's names.
"""

from __future__ import annotations

from harness.errors import UsageError
from harness.spec import Split, Task
from harness.text.names import unknown

ENTAILMENT = ("entailment", "not_entailment")
NLI = ("entailment", "neutral", "contradiction")
PAIR = ("sentence1", "sentence2")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            "cola",
            "CoLA",
            ("sentence",),
            ("unacceptable", "acceptable"),
            ("matthews_correlation",),
            rows={"train": 8551, "validation": 1043, "test": 1063},
            class_counts={"train": (2528, 6023), "validation": (322, 721)},
            shared_with_train={"validation": 16},
        ),
        Task(
            "sst2",
            "SST-2",
            ("sentence",),
            ("negative", "positive"),
            ("accuracy",),
            rows={"train": 67349, "validation": 872, "test": 1821},
            class_counts={"train": (29780, 37569), "validation": (428, 444)},
            shared_with_train={"validation": 0},
        ),
        Task(
            "mrpc",
            "MRPC",
            PAIR,
            ("not_equivalent", "equivalent"),
            ("accuracy", "f1"),
            rows={"train": 3668, "validation": 408, "test": 1725},
            class_counts={"train": (1194, 2474), "validation": (129, 279)},
            shared_with_train={"validation": 0},
        ),
        Task(
            "stsb",
            "STS-B",
            PAIR,
            (),
            ("pearson", "spearmanr"),
            rows={"train": 5749, "validation": 1500, "test": 1379},
            label_range=(0.0, 5.0),
            label_means={"train": 2.700999},
            shared_with_train={"validation": 6},
        ),
        Task(
            "qqp",
            "QQP",
            ("question1", "question2"),
            ("not_duplicate", "duplicate"),
            ("accuracy", "f1"),
            rows={"train": 363846, "validation": 40430, "test": 390965},
            earlier_rows={"train": 363849},  # until September 2020
            class_counts={"train": (229468, 134378), "validation": (25545, 14885)},
        ),
        Task(
            "mnli",
            "MNLI",
            ("premise", "hypothesis"),
            NLI,
            ("accuracy",),
            rows={
                "train": 392702,
                "validation_matched": 9815,
                "validation_mismatched": 9832,
                "test_matched": 9796,
                "test_mismatched": 9847,
            },
            class_counts={
                "train": (130899, 130900, 130903),
                "validation_matched": (3479, 3123, 3213),
                "validation_mismatched": (3463, 3129, 3240),
            },
            evaluated=("validation_matched", "validation_mismatched"),
            predicted=("test_matched", "test_mismatched"),
        ),
        Task(
            "qnli",
            "QNLI",
            ("question", "sentence"),
            ENTAILMENT,
            ("accuracy",),
            rows={"train": 104743, "validation": 5463, "test": 5463},
            class_counts={"train": (52366, 52377), "validation": (2702, 2761)},
        ),
        Task(
            "rte",
            "RTE",
            PAIR,
            ENTAILMENT,
            ("accuracy",),
            rows={"train": 2490, "validation": 277, "test": 3000},
            class_counts={"train": (1249, 1241), "validation": (146, 131)},
            shared_with_train={"validation": 0},
        ),
        Task(
            # The reverse of the order of RTE and QNLI: in GLUE's files 1 means entailment.
            "wnli",
            "WNLI",
            PAIR,
            ("not_entailment", "entailment"),
            ("accuracy",),
            rows={"train": 635, "validation": 71, "test": 146},
            class_counts={"train": (323, 312), "validation": (40, 31)},
            shared_with_train={"validation": 0},
            # 54 of its 71 dev premises have only one label in train, which is the opposite one.
            is_adversarial=True,
        ),
        Task(
            # The diagnostic set. It has no labels here, and every MNLI model predicts it. Its score
            # R3 is the three-class Matthews correlation.
            "ax",
            "AX",
            ("premise", "hypothesis"),
            NLI,
            ("matthews_correlation",),
            rows={"test": 1104},
            evaluated=(),
            part_of="mnli",
        ),
        Task(
            # The first half of CoLA's dev set is in domain, the second out of domain. McCormick
            # and Ryan's tutorial scores only the second, so its 0.498 is not a CoLA dev score.
            "cola-ood",
            "CoLA, out of domain",
            ("sentence",),
            ("unacceptable", "acceptable"),
            ("matthews_correlation",),
            rows={"train": 8551, "validation": 516},
            class_counts={"train": (2528, 6023), "validation": (162, 354)},
            shared_with_train={"validation": 12},
            predicted=(),
            rows_of="cola",
            only={"validation": (527, 1043)},
        ),
    )
}

GLUE_9 = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli")
"""The tasks of the GLUE score: the unweighted mean of the task scores (GLUE paper, section 3.4)."""

DATA_SETS = (*GLUE_9, "ax")
"""The tasks with files of their own; the others are parts of these."""

ALIASES = {
    "sst-2": "sst2",
    "sts-b": "stsb",
    "mnli_matched": "mnli",
    "mnli_mismatched": "mnli",
    "mnli-m": "mnli",
    "mnli-mm": "mnli",
    "diagnostic": "ax",
}


def get(name: str) -> Task:
    """The row of a task, by name or by one of its common spellings.

    Raises `UsageError` with the nearest known name.
    """
    key = name.strip().lower()
    key = ALIASES.get(key, key)
    if key not in TASKS:
        raise UsageError(unknown("task", name, TASKS))
    return TASKS[key]


def parts(name: str) -> tuple[Task, ...]:
    """The evaluation sets that every model of a task predicts beside the task's own."""
    return tuple(task for task in TASKS.values() if task.part_of == name)


def agreement(task: Task, name: str, split: Split) -> dict[str, bool]:
    """Whether a split has the official number of rows, and of each class where that is known."""
    if len(split) == task.earlier_rows.get(name):
        return {"rows": True}
    agrees = {"rows": len(split) == task.rows[name]}
    if name in task.class_counts:
        counts = task.class_counts[name]
        labels = list(split.labels or ())
        agrees["class counts"] = counts == tuple(map(labels.count, range(len(counts))))
    return agrees
