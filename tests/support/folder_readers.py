"""Calls of everything that reads a results folder; those without a clear end are listed.

A clear end is an exit code, or an error of glue-bench's own; any other exception is a crash.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import api, cli
from harness.errors import GlueBenchError
from harness.execution import replay
from harness.planning import stored_run
from harness.planning.resume import Resume
from harness.records import sessions
from harness.records.schema import Record
from harness.records.store import Store, file_name
from tests.support import cell_runs, forger
from tests.support.prediction_runs import run as flip_run


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def command(*words: object) -> Said:
    """`glue-bench` with these words, in this process; what is no clear end is raised."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    before, sys.argv = sys.argv, ["glue-bench", *map(str, words)]
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = before
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]  # a BytesIO
    return Said(code, *said)


def good(root: Path) -> list[Record]:
    """Sound runs in a results folder: three of one cell, and two with predictions."""
    store = Store(root)
    store.prepare()
    kept = [store.save(cell_runs.run(seed)) for seed in (42, 43, 44)]
    for target in ("cpu-fp32", "cpu-bf16"):
        made = flip_run("rte", {"validation": ([0, 1] * 10, [0, 1, 1, 1] * 5)}, target=target)
        kept.append(store.save(made.record.model_copy(update={"floor": 0.5}), made.table))
    return kept


class Readers:
    """Each command and function over one folder; `other` holds sound runs alone."""

    def __init__(self, folder: Path, other: Path, scratch: Path) -> None:
        self.folder, self.other, self.scratch = folder, other, scratch

    def crashes(self) -> Iterator[tuple[str, Exception]]:
        """The readers that came to no clear end."""
        for name, call in self._calls():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # damaged files; the tests make errors of them
                    call()
            except GlueBenchError:
                continue
            except Exception as error:  # noqa: BLE001  (this is what is looked for)
                yield name, error

    def _calls(self) -> Iterator[tuple[str, Callable[[], object]]]:
        for words in (
            ("report", self.folder),
            *(("report", self.folder, "--format", form) for form in ("csv", "latex", "json")),
            ("report", self.folder, "--references"),
            ("report", self.folder, "--check"),
            *(("report", self.folder, "--by", by) for by in ("target", "model", "recipe", "torch")),
            ("status", self.folder),
            ("census", self.folder),
            ("compare", self.folder, self.other),
            ("compare", self.other, self.folder),
            ("submit", self.folder, "-o", self.scratch / "s.zip"),
        ):
            yield " ".join(map(str, words)), lambda words=words: command(*words)
        yield "baseline", self._baseline
        yield "load_results", lambda: api.load_results(self.folder)
        yield "refused", lambda: sessions.refused(self.folder)
        yield "flips", self._flips
        yield "resume", self._resume

    def _baseline(self) -> None:
        folder = self.scratch / "baselines" / "b"
        shutil.rmtree(folder, ignore_errors=True)
        for words in (("save", folder, self.folder, "--reason", "x"), ("show", folder)):
            command("baseline", *words)

    def _flips(self) -> None:
        one = next((self.other / "runs").glob("rte*"))
        for path in sorted((self.folder / "runs").glob("forged-*")):
            command("flips", path, one)
            command("flips", one, path, "--format", "json")

    def _resume(self) -> None:
        """What `--glue-resume`, `explain` and `verify` make of each run."""
        resume = Resume(Store(self.folder))
        for record in resume.records:
            with contextlib.suppress(GlueBenchError):
                resume.find(replay.configuration(record))
            with contextlib.suppress(GlueBenchError):
                stored_run.find(record.id, self.folder)


def filled(root: Path, sound: Path, forged: Sequence[forger.Forged]) -> Path:
    """A folder of sound runs with forged files beside them."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(sound, root)
    for number, one in enumerate(forged):
        (root / "runs" / f"forged-{number:08x}.json").write_bytes(one.content)
    return root


def raw_of(record: Record) -> forger.Raw:
    """A record as JSON, without its checksum."""
    return record.model_dump(mode="json", by_alias=True)


__all__ = ["Readers", "Said", "command", "file_name", "filled", "good", "raw_of"]
