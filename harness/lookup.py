"""One stored run, as a command names it, and where its rows are to be had now."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness import paths, plan
from harness.errors import UsageError, shown, shown_path
from harness.options import RESULTS, source
from harness.records import PredictionTable, Record
from harness.spec import HUB, OWN, TOY
from harness.store import Store, read


class Stored(NamedTuple):
    """A record, and the results folder that it lies in."""

    record: Record
    store: Store

    def predictions(self) -> PredictionTable:
        """The run's predictions. Raises `StorageError`."""
        return self.store.read_predictions(self.record)


def find(result: str, results: Path = RESULTS) -> Stored:
    """The run of a record's file, or the one in a results folder whose id begins with `result`.

    Raises `UsageError` where there is none or several, `StorageError` for one that is damaged.
    """
    path = Path(result)
    if paths.is_file(path):
        return Stored(read(path), Store(path.absolute().parent.parent))
    if paths.is_folder(path):
        raise UsageError(
            f"{result}: is a folder; expected a record's file, such as {path}/runs/CASE-ID.json"
        )
    store = Store(results)
    found = [record for record in store.find().records if record.id.startswith(result)]
    if len(found) != 1:
        many = f"{len(found)} runs whose ids begin" if found else "no run whose id begins"
        raise UsageError(
            f"{shown(result)}: no such file, and {shown_path(results)} holds {many} with it; "
            "expected a record's file, or the beginning of one run's id"
        )
    return Stored(found[0], store)


def source_of(record: Record, data: str | None) -> str:
    """Where a run's rows are read from: what `--data` said, or else what the record says.

    Raises `UsageError` where that says nothing, since records hold no folders.
    """
    if record.source.kind == OWN:
        raise UsageError(
            f"{record.case.id}: a task of your own, and records hold none. Mend: run it again with "
            "`pytest benchmarks --glue-task-file FILE`"
        )
    if data is not None:
        return plan.checked_source(source(data, Path.cwd()), "--data")
    if record.source.kind in (TOY, HUB):
        return record.source.kind
    raise UsageError(
        f"{record.case.id}: its rows came from a folder, and records hold no folders. Mend: say "
        "--data DIR, the folder that it was run on"
    )
