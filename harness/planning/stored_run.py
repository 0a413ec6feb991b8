"""Find the stored run that a command names, and the source of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.catalog.sources import SOURCES
from harness.errors import UsageError
from harness.files import paths
from harness.planning import options, plan
from harness.planning.project import RESULTS
from harness.records.schema import PredictionTable, Record
from harness.records.store import Store, file_name, read
from harness.text.names import MOST_GUESSES, case_of, guesses, one_of
from harness.text.values import shown, shown_path


class Stored(NamedTuple):
    """A record, and the results folder that holds it."""

    record: Record
    store: Store
    note: str = ""  # says which run it is, if several have the name

    def predictions(self) -> PredictionTable:
        """The run's predictions. Raises `StorageError`."""
        return self.store.read_predictions(self.record)


def find(result: str, results: Path = RESULTS) -> Stored:
    """The run that `result` names: the file of a record, a case, or the beginning of a run's id.

    Cases and ids are looked up in the folder `results`. If a case has several runs, it is the
    newest that ended ok, or the newest if none did. Raises `UsageError` where there is no such run,
    or several ids begin that way, and `StorageError` for a damaged record.
    """
    if not result:
        raise UsageError("a run: found nothing; expected a case, a record's file or a run's id")
    path = Path(result)
    if path.suffix == ".parquet":
        beside = path.absolute().parent.parent / "runs" / f"{path.stem}.json"
        name = shown_path(beside if paths.is_file(beside) else beside.with_name("CASE-ID.json"))
        raise UsageError(f"{result}: holds a run's predictions; expected its record, {name}")
    if paths.is_file(path):
        return Stored(read(path), Store(path.absolute().parent.parent))
    if paths.is_folder(path):
        raise UsageError(
            f"{result}: is a folder; expected a record's file, such as {path}/runs/CASE-ID.json"
        )
    result = case_of(result)
    store = Store(results)
    records = store.find().records
    if runs := [record for record in records if record.case.id == result]:
        return _newest(runs, store)
    named = [record for record in records if _has_name(record, result)]
    if len(named) != 1:
        raise UsageError(_not_found(result, results, records, len(named)))
    return Stored(named[0], store)


def _newest(runs: Sequence[Record], store: Store) -> Stored:
    """The newest of `runs` that ended ok, or else the newest. `runs` are sorted, oldest first."""
    ok = [record for record in runs if record.status == "ok"]
    newest = (ok or runs)[-1]
    which = "newest that ended ok" if ok else "newest; none ended ok"
    note = f"{newest.case.id}: {len(runs)} runs; this is the {which}, {newest.id[:8]}"
    return Stored(newest, store, note if len(runs) > 1 else "")


def _has_name(record: Record, name: str) -> bool:
    """Whether `name` is the beginning of a run's id, or the name of its file without a folder."""
    return bool(name) and (
        record.id.startswith(name) or file_name(record) in (name, f"{name}.json")
    )


def _not_found(result: str, results: Path, records: Sequence[Record], count: int) -> str:
    """The message for a name of no run, or of `count` runs, in a folder with these records."""
    folder = shown_path(results)
    if count:
        problem = f"{folder} holds {count} runs whose ids begin that way. Fix: give more of the id"
    elif not records:
        problem = f"{folder} holds no run. Fix: run `pytest benchmarks`, or say --results DIR"
    else:
        cases = dict.fromkeys(record.case.id for record in records)
        similar = [f"'{guess}'" for guess in guesses(result, cases)[:MOST_GUESSES]]
        hint = f" Did you mean {one_of(similar)}?" if similar else ""
        problem = (
            f"{folder} holds no run of that case, and no run whose id begins with it.{hint} "
            f"{folder}/runs/ has all of them"
        )
    return f"{shown(result)}: no such file, and {problem}"


def source_of(record: Record, data: str | None) -> str:
    """The source of a run's rows: what `--data` names, or else what the record says.

    Raises `UsageError` where the record does not say it: records hold no folders.
    """
    source = SOURCES[record.source.kind]
    if not source.has_glue_tasks:
        raise UsageError(
            f"{record.case.id}: a custom task, and records do not hold its rows. Fix: run it "
            "again with `pytest benchmarks --glue-task-file FILE`"
        )
    if data is not None:
        return plan.checked_source(options.source(data, Path.cwd()), "--data")
    if source.is_named:
        return source.kind
    raise UsageError(
        f"{record.case.id}: its rows came from a folder, and records hold no folders. Fix: name "
        "the folder with --data DIR"
    )
