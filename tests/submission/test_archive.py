from __future__ import annotations

import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.files.disk import DISK
from harness.records.store import Store
from harness.submission import files
from harness.submission.files import SUBMISSION_FILES
from harness.submission.selection import RunFilter, choose
from tests.support.board_runs import split_record
from tests.support.pytest_project import glue_bench
from tests.support.submission_runs import HUB, all_runs, answer, run
from tests.whole.test_imports import run_blocked

FORMAT = {  # lines with the header, and the labels, of gluebenchmark.com's sample submission
    "CoLA.tsv": (1064, "0 1"),
    "SST-2.tsv": (1822, "0 1"),
    "MRPC.tsv": (1726, "0 1"),
    "STS-B.tsv": (1380, ""),
    "QQP.tsv": (390966, "0 1"),
    "MNLI-m.tsv": (9797, "entailment neutral contradiction"),
    "MNLI-mm.tsv": (9848, "entailment neutral contradiction"),
    "QNLI.tsv": (5464, "entailment not_entailment"),
    "RTE.tsv": (3001, "entailment not_entailment"),
    "WNLI.tsv": (147, "0 1"),
    "AX.tsv": (1105, "entailment neutral contradiction"),
}
BY_NAME = {file.name: file for file in SUBMISSION_FILES}


