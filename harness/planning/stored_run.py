"""One stored run, as a command names it, and where its rows are to be had now."""

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
    """A record, and the results folder that it lies in."""

    record: Record
    store: Store
    note: str = ""  # which run it is, where the name has several

    def predictions(self) -> PredictionTable:
        """The run's predictions. Raises `StorageError`."""
        return self.store.read_predictions(self.record)


def find(result: str, results: Path = RESULTS) -> Stored:
    """The run that `result` names: a record's file, a case, or how a run's id begins.

    The last two are looked for in the folder `results`. Of several runs of a case it is the newest
    that ended ok, or the newest if none did. Raises `UsageError` where there is no run of that
    name, or several whose ids begin so, and `StorageError` for a record that is damaged.
    """
    if not result:
        raise UsageError("a run: found nothing; expected a case, a record's file or a run's id")
    path = Path(result)
    if path.suffix == ".parquet":
        own = path.absolute().parent.parent / "runs" / f"{path.stem}.json"
        name = shown_path(own if paths.is_file(own) else own.with_name("CASE-ID.json"))
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
    """The newest run that ended ok, or else the newest, of `runs`, which stand oldest first."""
    ok = [record for record in runs if record.status == "ok"]
    found = (ok or runs)[-1]
    which = "newest that ended ok" if ok else "newest; none ended ok"
    note = f"{found.case.id}: {len(runs)} runs; this is the {which}, {found.id[:8]}"
    return Stored(found, store, note if len(runs) > 1 else "")


def _has_name(record: Record, name: str) -> bool:
    """Whether a run is named by the beginning of its id, or by its file's name without a folder."""
    return bool(name) and (
        record.id.startswith(name) or file_name(record) in (name, f"{name}.json")
    )


def _not_found(result: str, results: Path, records: Sequence[Record], found: int) -> str:
    folder = shown_path(results)
    if found:
        what = f"{folder} holds {found} runs whose ids begin so. Mend: say more of the id"
    elif not records:
        what = f"{folder} holds no run. Mend: run `pytest benchmarks`, or say --results DIR"
    else:
        cases = dict.fromkeys(record.case.id for record in records)
        near = [f"'{guess}'" for guess in guesses(result, cases)[:MOST_GUESSES]]
        hint = f" Did you mean {one_of(near)}?" if near else ""
        what = (
            f"{folder} holds no run of that case, and no run whose id begins with it.{hint} "
            f"{folder}/runs/ shows what is there"
        )
    return f"{shown(result)}: no such file, and {what}"


def source_of(record: Record, data: str | None) -> str:
    """Where a run's rows are read from: what `--data` said, or else what the record says.

    Raises `UsageError` where that says nothing, since records hold no folders.
    """
    source = SOURCES[record.source.kind]
    if not source.has_glue_tasks:
        raise UsageError(
            f"{record.case.id}: a custom task, and records hold none. Mend: run it again with "
            "`pytest benchmarks --glue-task-file FILE`"
        )
    if data is not None:
        return plan.checked_source(options.source(data, Path.cwd()), "--data")
    if source.is_named:
        return source.kind
    raise UsageError(
        f"{record.case.id}: its rows came from a folder, and records hold no folders. Mend: say "
        "--data DIR, the folder that it was run on"
    )
