from __future__ import annotations

import csv
import io
from importlib import resources
from pathlib import Path

import pytest

from harness.catalog import models, references, tasks
from harness.errors import UsageError
from harness.metrics import METRICS
from harness.spec import Model
from tests.support.locations import ROOT
from tests.support.pytest_project import glue_bench

FACTS = ROOT.parent / "shared" / "facts"
FOLDER = resources.files("harness").joinpath("published")
FILES = {"results.csv": "reference_results.csv", "seed_sd.csv": "seed_std.csv"}


def one(**wanted: str) -> references.Published:
    (found,) = [row for row in references.published() if wanted.items() <= row.printed.items()]
    return found


@pytest.mark.parametrize("name", FILES)
def test_the_package_files_are_their_sources_line_by_line(name: str) -> None:
    source = FACTS / FILES[name]
    if not source.is_file():
        pytest.skip(f"no {source.name} beside this checkout, in shared/facts")
    text = FOLDER.joinpath(name).read_text("utf-8")
    for ours, theirs in zip(_lines(text), _lines(source.read_text("utf-8")), strict=True):
        assert ours == theirs


def _lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("name", [*FILES, "README.md"])
def test_the_files_name_no_path_of_a_machine(name: str) -> None:
    text = FOLDER.joinpath(name).read_text("utf-8")
    assert not any(word in text for word in ("/work", "/root", "/home", "/tmp", "\\"))


def test_every_line_is_read_and_has_its_source() -> None:
    rows, sds = references.published(), references.seed_sds()
    assert (len(rows), len(sds)) == (1094, 86)
    assert all(row.source for row in (*rows, *sds))
    assert all(-0.2 < row.value <= 1 for row in rows)
    assert {row.kind for row in rows} == {"paper", "readme", "model-card"}
    (unstated,) = [row for row in sds if row.sd is None]
    assert (unstated.model, unstated.task, unstated.n) == ("bert-base-uncased", "mrpc", None)


def test_what_is_comparable_has_our_task_split_and_metrics() -> None:
    for row in references.published():
        if row.metric is not None:
            assert {*row.splits} <= {*tasks.TASKS[row.task].rows}
            assert {*row.metrics} <= {*METRICS}
            assert row.is_dev == row.split.startswith("validation")
    unnamed = [row for row in references.published() if row.metric is None]
    assert len(unnamed) == 197
    assert {"avg", "qnli_v1"} <= {row.task for row in unnamed}
    assert "unspecified" in {row.printed["metric"] for row in unnamed}


def test_the_halves_of_mnli_are_apart_and_pairs_are_means() -> None:
    cased = "bert-base-cased (run_glue fp32)"
    assert one(model=cased, task="mnli_m").split == "validation_matched"
    assert one(model=cased, task="mnli_mm").split == "validation_mismatched"
    assert one(model=cased, task="mnli_m").value == pytest.approx(0.8391)
    both = next(r for r in references.published() if r.printed["metric"] == "acc_mean_m_mm")
    assert both.splits == ("validation_matched", "validation_mismatched")
    pair = one(model="bert-base", task="mrpc", metric="acc_f1_mean")
    assert pair.metrics == ("accuracy", "f1")
    # Which half is not said: neither.
    assert one(model="bert-base", task="mnli", metric="acc").metric is None


def test_other_rows_than_the_tasks_own_are_not_comparable() -> None:
    assert one(model="bert-base", task="qnli", value="88.4").metric is None  # probably QNLI v1
    tutorial = one(model="bert-base-uncased (McCormick tutorial)")
    assert (tutorial.task, tutorial.metric) == ("cola-ood", "matthews_correlation")