@pytest.fixture
def submit(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`glue-bench submit` on the folder `r`, which writes `s.zip`."""

    def command(*args: object) -> tuple[int, str, str]:
        return glue_bench(
            capsys, monkeypatch, "submit", tmp_path / "r", "-o", tmp_path / "s.zip", *args
        )

    return command


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "r")


def lines(path: Path, name: str) -> list[str]:
    return zipfile.ZipFile(path).read(name).decode().split("\n")


def predictions(path: Path, name: str) -> list[str]:
    return [line.split("\t")[1] for line in lines(path, name)[1:-1]]


def test_the_eleven_files_are_as_the_sample_submission(tmp_path: Path, submit: Any) -> None:
    all_runs(tmp_path / "r")
    code, out, err = submit()
    assert (code, err) == (0, "")
    members = zipfile.ZipFile(tmp_path / "s.zip").infolist()
    assert [member.filename for member in members] == list(FORMAT)
    for name, (count, labels) in FORMAT.items():
        found = lines(tmp_path / "s.zip", name)
        assert (found[0], found[-1], len(found) - 1) == ("index\tprediction", "", count)
        assert [line.split("\t")[0] for line in found[1:-1]] == [*map(str, range(count - 1))]
        told, task = predictions(tmp_path / "s.zip", name), BY_NAME[name].task
        names = labels.split()
        assert told == [
            names[int(answer(task, row))]
            if names
            else f"{min(max(0.0, answer(task, row)), 5.0):.3f}"
            for row in range(count - 1)
        ]
    assert {"0.000", "5.000"} < set(predictions(tmp_path / "s.zip", "STS-B.tsv"))
    assert max(map(len, out.splitlines())) <= 80
    assert "placeholder" not in out
    first = (tmp_path / "s.zip").read_bytes()
    assert submit()[0] == 0
    assert (tmp_path / "s.zip").read_bytes() == first
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}


def test_the_best_seed_on_dev_is_submitted_and_the_newest_of_equals(store, submit) -> None:
    first = run(store, "rte", score=0.6, seed=1)
    run(store, "rte", score=0.7, seed=2)
    run(store, "rte", score=0.7, seed=3)
    run(store, "rte", score=0.9, seed=4, status="diverged")
    code, out, _ = submit("--fill", "all")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("RTE.tsv")]
    assert line.split() == ["RTE.tsv", "3000", "rte-minilm-cpu-fp32-s3", "70.00", "3"]
    _, out, _ = submit("--fill", "all", "--seed", "1")
    assert f"{first.case.id} 60.00 1 " in " ".join(out.split())


def test_a_tie_goes_to_the_newest_whatever_its_seed(store, tmp_path) -> None:
    old = run(store, "wnli", seed=9)
    new = old.model_copy(update={"id": "0", "created": old.created + timedelta(1)})
    for order in ([old, new], [new, old]):
        assert choose(order, RunFilter()).best["wnli"].record == new


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"status": "oom"}, "1 not ok"),
        ({"source": HUB.model_copy(update={"kind": "toy"})}, "1 on toy data, which is not GLUE"),
        ({"source": HUB.model_copy(update={"max_eval": 9})}, "1 scored on a part of dev"),
        ({"rows": {}}, "1 without predictions of test: use --glue-predict-test"),
        ({"rows": {"test": 145}}, "1 with 145 rows of test, where GLUE has 146"),
    ],
)
def test_what_keeps_a_run_out(store, submit, tmp_path, changed, why) -> None:
    run(store, "wnli", **changed)
    code, out, err = submit("--fill", "all")
    assert (code, out) == (4, "")
    assert f"no run may be submitted ({why}" in err
    assert "pytest benchmarks --glue-profile paper --glue-predict-test --glue-results" in err
    assert err.count("\n") == 1
    run(store, "rte")
    assert f"WNLI.tsv ({why}" in submit()[2]
    assert not (tmp_path / "s.zip").exists()


def test_missing_files_are_named_with_the_command_that_makes_them(store, submit, tmp_path) -> None:
    source = HUB.model_copy(update={"max_train": 500})
    run(store, "cola", source=source, recipe="run-glue-3ep", epochs=3, seed=7)
    (tmp_path / "s.zip").write_text("older")
    code, out, err = submit("--fill", "sst2,MRPC,stsb,qqp", "--seed", 7)
    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert (
        "cannot make MNLI-m.tsv, MNLI-mm.tsv, QNLI.tsv, RTE.tsv, WNLI.tsv, AX.tsv (no run)" in err
    )
    assert (
        "Fix: pytest benchmarks --glue-tasks mnli,qnli,rte,wnli,ax --glue-data hub --glue-models "
        "minilm --glue-targets cpu-fp32 --glue-recipe run-glue --glue-epochs 3 --glue-seeds 7, "
        f"--glue-max-train 500 --glue-predict-test --glue-results {tmp_path / 'r'}, "
        "or --fill mnli,qnli,rte,wnli,ax\n"
    ) in err
    assert (tmp_path / "s.zip").read_text() == "older"
    assert submit("--fill", "wnil")[0] == 2
    assert submit("--fill", "cola-ood")[0] == 2


def test_placeholders_are_the_most_frequent_training_label(store, submit, tmp_path) -> None:
    run(store, "wnli")
    code, out, _ = submit("--fill", "all")
    assert code == 0
    expected = {
        "CoLA.tsv": "1", "SST-2.tsv": "1", "MRPC.tsv": "1", "STS-B.tsv": "2.701", "QQP.tsv": "0",
        "MNLI-m.tsv": "contradiction", "MNLI-mm.tsv": "contradiction", "AX.tsv": "contradiction",
        "QNLI.tsv": "not_entailment", "RTE.tsv": "entailment",
    }  # fmt: skip
    for name, word in expected.items():
        told = predictions(tmp_path / "s.zip", name)
        assert told == [word] * (FORMAT[name][0] - 1)
        assert f"placeholder: {word}" in next(x for x in out.splitlines() if x.startswith(name))
    assert f"placeholder: {', '.join(list(FORMAT)[:5])}" in " ".join(out.split())
    assert "WNLI.tsv" not in out[out.index("\nplaceholder: ") :]
    assert files.placeholder(BY_NAME["WNLI.tsv"]) == 0


def test_ax_comes_from_the_mnli_run_that_is_submitted(store, submit, tmp_path) -> None:
    mnli = {file.stored_as: file.rows for file in SUBMISSION_FILES if file.task == "mnli"}
    run(store, "mnli", seed=1, score=0.9, rows=mnli)
    code, _, err = submit("--fill", "wnli")
    assert code == 4
    assert "1 without predictions of ax: use --glue-tasks mnli,ax" in err
    code, out, _ = submit("--fill", "all")
    assert code == 0
    assert out.count("mnli-minilm-cpu-fp32-s1 ") == 2
    run(store, "mnli", seed=2, score=0.8)
    code, out, _ = submit("--fill", "all")
    assert out.count("mnli-minilm-cpu-fp32-s2 ") == 3


@pytest.mark.parametrize(
    ("axis", "other"), [("model", "bert\n\x1b[31m, base"), ("target", "cpu-bf16"), ("recipe", "x")]
)
def test_runs_of_one_model_target_and_recipe(store, submit, axis, other) -> None:
    run(store, "wnli")
    run(store, "rte", **{axis: other})
    code, _, err = submit("--fill", "all")
    assert code == 2
    assert f"runs of 2 {axis}s may be submitted" in err
    assert f"--{axis}" in err
    assert err.removesuffix("\n").isprintable()
    code, out, _ = submit("--fill", "all", f"--{axis}", other)
    assert code == 0
    assert out.replace("\n", "").isprintable()
    code, _, err = submit(f"--{axis}", other)
    assert (code, err.count("\n"), err[:-1].isprintable()) == (4, 1, True)
    code, _, err = submit("--fill", "all", f"--{axis}", "minlim\n")
    assert (code, err[:-1].isprintable()) == (2, True)
    assert f"unknown {axis}" in err


def test_two_models_of_one_name_are_not_mixed(store, submit) -> None:
    run(store, "wnli", identity={"model_files": {"model.safetensors": "1"}})
    run(store, "rte", identity={"model_files": {"model.safetensors": "2"}})
    code, _, err = submit("--fill", "all")
    assert code == 2
    assert "2 models have the name minilm: their weights differ between rte and wnli" in err


def test_predictions_that_were_changed_and_a_damaged_record(store, submit, tmp_path) -> None:
    made = run(store, "wnli")
    file = tmp_path / "r" / "predictions" / made.predictions.name
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    code, _, err = submit("--fill", "all")
    assert (code, "was changed after it was written" in err) == (5, True)
    assert not (tmp_path / "s.zip").exists()
    file.write_bytes(content)
    (tmp_path / "r" / "runs" / "x.json").write_text("{")
    code, out, err = submit("--fill", "all")
    assert (code, "x.json: not a record" in err) == (5, True)
    assert "wnli-minilm-cpu-fp32-s42" in out


def test_a_test_file_that_is_not_glues_own_is_told(store, submit) -> None:
    run(store, "wnli", official=False)
    run(store, "cola")
    code, out, _ = submit("--fill", "all")
    assert (code, "the test file differs from GLUE's: WNLI.tsv: it has as many rows" in out) == (
        0,
        True,
    )


def test_the_best_is_of_runs_that_were_scored_on_the_same_dev_rows(store, submit) -> None:
    run(store, "wnli", seed=1, score=0.9, dev=split_record(None, rows=10))
    run(store, "wnli", seed=2, score=0.8, dev=split_record("counts"))
    run(store, "wnli", seed=3, score=0.6, dev=split_record("sha256"))
    run(store, "wnli", seed=4, score=0.7, dev=split_record("commit"))
    code, out, _ = submit("--fill", "all")
    assert (code, "wnli-minilm-cpu-fp32-s4" in out, "dev rows" in out) == (0, True, False)


@pytest.mark.parametrize(
    ("checked", "words"),
    [
        ("counts", "dev rows match GLUE's only in number, texts not checked: WNLI.tsv"),
        (None, "scored on dev rows that are not GLUE's: WNLI.tsv"),
    ],
)
def test_dev_rows_that_are_not_known_to_be_glues_are_told(store, submit, checked, words) -> None:
    run(store, "wnli", dev=split_record(checked))
    code, out, _ = submit("--fill", "all")
    assert (code, words in " ".join(out.split())) == (0, True)


@pytest.mark.cases
def test_a_score_on_training_rows_is_no_reason_to_submit_a_run(store, submit) -> None:
    run(store, "wnli", seed=1, score=0.99, flags=["train_overlap"])
    code, out, _ = submit("--fill", "all")
    assert (code, "wnli-minilm-cpu-fp32-s1" in out) == (0, True)
    assert "scored on training rows, so that dev flatters: WNLI.tsv" in out
    run(store, "wnli", seed=2, score=0.5)
    code, out, _ = submit("--fill", "all")
    assert (code, "wnli-minilm-cpu-fp32-s2" in out, "flatters:" in out) == (0, True, False)


@pytest.mark.cases
def test_a_run_that_learned_nothing_is_told(store, submit) -> None:
    run(store, "wnli", score=0.5, flags=["at_floor", "collapsed"])
    _, out, _ = submit("--fill", "all")
    assert "no better than the best constant predictor: WNLI.tsv" in out
    assert "the same label in every row: WNLI.tsv" in out


def test_of_two_sets_of_other_dev_rows_no_run_is_the_best(store, submit) -> None:
    for seed, sha256 in ((1, "1" * 64), (2, "2" * 64)):
        run(store, "wnli", seed=seed, dev=split_record("counts", sha256=sha256))
    code, _, err = submit("--fill", "all")
    assert (code, err.count("\n")) == (2, 1)
    assert "wnli: runs were scored on 2 different sets of dev rows" in err
    assert "Fix: keep the runs of each set in a results folder of its own" in err


def test_predictions_that_are_not_those_the_record_tells_of(store, submit) -> None:
    table = {"split": ["test"], "row": [0], "prediction": [1]}
    run(store, "wnli", predictions=table)
    code, _, err = submit("--fill", "all")
    assert code == 2
    assert "WNLI.tsv: the predictions of wnli-minilm-cpu-fp32-s42 have no row 1 (145" in err


def test_a_folder_in_place_of_the_zip(tmp_path, capsys, monkeypatch) -> None:
    code, _, err = glue_bench(capsys, monkeypatch, "submit", tmp_path / "r", "-o", tmp_path)
    assert code == 2
    assert "it is a folder; expected a file" in err
    assert f"Fix: name another file, such as {tmp_path}/submission.zip" in err


@pytest.mark.parametrize("call", ["create", "write", "flush", "rename"])
def test_a_zip_that_cannot_be_written_leaves_the_old_one(
    store, submit, tmp_path, monkeypatch, call
) -> None:
    run(store, "wnli")
    (tmp_path / "s.zip").write_text("older")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(DISK, call, full, raising=False)
    code, _, err = submit("--fill", "all")
    monkeypatch.undo()
    assert (code, "No space left" in err) == (5, True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r", "s.zip"]
    assert (tmp_path / "s.zip").read_text() == "older"


def test_submit_and_score_need_no_torch(store: Store, tmp_path: Path) -> None:
    made = run(store, "wnli")
    table = tmp_path / "r" / "predictions" / made.predictions.name
    (tmp_path / "labels").write_text("0\n1\n" * 73)
    submit = ["submit", str(tmp_path / "r"), "-o", str(tmp_path / "s.zip"), "--fill", "all"]
    score = ["score", str(table), "--task", "wnli", "--labels", str(tmp_path / "labels")]
    done = run_blocked(
        ("torch", "transformers", "datasets"),
        "from harness.cli import main\n"
        f"for words in {submit!r}, {[*score, '--split', 'test']!r}:\n"
        "    sys.argv = ['glue-bench', *words]\n"
        "    try: main()\n"
        "    except SystemExit as ended: assert not ended.code\n",
    )
    assert done.returncode == 0, done.stderr
    assert len(zipfile.ZipFile(tmp_path / "s.zip").namelist()) == 11
    assert "accuracy  100.00" in done.stdout
