from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import pytest

from harness import api
from harness.errors import Exit
from harness.records.schema import Record
from harness.records.store import Store
from harness.reports import report
from harness.spec import Axis
from harness.tables.table import Figure
from tests.support import kept_report
from tests.support.board_runs import assorted, dead, scored
from tests.support.pytest_project import glue_bench

Cells = list[tuple[str, int, str, str]]
"""Of each figure: its table's title, its row, its column and what is shown."""


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stored: Path
) -> Command:
    """`glue-bench report` of the stored runs."""
    return partial(glue_bench, capsys, monkeypatch, "report", stored)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    store = Store(root)
    for run in assorted():
        store.take(run)
    return root


@pytest.fixture(scope="module")
def made(stored: Path) -> report.Report:
    return report.make(Store(stored).load(), str(stored), references=True, by=Axis.target)


@pytest.mark.parametrize("name", sorted(path.name for path in kept_report.FOLDER.iterdir()))
def test_a_reports_files_are_those_that_are_kept(name: str) -> None:
    kept = (kept_report.FOLDER / name).read_text("utf-8")
    assert kept_report.files()[name] == kept, (
        "a reader sees other tables: python -m tests.support.kept_report"
    )


def test_every_file_is_kept() -> None:
    assert sorted(kept_report.files()) == sorted(path.name for path in kept_report.FOLDER.iterdir())


def figures(made: report.Report) -> Cells:
    """What each figure of a report shows."""
    return [
        (table.title, place, name, str(entry))
        for table in made.tables
        for place, row in enumerate(table.rows)
        for name, entry in zip(table.header, row, strict=True)
        if isinstance(entry, Figure)
    ]


def in_json(text: str) -> Cells:
    return [
        (table["title"], place, name, entry["shown"])
        for board in json.loads(text)["boards"]
        for table in board["tables"].values()
        for place, row in enumerate(table["rows"])
        for name, entry in row.items()
        if isinstance(entry, dict)
    ]


def in_markdown(text: str) -> Iterator[tuple[str, int, str, str]]:
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, *lines = part.splitlines()
        rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
        header, _, *rows = rows or [[], []]
        for place, row in enumerate(rows):
            for name, cell in zip(header, row, strict=True):
                said = html.unescape(cell.strip().strip("*"))
                yield html.unescape(title), place, html.unescape(name.strip()), said


def in_latex(text: str) -> Iterator[tuple[str, int, str, str]]:
    for part in text.split(r"\caption{")[1:]:
        title, _, rest = part.partition("}\n")
        _, _, rest = rest.partition("\\toprule\n")
        header, _, rest = rest.partition(" \\\\\n\\midrule\n")
        body = rest.partition("\\bottomrule")[0]
        for place, line in enumerate(body.splitlines()):
            for name, cell in zip(header.split(" & "), line[:-3].split(" & "), strict=True):
                said = re.sub(r"\\(?:textbf|underline)\{(.*)\}", r"\1", cell)
                yield plain(title), place, plain(name), plain(said)


def plain(text: str) -> str:
    return re.sub(r"\\([_%#&$])", r"\1", text).replace("-{}", "-")


def test_every_figure_is_the_same_in_every_format(made: report.Report) -> None:
    shown = figures(made)
    assert len(shown) > 300
    assert in_json(report.as_json(made)) == shown
    read = {cell[:3]: cell[3] for cell in in_markdown(report.markdown(made))}
    assert [(*cell[:3], read[cell[:3]]) for cell in shown] == shown
    read = {cell[:3]: cell[3] for cell in in_latex(report.latex(made))}
    assert [(*cell[:3], read[cell[:3]]) for cell in shown] == shown


def test_csv_has_the_numbers_of_every_figure(made: report.Report) -> None:
    files = dict(report.files(made))
    compared = 0
    for kind in report.KINDS:
        lines = csv.DictReader(io.StringIO(files[f"{kind}.csv"]))
        for title, table in made.of(kind):
            for row in table.rows:
                line = next(lines)
                assert line["board"] == title
                for name, entry in zip(table.header, row, strict=True):
                    if not isinstance(entry, Figure):
                        assert line[name] == entry
                        continue
                    numbers = re.findall(r"[+-]?\d+(?:\.\d+)?", str(entry).replace("-", " -"))
                    found = [line[name]] if entry.value is not None else []
                    for part in ("sd", "of", "low", "high"):
                        found += [line[f"{name} {part}"]] if line.get(f"{name} {part}") else []
                    assert [Decimal(n) for n in numbers[: len(found)]] == [*map(Decimal, found)]
                    compared += len(found)
        assert not list(lines)
    assert compared > 300


