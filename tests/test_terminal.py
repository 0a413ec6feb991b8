"""The door: what comes out of it is harmless, whole, and in the stream's own encoding."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import terminal
from harness.errors import StorageError, UsageError
from harness.records import codec
from harness.records.store import Store
from harness.spec import Case
from harness.text.escape import Speller, harmless
from harness.text.escape import json as harmless_json
from tests.support import printed_records
from tests.support.builders import record
from tests.support.hostile_names import texts
from tests.support.locations import ROOT
from tests.support.terminal_texts import EVERY, FORGED, IMPORTED, TEXTS, faults, unruly

COMMANDS = ("::", "##[", "##vso[", "##teamcity[", "section_start:1", "travis_fold:", codec.MARK)


def test_every_hostile_text_is_harmless() -> None:
    assert not faults({text: harmless(text) for text in EVERY})
    assert len([text for text in TEXTS if unruly(text)]) == len(TEXTS)  # and was not, before


@given(texts)
@example("##\u200b[x]")
def test_any_text_is_harmless_and_stays_so(text: str) -> None:
    shown = harmless(text)
    assert not unruly(shown)
    assert harmless(shown) == shown


def test_ordinary_text_stays_as_it_is() -> None:
    ours = "a: b\n\tc ±1 †…\n## h\n### Captured\nbenchmarks/a.py::test_x\n--- x\n12 # 3 [ok]\n模型"
    assert harmless(ours) == ours


@given(st.lists(st.sampled_from([*COMMANDS, *"#:[ \t\nx", "::error::x"])), st.randoms())
def test_a_command_in_parts_is_none(parts: list[str], drawn: object) -> None:
    whole = "".join(parts)
    cuts = sorted(drawn.randint(0, len(whole)) for _ in range(6))  # ty: ignore[unresolved-attribute]
    spelt = Speller()
    out = "".join(spelt(whole[a:b]) for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True))
    assert not unruly(out)


def test_a_line_of_blanks_may_be_long() -> None:
    spelt = Speller()
    assert not unruly(spelt(" " * 500) + spelt(" " * 500) + spelt("::error::x"))


@given(texts, texts)
def test_json_means_the_same(key: str, value: str) -> None:
    document = {key: [value, {value: key}], "\t" + value: "\\" + key}
    written = harmless_json(json.dumps(document, indent=1))
    assert json.loads(written) == document
    assert not unruly(written)


def test_a_records_line_is_harmless_and_reads_back() -> None:
    for text in EVERY:
        case = Case("sst2", "toy-bert", "cpu-fp32", 42)
        made = record(case, status="failed", reason=text.encode(errors="replace").decode())
        line = codec.to_line(made)
        assert printed_records.records_in(f"x\n{line}\ny") == [made]
        assert unruly(line) == [IMPORTED]


def test_an_error_of_ours_is_harmless() -> None:
    assert not faults({text: f"{UsageError(text)}\n{StorageError(text)!s}" for text in TEXTS})


def streams(encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding, newline="")


def written(stream: io.TextIOWrapper, encoding: str = "utf-8") -> str:
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # ty: ignore[unresolved-attribute]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_any_encoding_will_do(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {}
    for text in EVERY:
        stream = streams(encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        terminal.say(text)
        with terminal.command():
            terminal.say(text)
            sys.stdout.write(text)
        shown[text] = written(stream, encoding)
    assert not faults(shown)


def test_a_document_is_utf_8_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = streams("ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with terminal.command():
        terminal.say_document("é\u200b\n")
    terminal.say_document("é\u200b\n")
    assert written(stream) == "é\u200b\n" * 2


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_and_bars_survive_where_they_are_meant() -> None:
    screen = Terminal()
    door = terminal.Door(screen, terminal.DRAWING)
    ours = [
        "\x1b[1m\rcollecting\x1b[0m",
        "\x1b[32m.\x1b[0m",
        "\x1b[39;49;00m",
        "\x1b]9;4;1;50\x1b\\",
    ]
    for part in ours:
        door.write(part)
    assert screen.getvalue() == "".join(ours)
    for text in ("\x1b[8mhidden", "x\ry", "\x1b]0;t\x07", "\x1b[2J"):
        door.write(text)
    assert "\x1b" not in screen.getvalue()[len("".join(ours)) :]
    assert "\r" not in screen.getvalue()[len("".join(ours)) :]


def test_in_a_log_a_bar_is_a_line_each_time() -> None:
    log = io.StringIO()
    door = terminal.Door(log)
    door.write("\r 5%")
    door.write("\r::error::10%")
    assert log.getvalue() == "\n 5%\n\\x3a:error::10%"


def test_a_warning_is_harmless() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        terminal.warn("\x1b[2J")
    assert not unruly(str(caught[0].message))
    assert caught[0].filename.endswith(("python.py", "test_terminal.py"))


def test_streams_are_put_back_but_for_a_traceback() -> None:
    before = sys.stdout, sys.stderr
    with terminal.command(), terminal.doors():
        assert isinstance(sys.stdout, terminal.Door)
    assert (sys.stdout, sys.stderr) == before
    with pytest.raises(SystemExit), terminal.command():
        sys.exit(3)
    assert (sys.stdout, sys.stderr) == before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", streams())
        patch.setattr(sys, "stdout", streams())
        with pytest.raises(ZeroDivisionError), terminal.command():
            raise ZeroDivisionError
        assert isinstance(sys.stderr, terminal.Door)


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    python = f"{sys.executable} -m harness"
    return subprocess.run(
        ["bash", "-c", command.replace("glue-bench", python)],
        cwd=folder, capture_output=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code", "lines"),
    [
        ("glue-bench list references > /dev/full", 5, 1),
        ("glue-bench report r --format csv > /dev/full", 5, 1),
        ("glue-bench --help > /dev/full", 5, 1),
        ("glue-bench report none 2> /dev/full", 2, 0),
        ("glue-bench report none > /dev/full 2>&1", 2, 0),
        ("set -o pipefail; glue-bench list references | true", 0, 0),
        ("set -o pipefail; glue-bench status none 2>&1 | true", 2, 0),
        ("glue-bench list tasks >&-", 0, 0),
        ("glue-bench report none 2>&-", 2, 0),
        ("glue-bench report none >&- 2>&-", 2, 0),
    ],
)
def test_a_stream_that_takes_nothing(command: str, code: int, lines: int, tmp_path: Path) -> None:
    Store(tmp_path / "r").save(record(Case("sst2", "toy-bert", "cpu-fp32", 42)))
    done = shell(command, tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stderr.count(b"\n") == lines, done.stderr
    assert b"Traceback" not in done.stderr


ONE_BY_ONE = """
import json, os, sys
import harness.cli, harness.reports.report
for number, line in enumerate(json.loads(sys.argv[1])):
    child = os.fork()
    if not child:
        os.dup2(os.open(f"stdout-{number}", os.O_CREAT | os.O_WRONLY), 1)
        sys.argv = ["glue-bench", "report", "r", *line]
        harness.cli.main()
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"failed: {line}")
"""
"""Reports, each in a child of one process, whose imports all of them share."""


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"},
    ],
    ids=["ascii", "cp1252", "LANG=C"],
)
def test_a_report_in_any_encoding_is_the_file(tmp_path: Path, environment: dict[str, str]) -> None:
    case = Case("sst2", "模型-é", "cpu-fp32", 42)
    (tmp_path / "r" / "runs").mkdir(parents=True)
    (tmp_path / "r" / "runs" / "a.json").write_bytes(codec.to_bytes(record(case)))
    names = ("report.md", "cells.csv", "report.json", "report.tex")
    forms = dict(zip(("markdown", "csv", "json", "latex"), names, strict=True))
    lines = json.dumps([["-o", "out"], *(["--format", form] for form in forms)])
    program = [sys.executable, "-c", ONE_BY_ONE, lines]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, timeout=60, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(b"out: runs: 1; ")
    assert done.stderr.count(b"\n") == 1
    for number, (form, name) in enumerate(forms.items(), 1):
        printed = (tmp_path / f"stdout-{number}").read_bytes()
        assert printed == (tmp_path / "out" / name).read_bytes(), form


def test_a_traceback_of_a_bug_is_harmless(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['glue-bench', 'list', 'tasks']\n"
        "from harness import cli, commands\n"
        "def broken(*a, **k): raise ValueError('\\x1b[2J\\r::error::x ##[error]y')\n"
        "cli.COMMAND = broken\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "ValueError" in done.stderr
    assert not unruly(done.stderr)


def test_the_forged_line_of_these_tests_would_be_imported() -> None:
    assert not isinstance(printed_records.records_in(FORGED)[0], Exception)
    assert unruly(FORGED)
