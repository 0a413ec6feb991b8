"""Which stored runs a session keeps, and how it says why."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.catalog import models, recipes, targets, tasks
from harness.catalog.models import Adapted
from harness.data import sample, toy
from harness.errors import WorkerCrashed
from harness.planning.resume import Resume
from harness.records.schema import Outcome, Record
from harness.records.store import Store, file_name
from harness.spec import Case, DataRequest, Model, Recipe, RunConfig, Target, Task
from tests.support.builders import TABLE, outcome, record
from tests.support.configs import resolved
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.pytest_project import glue_bench, run

CASE, TOY = Case("rte", "toy-bert", "cpu-fp32", 42), DataRequest("toy")
RTE = ("-k", "rte")


def config_of(**changed: Any) -> RunConfig:
    return resolved(**{"case": CASE, "request": TOY, "threads": 1} | changed)


def stored_for(config: RunConfig, folder: Path, **changed: Any) -> Record:
    """A stored ok run of a configuration."""
    made = record(config.case, cell_key=config.cell_key, identity=dict(config.identity))
    return Store(folder).save(made.model_copy(update=changed), TABLE)


def submitted(engine: FakeEngine) -> list[str]:
    return [config.case.target for config in engine.submitted]


def test_a_session_goes_on_where_another_was_cut_off(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    def dies(config: Any) -> Outcome | WorkerCrashed:
        return outcome() if config.case.target == "cpu-fp32" else WorkerCrashed("killed")

    ANSWERS[0] = dies
    run(project, *RTE).assert_outcomes(passed=1, failed=1, deselected=16)
    ANSWERS[0] = lambda config: outcome()
    second = run(project, *RTE, "--glue-resume")
    second.assert_outcomes(passed=2, deselected=16)
    second.stdout.fnmatch_lines([
        "kept from earlier sessions: 1 of 2 runs",
        "  rte-toy-bert-cpu-fp32-s42",
        "results: results/local (this session's runs: 1)",
    ])  # fmt: skip
    assert submitted(engines[1]) == ["cpu-bf16"]
    timed = [line for line in second.outlines if line.startswith("test_finetune[")]
    assert "Benchmark fixture was not used" not in second.stdout.str()
    assert len(timed) == 1  # of a kept run no time is shown as this session's
    third = run(project, *RTE, "--glue-resume")
    assert third.ret == 0
    assert submitted(engines[2]) == []
    run(project, *RTE)
    assert submitted(engines[3]) == ["cpu-fp32", "cpu-bf16"]


def test_only_the_newest_fitting_ok_run_is_kept(tmp_path: Path) -> None:
    config = config_of()
    old, new = stored_for(config, tmp_path), stored_for(config, tmp_path)
    stored_for(config, tmp_path, status="failed", reason="x")
    assert Resume(Store(tmp_path)).find(config).record == new
    assert old.created < new.created


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda store, made: (store.predictions / made.predictions.name).unlink(), "predictions:"),
        (lambda store, made: (store.predictions / made.predictions.name).write_bytes(b"x"),
         "predictions:"),
        (lambda store, made: (store.runs / file_name(made)).write_bytes(b"{"), "no run of this"),
    ],
    ids=["no predictions", "other predictions", "torn record"],
)  # fmt: skip
def test_a_damaged_run_is_run_again(damage: Any, why: str, tmp_path: Path) -> None:
    config, store = config_of(), Store(tmp_path)
    damage(store, stored_for(config, tmp_path))
    found = Resume(store).find(config)
    assert found.record is None
    assert found.reasons[0].startswith(why)


def test_what_a_run_did_not_leave_behind_is_made_now(tmp_path: Path) -> None:
    stored_for(config_of(), tmp_path)
    resume = Resume(Store(tmp_path))
    tested = resume.find(config_of(request=DataRequest("toy", predict_test=True)))
    assert tested.reasons == ("predictions of test: the stored run made none",)
    saved = resume.find(config_of(save_models=str(tmp_path / "models")))
    assert saved.reasons == (f"the fine-tuned model: not in {tmp_path / 'models'}",)


def test_a_forged_identity_is_not_kept(tmp_path: Path) -> None:
    config = config_of()
    stored_for(config, tmp_path, identity=dict(config.identity) | {"numerics": 0})
    (why,) = Resume(Store(tmp_path)).find(config).reasons
    assert why == "cell_key: is not the hash of the stored run's identity"


DECIDES: dict[type, dict[str, Any]] = {
    Recipe: {
        "learning_rate": 1e-5, "epochs": 9, "batch_size": 7, "max_length": 17, "warmup": 0.3,
        "weight_decay": 0.3, "betas": (0.8, 0.9), "eps": 1e-3, "grad_clip": 2.0, "accumulation": 3,
        "warmup_rounds_up": False, "decays_from_start": True,
        "group_by_length": True, "bias_correction": False, "held_out": 0.1, "epochs_of": {"rte": 9},
        "fast_dropout": True,
    },
    Target: {"device": "cuda", "autocast": "bfloat16", "tf32": True},
    Task: {
        "text_columns": ("question", "sentence"), "labels": ("no", "yes"), "metrics": ("f1",),
        "evaluated": ("train",), "label_range": (0.0, 1.0), "only": {"train": (0, 9)},
    },
    Model: {"recipe": "run-glue"},
    DataRequest: {"max_train": 8, "max_eval": 8},
    Case: {"task": "wnli", "target": "cpu-bf16", "model": "toy-bert+scratch"},
    RunConfig: {},
    Adapted: {},
}  # fmt: skip
"""Another value for each field that decides a score: a stored run that differs is not kept."""

DOES_NOT: dict[type, dict[str, Any]] = {
    Recipe: {"name": "mine", "source": "a book", "eval_batch_size": 3},
    Target: {"name": "mine"},
    Task: {
        "title": "X", "rows": {"train": 1}, "class_counts": {"train": (1, 1)},
        "shared_with_train": {"validation": 1},
        "predicted": ("other",), "part_of": "mnli", "earlier_rows": {"train": 1},
        "is_adversarial": True, "label_means": {"train": 1.0},
    },
    Model: {
        "note": "x", "contaminated": frozenset({"rte"}), "sha256": "0" * 64, "extra": "x",
        "published": {"x": ""}, "architecture": None, "read": "x", "quirks": "x",
    },
    DataRequest: {"predict_test": True, "needed": ("test",)},  # `_left_out` looks at these
    Case: {},
    RunConfig: {},
    Adapted: {},
}  # fmt: skip
"""Another value for each field that is for reading, or for checking files."""

ELSEWHERE: dict[type, set[str]] = {
    Task: {"name", "rows_of", "custom"},  # another has no toy rows; Case.task changes all three
    # Where the files are, which are hashed; a network of ours has another name.
    Model: {"name", "package", "folder", "hub", "revision", "path", "network"},
    DataRequest: {"source", "snapshot", "revision"},  # where the rows are: likewise
    Adapted: {"name", "model", "adaptations", "has_given_name"},  # Case.model names all
    Case: {"seed"},  # no part of the key, but compared beside it
    RunConfig: {
        "case", "recipe", "data", "model_directory", "scratch", "identity", "cell_key",  # as above
        "network", "method", "vectors", "task", "target",  # as the case names; files are hashed
        "threads", "cpus", "jobs", "oom_retries",  # how it is computed, not what
        "speedups",  # the identity names them, unless all are used
        "contaminated", "warm_start", "replay_steps",
        "save_to",  # `_left_out` looks at it
    },
}  # fmt: skip
ROWS: dict[type, tuple[dict[str, Any], str]] = {
    Recipe: (recipes.RECIPES, "toy"),
    Target: (targets.TARGETS, "cpu-fp32"),
    Task: (tasks.TASKS, "rte"),
    Model: (models.MODELS, "toy-bert"),
}


@pytest.mark.parametrize("kind", DECIDES)
def test_no_field_is_forgotten(kind: type) -> None:
    known = {*DECIDES[kind], *DOES_NOT[kind], *ELSEWHERE.get(kind, ())}
    assert known == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    ("kind", "name", "decides"),
    [
        (kind, name, table is DECIDES)
        for table in (DECIDES, DOES_NOT)
        for kind, fields in table.items()
        for name in fields
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_run_is_kept_unless_a_field_that_decides_its_score_changed(
    kind: type, name: str, decides: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = config_of()
    stored_for(before, tmp_path)
    changed = {name: (DECIDES if decides else DOES_NOT)[kind][name]}
    if kind is DataRequest:
        after = config_of(request=dataclasses.replace(TOY, **changed))
    elif kind is Case:
        after = config_of(case=dataclasses.replace(CASE, **changed))
    else:
        rows, row = ROWS[kind]
        monkeypatch.setitem(rows, row, dataclasses.replace(rows[row], **changed))
        after = config_of()
    assert (after.cell_key != before.cell_key) == decides
    if kind is not DataRequest or decides:  # what else it asks for is looked at beside the key
        assert (Resume(Store(tmp_path)).find(after).record is None) == decides


@pytest.mark.parametrize("module_and_name", [(toy, "VERSION"), (sample, "DATA_SEED")])
def test_other_rows_make_another_key(
    module_and_name: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = config_of().cell_key
    monkeypatch.setattr(*module_and_name, "other")
    assert config_of().cell_key != before


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    stored_for(config_of(), tmp_path)
    other = config_of(case=dataclasses.replace(CASE, seed=43))
    assert Resume(Store(tmp_path)).find(other).reasons == ("no run of this case is stored",)


def test_explain_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explain(*args: str) -> tuple[int, str, str]:
        return glue_bench(capsys, monkeypatch, "explain", *args)

    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results" / "local"
    made = stored_for(config_of(), results)
    code, out, _ = explain(CASE.id)
    assert code == 0
    assert f"keep      run {made.id[:8]} of" in out
    assert explain(f"benchmarks/test_finetune.py::test_finetune[{CASE.id}]") == (0, out, "")
    code, out, _ = explain("--glue-epochs", "3", CASE.id, "--glue-max-train=9")
    assert code == 0
    assert "run       data.max_train: was none, is 9" in out
    assert "          recipe.epochs: was" in out
    assert max(map(len, out.splitlines())) <= 80
    for wrong, said in (
        (("rte-toy-brt-cpu-fp32-s42",), "Did you mean 'rte-toy-bert-cpu-fp32-s42'?"),
        (("rte-toy-bert-cpu-fp32-s43",), "Fix: say --glue-seeds 43,\n"),
        (("cola-ood-cnn-cuda-bf16-s7",), "say --glue-tasks cola-ood --glue-models cnn "
         "--glue-targets cuda-bf16 --glue-seeds 7,\n"),
        ((CASE.id, "--glue-epoch", "3"), "Did you mean --glue-epochs?"),
        ((), "expected"),
        ((CASE.id, "--glue-epochs", "x"), "expected"),
    ):  # fmt: skip
        code, _, err = explain(*wrong)
        assert code == 2
        assert said in err
    (results / "runs" / "x.json").write_text("{")
    code, out, err = explain(CASE.id)
    assert (code, "keep" in out, "x.json: not a record" in err) == (5, True, True)


def test_a_run_that_failed_before_its_inputs_were_known_is_no_forgery(tmp_path: Path) -> None:
    config = config_of()
    failed = record(CASE, status="failed", reason="no such file")
    Store(tmp_path).save(failed.model_copy(update={"cell_key": None, "identity": {}}))
    found = Resume(Store(tmp_path)).find(config)
    assert found.reasons == ("status: failed (no such file)",)


def test_from_python(tmp_path: Path, engines: list[FakeEngine]) -> None:
    first = harness.run("rte", results=tmp_path)
    assert harness.run("rte", results=tmp_path, resume=True) == first
    assert harness.run("rte", results=tmp_path) != first
    assert [len(engine.submitted) for engine in engines] == [1, 0, 1]
