"""`glue-bench flips`: what it prints, its exit codes, and what it takes to see a sentence."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from harness.compare import flip_tables
from harness.compare.flips import compare_runs
from harness.records.store import Store, file_name
from harness.spec import Case
from tests.support import builders
from tests.support.markdown_pages import Page, assert_harmless
from tests.support.prediction_runs import Run, on_toy_rows, run, toy_rows
from tests.support.pytest_project import glue_bench
from tests.whole.test_imports import run_blocked

WRONG_A, WRONG_B = range(30), range(10, 45)  # 10 rows gained, 15 lost, of 250


def stored(folder: Path, *runs: Run) -> list[str]:
    return [Store(folder).save(made.record, made.table).id for made in runs]


def a_pair(task: str) -> tuple[Run, Run]:
    return on_toy_rows(task, WRONG_A), on_toy_rows(task, WRONG_B, target="cpu-bf16")


@pytest.fixture
def flips(tmp_path: Path, monkeypatch, capsys):
    """The command on two runs of SST-2, with more arguments."""
    a, b = stored(tmp_path, *a_pair("sst2"))
    return lambda *args: glue_bench(
        capsys, monkeypatch, "flips", a[:8], b[:8], "--results", tmp_path, *args
    )


def test_the_ledger_as_text(flips) -> None:
    code, out, err = flips()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("A: sst2-toy-bert-cpu-fp32-s42, run ")
    assert lines[2] == "differs: target: A 'cpu-fp32', B 'cpu-bf16'"
    assert lines[4] == "Flips of SST-2 on toy data (generated, no GLUE scores)"
    numbers = ["validation", "250", "10", "15", "0", "88.00", "86.00", "-2.00", "0.424"]
    assert lines[7].split() == numbers
    assert "takes no account of seeds" in out
    rows = lines[lines.index("") + 1 :]
    rows = rows[rows.index("") + 3 : -2]
    assert len(rows) == 20
    first = toy_rows("sst2")["validation"]
    names = ("negative", "positive")
    label = names[int((first.labels or [])[0])]
    (other,) = {*names} - {label}
    assert rows[0].split() == ["validation", "0", label, other, label, "gained"]
    assert lines[-1] == "5 more: --limit 0"
    assert "more:" not in flips("--limit", "0")[1]
    assert flips("--limit", "3")[1].splitlines()[-1] == "22 more: --limit 0"


def test_other_forms_hold_every_row(flips) -> None:
    _, out, _ = flips("--format", "csv")
    header, *rows = csv.reader(out.splitlines())
    assert header == ["split", "row", "label", "A", "B", "flip"]
    assert [int(row[1]) for row in rows] == [*range(10), *range(30, 45)]
    _, out, _ = flips("--format", "json")
    found = json.loads(out)
    assert found["splits"]["validation"]["lost"] == 15
    assert [row["flip"] for row in found["rows"]] == ["gained"] * 10 + ["lost"] * 15
    assert "text" not in found["rows"][0]
    _, out, _ = flips("--format", "markdown", "--limit", "2")
    assert out.startswith("## Flips of SST-2 on toy data")
    assert sum(line.startswith("| validation") for line in out.splitlines()) == 3
    assert "23 more: --limit 0" in out


def test_sentences_only_on_request(flips) -> None:
    split = toy_rows("sst2")["validation"]
    (text,) = split.texts[0]
    for form in ("text", "markdown", "csv", "json"):
        assert text not in flips("--format", form)[1]
    lines = flips("--with-text", "--limit", "0")[1].splitlines()
    said = [line.partition("sentence: ")[2] for line in lines if "sentence: " in line]
    whole = [split.texts[row][0] for row in (*range(10), *range(30, 45))]
    assert [line.split("…")[0] for line in said] == [
        text[: len(line.split("…")[0])] for text, line in zip(whole, said, strict=True)
    ]
    assert text in flips("--with-text", "--data", "toy", "--format", "markdown")[1]
    rows = json.loads(flips("--with-text", "--format", "json")[1])["rows"]
    assert rows[0]["text"] == {"sentence": text}


def test_sentences_of_a_sample(tmp_path: Path, monkeypatch, capsys) -> None:
    a, b = stored(tmp_path, *(on_toy_rows("sst2", range(k, k + 1), size=20) for k in (3, 7)))
    _, out, err = glue_bench(
        capsys, monkeypatch, "flips", a, b, "--results", tmp_path, "--with-text", "--format", "json"
    )
    split = toy_rows("sst2", 20)["validation"]
    assert err == ""
    assert [(row["row"], row["text"]["sentence"]) for row in json.loads(out)["rows"]] == [
        (split.ids[place], *split.texts[place]) for place in (3, 7)
    ]


def test_options_that_do_not_fit(flips) -> None:
    for args, words in [
        (["--data", "toy"], "--data: only --with-text needs it"),
        (["--with-text", "--format", "csv"], "CSV holds no sentences"),
        (["--with-text", "--data", "./none"], "which is not a folder"),
    ]:
        code, out, err = flips(*args)
        assert (code, out) == (2, "")
        assert words in err


def test_no_sentence_of_other_rows(tmp_path: Path, monkeypatch, capsys) -> None:
    labels = [int(label) for label in toy_rows("sst2")["validation"].labels or ()]
    alike = run("sst2", {"validation": (labels, labels)})  # with the labels, not with the texts
    a, b = stored(tmp_path, on_toy_rows("sst2", WRONG_A), alike)
    for pair, which in (((a, b), "B"), ((b, a), "A")):
        args = ("flips", *pair, "--results", tmp_path)
        assert glue_bench(capsys, monkeypatch, *args)[0] == 0
        code, out, err = glue_bench(capsys, monkeypatch, *args, "--with-text")
        assert (code, out) == (2, "")
        assert f"expected 000000000000, that of run {which}" in err
        assert "toy: sst2, validation: sha256 of the rows: found" in err


def test_exit_codes(tmp_path: Path, monkeypatch, capsys) -> None:
    good, other = a_pair("sst2")
    kept = Store(tmp_path).save(*good)
    path = tmp_path / "runs" / file_name(kept)
    (b,) = stored(tmp_path, other)
    (foreign,) = stored(tmp_path, on_toy_rows("rte", WRONG_A))
    bare = Store(tmp_path).save(builders.record(Case("sst2", "toy-bert", "cpu-fp32", 7))).id

    def flips(*args: object) -> tuple[int, str, str]:
        return glue_bench(capsys, monkeypatch, "flips", *args, "--results", tmp_path)

    assert flips(path, b)[0] == 0
    for args, expected, words in [
        ([path, foreign], 4, "A is a run of sst2, B one of rte"),
        ([path, bare], 4, "this run holds no predictions (ok)"),
        ([path, "zzz"], 2, "no run whose id begins with it"),
        ([tmp_path, b], 2, "is a folder"),
    ]:
        code, out, err = flips(*args)
        assert (code, out) == (expected, "")
        assert words in err
        assert len(err.splitlines()) == 1
    (gone,) = (tmp_path / "predictions").glob(f"*-{b[:8]}.parquet")
    gone.unlink()
    code, _, err = flips(path, b)
    assert code == 5
    assert f"{gone.name}: cannot be read" in err


@pytest.mark.parametrize("task", ["cola", "mrpc", "qqp", "mnli", "qnli"])
def test_text_fits_80_columns(task: str) -> None:
    a, b = a_pair(task)
    found = compare_runs(a.record, b.record, a.table, b.table)
    texts = {
        name: dict(zip(split.ids, split.texts, strict=True))
        for name, split in toy_rows(task).items()
    }
    for said in (None, texts):
        assert max(map(len, flip_tables.text(found, said, 0).splitlines())) <= 80


def test_sentences_are_data() -> None:
    a, b = run("sst2", {"validation": ([1], [1])}), run("sst2", {"validation": ([1], [0])})
    found = compare_runs(a.record, b.record, a.table, b.table)
    wild = "\x1b[31mred\nline \u202e a|b <img src=x> [l](http://e) `c` \ud800"
    texts = {"validation": {0: (wild,)}}
    line = flip_tables.text(found, texts).splitlines()[-1]
    escaped = r"\x1b[31mred\nline \u202e a|b <img src=x> [l](http://e) `c` \ud800"
    assert line == f"    sentence: {escaped}"
    page = Page(flip_tables.markdown(found, texts))
    assert_harmless(page, "ul", "li")
    assert page.rows[-1][-1] == escaped
    assert {len(row) for row in page.rows[2:]} == {len(flip_tables.ROWS) + 1}
    assert json.loads(flip_tables.json(found, texts))["rows"][0]["text"] == {"sentence": wild}
    assert flip_tables.json(found, texts).isascii()
    long = flip_tables.text(found, {"validation": {0: ("word " * 50,)}}).splitlines()[-1]
    assert len(long) == 80


def test_no_torch_is_needed(tmp_path: Path) -> None:
    a, b = stored(tmp_path, *a_pair("sst2"))
    given = ["glue-bench", "flips", a, b, "--results", str(tmp_path), "--with-text"]
    done = run_blocked(
        ("torch", "transformers", "datasets"),
        f"sys.argv = {given!r}\nfrom harness.cli import main\nmain()",
    )
    assert done.returncode == 0, done.stderr
    assert "Flips of SST-2" in done.stdout
