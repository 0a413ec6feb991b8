"""What may differ between two sides, and what has to be the same."""

from __future__ import annotations

from typing import Any

import pytest

from harness.compare import thresholds, verdict_tables
from harness.compare.comparison import Comparison, compare
from harness.compare.subject import DEFAULT, Subject, shortened
from harness.compare.verdicts import Verdict
from harness.records.identity import key_of
from harness.records.parts import PARTS
from harness.records.schema import DataRecord, Record
from tests.support.board_runs import split_record
from tests.support.cell_runs import facts, run, side, spread

GOOD, BAD = spread(0.9, 10), spread(0.85, 10)
LIMITS = thresholds.from_option(["score:-0.2pt"])
OTHER_COMMIT = {"commit": "b" * 40}


def changed(*path: str) -> dict[str, Any]:
    """An identity in which one input is another, and its key."""
    identity = {**run(1).identity}
    first, *rest = path
    identity[first] = {**identity[first], **({rest[0]: "another"} if rest else {})}
    return {"identity": identity, "cell_key": key_of(identity)}


def rows(train: str = "a" * 64, validation: str = "b" * 64) -> DataRecord:
    """Rows whose splits have these hashes."""
    splits = {"train": train, "validation": validation}
    made = {name: split_record(sha256=sha256) for name, sha256 in splits.items()}
    return DataRecord(splits=made, truncated_rows={})


def of(base: list[Record], new: list[Record], *subject: str) -> Comparison:
    return compare(base, new, LIMITS, subject=Subject(subject) if subject else DEFAULT)


INPUTS = [
    ("model", ("model_files", "model.safetensors")), ("model", ("adaptation", "scratch")),
    ("recipe", ("recipe", "learning_rate")), ("data", ("data", "max_train")),
    ("target", ("target", "autocast")), ("glue-bench", ("numerics", "all")),
]  # fmt: skip


@pytest.mark.parametrize(("part", "path"), INPUTS)
def test_what_a_commit_moved_is_compared_and_shown(part: str, path: tuple[str, str]) -> None:
    inputs = changed(*path)
    comparison = of(side(GOOD), facts(side(BAD, **inputs), **OTHER_COMMIT))
    (cell,) = comparison.verdicts
    assert cell.verdict is Verdict.WORSE
    assert [line.partition(":")[0] for line in cell.compared] == [".".join(path)]
    text = " ".join(verdict_tables.text(comparison).split())
    assert f"what is compared: {'.'.join(path)}: was" in text


@pytest.mark.parametrize(("part", "path"), INPUTS)
def test_in_one_commit_it_has_to_be_named(part: str, path: tuple[str, str]) -> None:
    base, new = side(GOOD), side(BAD, **changed(*path))
    (cell,) = of(base, new).verdicts
    assert cell.verdict is Verdict.INCOMPARABLE
    assert f"Fix: --glue-subject {part}, if that is what you compare" in cell.reasons[0]
    assert of(base, new, part).verdicts[0].verdict is Verdict.WORSE
    assert of(base, new, *({*PARTS} - {part})).verdicts[0].verdict is Verdict.INCOMPARABLE


@pytest.mark.parametrize("names", [(), ("model",), (*PARTS,)])
def test_the_rows_that_are_scored_and_the_metrics_are_never_the_subject(
    names: tuple[str, ...],
) -> None:
    base = side(GOOD, data=rows())
    for new in (
        side(GOOD, data=rows(validation="e" * 64)),
        side(GOOD, data=rows(), **changed("task", "metrics")),
    ):
        (cell,) = of(base, facts(new, **OTHER_COMMIT), *names).verdicts
        assert cell.verdict is Verdict.INCOMPARABLE
        assert "has to be the same on both sides" in cell.reasons[0]


def test_other_training_rows_are_what_a_change_of_data_is() -> None:
    base, other = side(GOOD, data=rows()), side(GOOD, data=rows(train="e" * 64))
    assert of(base, other).verdicts[0].verdict is Verdict.INCOMPARABLE
    for found in (of(base, other, "data"), of(base, facts(other, **OTHER_COMMIT))):
        (cell,) = found.verdicts
        assert (cell.verdict.is_decided, len(cell.compared)) == (True, 1)
        assert cell.compared[0].startswith("rows of train: was ")


def test_what_is_beyond_the_declared_subject_is_named() -> None:
    new = facts(side(GOOD, **changed("model_files", "model.safetensors")), torch="2.14.0")
    (cell,) = of(side(GOOD), new, "model").verdicts
    assert cell.verdict is Verdict.INCOMPARABLE
    assert cell.reasons == [
        "torch: was '2.13.0', is '2.14.0'. Fix: --glue-subject model,versions, if that is what you "
        "compare"
    ]
    assert of(side(GOOD), new, "model", "versions").verdicts[0].verdict is Verdict.NOT_WORSE
    moved = facts(new, torch="2.13.0", **OTHER_COMMIT)
    (cell,) = of(side(GOOD), moved, "model").verdicts
    assert cell.reasons[0].startswith("code: was commit aaaaaaa, is commit bbbbbbb. Fix: ")


@pytest.mark.parametrize("version", ["2.13.0", "2.13.0+cpu", "2.13.0+cu126"])
def test_builds_of_one_version_are_one_version(version: str) -> None:
    new = facts(side(GOOD), torch=version)
    assert of(side(GOOD), new).verdicts[0].verdict is Verdict.NOT_WORSE


@pytest.mark.parametrize("same", [{"dirty": True}, {"commit": None, "dirty": None}])
def test_changed_files_and_files_without_a_repository_may_have_moved_anything(
    same: dict[str, Any],
) -> None:
    inputs = changed("recipe", "learning_rate")
    new = facts(side(BAD, session="later", **inputs), **same)
    (cell,) = of(facts(side(GOOD, session="earlier"), **same), new).verdicts
    assert cell.verdict is Verdict.WORSE


def test_a_target_or_model_of_another_name_is_compared_where_it_is_the_subject() -> None:
    base = side(GOOD, model="old") + side(GOOD, task="rte", model="old")
    new = [
        side(BAD, model="new", **changed("model_files", "x")),
        side(GOOD, task="rte", model="new", **changed("model_files", "x")),
    ]
    moved = [*new[0], *new[1]]
    found = {cell.name: cell.verdict for cell in of(base, moved, "model").verdicts}
    assert [*found] == ["sst2-new-cpu-fp32", "rte-new-cpu-fp32"]
    rivals = moved + side(GOOD, model="newer", **changed("model_files", "y"))
    left = {cell.name: cell.verdict for cell in of(base, rivals, "model").verdicts}
    assert left["sst2-new-cpu-fp32"] is left["sst2-newer-cpu-fp32"] is Verdict.NEW


def test_a_long_list_of_differences_ends_with_their_number() -> None:
    assert shortened(["a", "b"]) == "a; b"
    assert shortened([*"abcdefgh"]) == "a; b; c; d; e; f; and 2 more"