def test_figures_are_those_of_the_store(stored: Path, made: report.Report) -> None:
    runs = api.load_results(stored)
    runs = runs[(runs["data"] == "glue_data") & runs["max_train"].isna()]
    ok = runs[runs["status"] == "ok"]
    document = json.loads(report.as_json(made))
    tables = document["boards"][0]["tables"]
    for row in tables["cells"]["rows"]:
        same = (ok["task"] == row["task"]) & (ok["model"] == row["model"])
        of_cell = ok[same & (ok["target"] == row["target"])]
        scores = [float(score) for score in of_cell["score"]]
        assert row["score"]["value"] == pytest.approx(fmean(scores))
        assert row["score"].get("sd") == (pytest.approx(stdev(scores)) if len(scores) > 1 else None)
        assert row["median"]["value"] == pytest.approx(median(scores))
        assert row["n"]["value"] == len(scores)
        assert row["floor"]["value"] == pytest.approx(of_cell["floor"].median())
        assert row["train s"]["value"] == pytest.approx(of_cell["train_s"].median())
        assert row["ex/s"]["value"] == pytest.approx(of_cell["examples_per_s"].median())
        assert row["MB"]["value"] == of_cell["peak_memory_bytes"].median()
        collapsed = of_cell["flags"].map(str).str.contains("collapsed").sum()
        assert (row["collapsed"]["value"], row["collapsed"]["of"]) == (collapsed, len(scores))
    means = ok.groupby(["model", "target", "task"])["score"].mean()
    for row in tables["scores"]["rows"]:
        shown = {name.split()[0]: entry for name, entry in row.items() if "(" in name}
        for task, entry in shown.items():
            expected = means.get((row["model"], row["target"], task))
            assert entry["value"] == (None if expected is None else pytest.approx(expected))
    for row in tables["averages"]["rows"]:
        of_row = means[row["model"], row["target"]]
        expected = pytest.approx(of_row.mean()) if len(of_row) == 9 else None
        assert row["GLUE-9"]["value"] == expected


def test_report_writes_every_format_into_a_folder(command: Command, tmp_path: Path) -> None:
    code, out, err = command("-o", tmp_path / "a" / "b")
    assert (code, out) == (0, "")
    names = ["averages.csv", "cells.csv", "report.json", "report.md", "report.tex", "scores.csv"]
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == names
    assert f"runs: {len(assorted())}" in err


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("markdown", "report.md"),
        ("csv", "cells.csv"),
        ("latex", "report.tex"),
        ("json", "report.json"),
    ],
)
def test_what_is_printed_is_what_would_be_written(
    command: Command, tmp_path: Path, form: str, name: str
) -> None:
    options = ("--by", "model", "--reference", "minilm", "--references")
    code, out, _ = command("--format", form, *options)
    command("-o", tmp_path, *options)
    assert code == 0
    assert out == (tmp_path / name).read_text("utf-8")


def test_an_older_report_is_replaced_and_other_files_stay(command: Command, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("old")
    (tmp_path / "mine.txt").write_text("mine")
    command("-o", tmp_path)
    assert (tmp_path / "report.md").read_text("utf-8").startswith("# glue-bench report")
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "report.md"), "-o report.md: names a file; expected a folder"),
        (("--reference", "minilm"), "Fix: add --by"),
        (("--by", "target", "--reference", "cuda"), "--reference: unknown target 'cuda'"),
        (("--by", "model", "--reference", "minlm"), "Did you mean 'minilm'?"),
    ],
)
def test_what_cannot_be_is_said(command: Command, options: tuple[str, ...], words: str) -> None:
    code, out, err = command(*options)
    assert (code, out) == (Exit.USAGE, "")
    assert words in err


def test_a_folder_that_cannot_be_made_is_said(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = command("-o", tmp_path / "file" / "report")
    assert code == Exit.USAGE
    assert f"-o {tmp_path / 'file'}: it is a file; expected a folder" in err


def hostile() -> list[Record]:
    names = ["a|b", "<img src=x>", "=1+1", "-1", "1e5", "\x1b[31m", "007", "x" * 300, "@all"]
    return [scored("rte", 0.5 + place / 100, name) for place, name in enumerate(names)]


def test_hostile_names_change_no_table_and_numbers_stay_text() -> None:
    runs = hostile()
    files = dict(report.files(report.make(runs, "r", references=True, by=Axis.model)))
    rows = list(csv.DictReader(io.StringIO(files["cells.csv"])))
    assert len(rows) == len(runs)
    assert {"'=1+1", "'-1", "1e5", "007", "x" * 300} <= {row["model"] for row in rows}
    assert '"1e5"' in files["cells.csv"]
    for name, text in files.items():
        assert text.replace("\n", "").isprintable(), name
    shown = re.sub(r"^```.*?^```", "", files["report.md"], flags=re.MULTILINE | re.DOTALL)
    assert "<img" not in shown
    table = [line for line in files["report.md"].splitlines() if line.startswith("| rte")]
    assert len({line.count("|") for line in table[: len(runs)]}) == 1


def test_a_report_of_nothing_but_failures_has_its_cells() -> None:
    made = report.make([dead("rte")], "r", by=Axis.target)
    assert [*made.boards[0][1]] == ["cells", "comparison"]
    texts: Any = dict(report.files(made))
    assert "crashed" in texts["report.md"]
    assert "no run ended ok" in texts["report.md"]
