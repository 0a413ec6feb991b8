"""Rows that were changed behind a commit, by which the key alone would not tell."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from harness.catalog import tasks
from harness.compare import thresholds
from harness.compare.comparison import Comparison, compare
from harness.compare.verdicts import Verdict
from harness.data import custom as own_rows
from harness.data import load, row_sources, toy
from harness.planning.resume import Resume
from harness.records.cells import cells
from harness.records.schema import DataRecord, Record, SplitRecord
from harness.records.store import Store
from harness.spec import Case, CustomRows, DataRequest, RunConfig, Task
from tests.support import hub_server
from tests.support.builders import TABLE, record
from tests.support.cell_runs import NOW, side, spread
from tests.support.configs import resolved

pytestmark = pytest.mark.cases
RTE = tasks.TASKS["rte"]


def put_rte(hub_cache: Path) -> Path:
    return hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, hub_server.glue("rte"))


def change(snapshot: Path, name: str) -> None:
    """Put other texts in place of a split's."""
    rows = toy.generate("rte")[name]
    others = dataclasses.replace(rows, texts=[(f"a {row}", "b") for row in rows.ids])
    file = snapshot / "rte" / f"{name}-00000-of-00001.parquet"
    file.write_bytes(hub_server.parquet(RTE, name, others))


def config_of() -> RunConfig:
    return resolved(Case("rte", "toy-bert", "cpu-fp32", 42), DataRequest("hub"), threads=1)


def test_rows_of_the_hub_are_those_of_the_files_now(hub_cache: Path) -> None:
    snapshot = put_rte(hub_cache)
    request = row_sources.located(DataRequest("hub"), RTE)
    before = load.load(request, RTE)
    change(snapshot, "validation")
    after = load.load(request, RTE)
    assert after.splits["validation"].texts[0] == ("a 0", "b")
    assert after.info["validation"].sha256 != before.info["validation"].sha256
    assert after.info["train"] == before.info["train"]


def test_rows_that_datasets_reads_are_those_of_the_files_now(hub_cache: Path) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n"
    card += "".join(f"  - {{split: {s}, path: {s}.txt}}\n" for s in ("train", "test")) + "---\n"
    files = {"train.txt": b"one\ntwo\n", "test.txt": b"one\n"}
    snapshot = hub_server.put_in_cache(
        hub_cache, "dataset", "org/texts", {"README.md": card.encode(), **files}
    )
    own = CustomRows("text", {"train": "train", "validation": "test"}, hub="org/texts")
    task = Task("texts", "texts", ("text",), ("one", "two"), ("accuracy",), {}, custom=own)
    assert own_rows.read_split(task, "train", snapshot).texts[0] == ("one",)
    (snapshot / "train.txt").write_bytes(b"two\none\n")
    assert own_rows.read_split(task, "train", snapshot).texts[0] == ("two",)


@pytest.mark.parametrize("name", ["train", "validation"])
def test_a_run_is_not_kept_for_other_rows_of_the_same_commit(
    hub_cache: Path, tmp_path: Path, name: str
) -> None:
    snapshot, config, store = put_rte(hub_cache), config_of(), Store(tmp_path / "results")
    info = load.load(config.data, RTE).info
    splits = {name: SplitRecord(**dataclasses.asdict(split)) for name, split in info.items()}
    made = record(config.case, cell_key=config.cell_key, identity=dict(config.identity))
    data = DataRecord(splits=splits, truncated_rows={})
    made = store.save(made.model_copy(update={"data": data}), TABLE)
    assert Resume(store).find(config_of()).record == made
    change(snapshot, name)
    assert config_of().cell_key == config.cell_key
    found = Resume(store).find(config_of())
    assert found.record is None
    assert found.reasons == (
        f"rows of {name}: the files in the Hub's cache are of the same commit, and hold other rows",
    )


def runs(mean: float, count: int, first: int, **rows: str) -> list[Record]:
    """Runs of one key, on rows with these hashes."""
    splits = {
        name: SplitRecord(rows=9, rows_in_source=9, dropped=0, sha256=sign * 64, official=False)
        for name, sign in rows.items()
    }
    data = DataRecord(splits=splits, truncated_rows={})
    return side(spread(mean, count), first=first, data=data)


def judged(base: list[Record], new: list[Record]) -> Comparison:
    return compare(base, new, thresholds.from_option(["score:-0.2pt"]))


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ({"train": "a", "validation": "b"}, Verdict.WORSE),
        ({"train": "a", "validation": "b", "test": "c"}, Verdict.WORSE),
        ({"train": "a", "validation": "x"}, Verdict.INCOMPARABLE),
        ({"train": "x", "validation": "b"}, Verdict.INCOMPARABLE),
    ],
)
def test_scores_on_other_rows_are_not_compared(rows: dict[str, str], verdict: Verdict) -> None:
    base = runs(0.9, 10, 42, train="a", validation="b")
    (found,) = judged(base, runs(0.7, 5, 60, **rows)).verdicts
    assert found.verdict is verdict
    if verdict is Verdict.INCOMPARABLE:
        (other,) = (name for name in ("train", "validation") if rows[name] == "x")
        assert f"rows of {other}: was" in found.reasons[0]


@pytest.mark.parametrize(("held_out", "means"), [(0.0, [0.9, 0.5]), (0.1, [0.7])])
def test_runs_trained_on_other_rows_are_no_seeds_of_one_cell(
    held_out: float, means: list[float]
) -> None:
    """But where each seed sets some of the rows aside."""
    one = runs(0.9, 5, 42, train="a", validation="b")
    other = runs(0.5, 5, 60, train="x", validation="b")
    made = [
        run.model_copy(update={"recipe": {**run.recipe, "held_out": held_out}})
        for run in (*one, *other)
    ]
    assert [cell.mean for cell in cells(made)] == pytest.approx(means, abs=0.001)


def test_a_cell_is_joined_to_the_one_with_its_rows() -> None:
    old = runs(0.9, 10, 42, train="a", validation="b")
    newer = [
        run.model_copy(update={"created": NOW + timedelta(hours=1)})
        for run in runs(0.5, 10, 42, train="a", validation="x")
    ]
    found = judged([*old, *newer], runs(0.9, 5, 60, train="a", validation="b"))
    assert [cell.verdict for cell in found.verdicts] == [Verdict.CANNOT_TELL, Verdict.GONE]