def test_an_accuracy_that_no_number_of_right_answers_makes() -> None:
    eight = "bert-base-uncased (run_glue, 8xV100)"
    assert not one(model=eight, task="rte").is_possible  # 197/277 is 71.12, 198/277 is 71.48
    assert one(model=eight, task="wnli").is_possible  # 31/71
    assert one(model=eight, task="cola").is_possible  # no accuracy
    of_one, of_five = (f"BERT arXiv:1810.04805 Table {number}" for number in (5, 6))
    assert not one(source=of_one, model="bert-base", task="mrpc").is_possible  # 354/408 is 86.76
    # The same value as a mean of five runs is possible.
    assert one(source=of_five, model="bert-base", task="mrpc").is_possible


def test_every_name_that_a_model_is_published_under_is_there() -> None:
    known = {row.model for row in references.published()}
    named = [name for row in models.MODELS.values() for name in row.published]
    assert {*named} <= known
    assert len(named) == len({*named}), "one published model stands for two of ours"
    assert references.names_of("bert-base-uncased")["bert-base-uncased"] == ""
    assert references.names_of("bert-base-uncased")["bert-base"]
    assert references.names_of("minilm")["minilm-l6-h384-uncased"]
    assert not references.names_of("bert-base-uncased+scratch")


def test_the_seed_sd_is_of_the_same_model_task_and_metric() -> None:
    found = references.seed_sd("bert-base-uncased", "rte", "accuracy")
    assert found is not None
    assert (found.sd, found.n) == (pytest.approx(0.0204), 20)
    for other in (
        ("bert-base-uncased", "cola", "matthews_correlation"),  # that of its accuracy is known
        ("bert-base-uncased", "mrpc", "f1"),
        ("bert-base-uncased", "stsb", "pearson"),  # which correlation is not said
        ("minilm", "rte", "accuracy"),
    ):
        assert references.seed_sd(*other) is None


def test_a_related_models_seed_sd_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    student = Model("student", path="/x", published={"bert-base-uncased": "its teacher"})
    monkeypatch.setitem(models.MODELS, student.name, student)
    assert references.of("student", "mrpc")
    assert references.seed_sd("student", "rte", "accuracy") is None


def test_a_sound_recipes_seed_sd_comes_first() -> None:
    found = references.seed_sd("bert-large-uncased", "rte", "accuracy")
    assert found is not None
    assert (found.setup.split(":")[0], found.sd) == ("Mosbach", pytest.approx(0.024))


def test_select() -> None:
    whole = references.select()
    assert whole == list(references.published())
    mnli = references.select(task="MNLI-m")
    assert {row.printed["task"] for row in mnli} == {"mnli", "mnli_m", "mnli_mm"}
    ours = references.select(model="bert-base-cased")
    assert {row.model for row in ours} == {*references.names_of("bert-base-cased")}
    theirs = references.select(task="rte", model="electra-base", split="dev")
    assert [row.printed["value"] for row in theirs] == ["82.7"]
    with pytest.raises(UsageError, match="Did you mean 'sst2'"):
        references.select(task="sts2")
    with pytest.raises(UsageError, match="Did you mean 'electra-base'"):
        references.select(model="electra-bas")


def test_the_list(capsys, monkeypatch) -> None:
    code, out, _ = glue_bench(
        capsys, monkeypatch, "list", "references", "--task", "mrpc", "--model", "bert-base"
    )
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "86.7 " in out
    assert "Results: 4" in out
    assert "Fewer:" not in out
    whole = glue_bench(capsys, monkeypatch, "list", "references")[1]
    assert whole.endswith("Fewer: --task TASK, --model MODEL, --split dev|test.\n")
    code, out, _ = glue_bench(
        capsys, monkeypatch, "list", "references", "--task", "avg", "--split", "test"
    )
    assert (code, "(glue_score)" in out, " dev " in out) == (0, True, False)
    code, out, err = glue_bench(capsys, monkeypatch, "list", "tasks", "--split", "dev")
    assert (code, out) == (2, "")
    assert "--split fits only `glue-bench list references`" in err


def test_the_wheel_has_the_files() -> None:
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    files = {
        Path(file.distribution_path)
        for file in builder.WheelBuilder(str(ROOT)).recurse_included_files()
    }
    for name in (*FILES, "README.md"):
        assert Path("harness/published") / name in files
