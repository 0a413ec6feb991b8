"""Runs the cases of a plan, and stores each record before it is reported."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path

from harness.errors import GlueBenchError, StorageError, TargetUnavailable, UsageError
from harness.execution import interrupt
from harness.execution.engine import Engine, Finished, InlineEngine
from harness.execution.process import ProcessEngine
from harness.files.outputs import make_folder
from harness.planning import options
from harness.planning.plan import Plan
from harness.planning.resolve import resolve
from harness.planning.resume import Resume
from harness.records import failures, limits, predictions, redaction
from harness.records.journal import EventName, Journal
from harness.records.schema import CaseInfo, Outcome, PredictionTable, Record, Source, revised
from harness.records.store import Store
from harness.spec import CUSTOM, Case, Progress, RunConfig
from harness.system import environment
from harness.text.escape import harmless

NOTED = ("max_train", "max_eval", "recipe", "epochs")
"""The settings that the journal holds, by which `status` tells sessions apart."""


@dataclass(frozen=True)
class CompletedCase:
    """A stored record and what its worker printed."""

    record: Record
    log: str
    is_reused: bool = False


@dataclass
class _StartedCase:
    config: RunConfig | None
    # An error: it could not be handed to the engine; a record: `--glue-resume` found it stored.
    future: Future[Finished] | Exception | Record
    stored: CompletedCase | StorageError | None = None  # None: it is not stored yet

    @property
    def pending(self) -> Future[Finished] | None:
        """Its future until its record is stored; until then it is one of the `jobs`."""
        return self.future if isinstance(self.future, Future) and self.stored is None else None


class Driver:
    """Runs cases on an engine, up to `jobs` at a time, in the order they are asked for."""

    def __init__(self, plan: Plan, store: Store, engine: Engine, jobs: int = 1) -> None:
        self.plan, self.store, self.engine, self.jobs = plan, store, engine, jobs
        self.journal = Journal(store.journal)
        self.complaints: list[StorageError] = []  # what could not be written, or read
        self._journal_failed = False
        self._resume: Resume | None = None
        self._started: dict[Case, _StartedCase] = {}
        self._listening: tuple[Case, Progress] | None = None

    def start(self, cases: Iterable[Case]) -> None:
        """Check that results can be stored, and start the engine, which returns at once.

        `cases` are those that the caller will run. Raises `StorageError`.
        """
        self.store.prepare()
        settings = self.plan.settings
        environment.facts(settings.project)  # now: files may change while cases run
        if self.plan.settings.resume:
            self._resume = Resume(self.store)
            self.complaints += self._resume.damaged
        self.journal.note(
            "planned",
            cases=[case.id for case in cases],
            settings={
                "data": self.plan.data.kind,
                **{name: getattr(settings, name) for name in NOTED},
            },
        )
        if settings.save_models:
            make_folder(Path(settings.save_models), "--glue-save-models")
        self.engine.start()
        predictions.load_libraries()  # now, while the engine starts, not after the first run

    def close(self, exit_status: int | None = None) -> None:
        """Stop, and note that the session ended."""
        self.stop()
        if self.journal.is_open:
            self.note("ended", exit_status=exit_status)
        self.journal.close()

    def stop(self) -> None:
        """Store the runs that have ended; stop those that still run."""
        try:
            self._store_finished()
            ahead = [started.stored for started in self._started.values()]
            self.complaints += [error for error in ahead if isinstance(error, StorageError)]
        finally:
            self._started.clear()
            self.engine.close()

    def note(self, event: EventName, **about: object) -> None:
        """Write to the journal. If that fails, runs go on and `complaints` says so once."""
        try:
            self.journal.note(event, **about)
        except StorageError as error:
            if not self._journal_failed:
                self.complaints.append(error)
            self._journal_failed = True

    def run(
        self, case: Case, upcoming: Sequence[Case] = (), progress: Progress | None = None
    ) -> CompletedCase:
        """Run a case and return its record, which is on disk by then.

        Meanwhile `upcoming` cases are started, so that `jobs` of them run; each is stored as soon
        as it ends. With `--glue-resume` a stored run may be returned in place of a new one. Raises
        `NotStored`. Any other error is in the record.
        """
        self._listening = (case, progress) if progress else None
        with interrupt.deferred():
            started = self._start(case)
            while started.pending:
                self._fill(upcoming)
                with interrupt.allowed():
                    wait(self._pending(), return_when=FIRST_COMPLETED)
                self._store_finished()
            del self._started[case]
            stored = self._store(case, started)
            if isinstance(stored, StorageError):
                raise stored
            return stored

    def _pending(self) -> list[Future[Finished]]:
        return [future for started in self._started.values() if (future := started.pending)]

    def _fill(self, upcoming: Sequence[Case]) -> None:
        """Start upcoming cases while fewer than `jobs` run."""
        for case in upcoming:
            if len(self._pending()) >= self.jobs:
                return
            self._start(case)

    def _store_finished(self) -> None:
        for case, started in self._started.items():
            if started.pending and started.pending.done():
                self._store(case, started)

    def _store(self, case: Case, started: _StartedCase) -> CompletedCase | StorageError:
        """Store the result of a case, once."""
        if isinstance(started.future, Record):
            self.note("reused", case=case.id, record=started.future.id)
            return CompletedCase(started.future, log="", is_reused=True)
        if started.stored is None:
            outcome, table, log = self._result(case, started.future)
            try:
                record, crash = self._save_or_crash(case, started.config, outcome, table)
                started.stored = CompletedCase(record, log + crash)
            except StorageError as error:
                started.stored = error
        return started.stored

    def _save_or_crash(
        self, case: Case, config: RunConfig | None, outcome: Outcome, table: PredictionTable | None
    ) -> tuple[Record, str]:
        """Save an outcome; if it makes no valid record, save a crash, and return its traceback."""
        try:
            return self._save(case, config, outcome, table), ""
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it was, the other cases go on)
            crashed, _, log = _crash(error)
            return self._save(case, config, crashed, None), log

    def _save(
        self, case: Case, config: RunConfig | None, outcome: Outcome, table: PredictionTable | None
    ) -> Record:
        record = self.store.save(self._record(case, config, outcome), table)
        if record.status == "skipped":
            self.note("skipped", case=case.id, record=record.id, reason=record.reason)
        else:
            self.note("finished", case=case.id, record=record.id, status=record.status)
        return record

    def _start(self, case: Case) -> _StartedCase:
        """Hand a case to the engine, once."""
        if case not in self._started:
            self._started[case] = self._submit(case)
        return self._started[case]

    def _submit(self, case: Case) -> _StartedCase:
        try:
            config = resolve(case, self.plan, self.jobs)
            if self._resume and (stored := self._resume.find(config).record):
                return _StartedCase(config, stored)
        except Exception as error:  # noqa: BLE001  (it is this case's record, and no other's)
            return _StartedCase(None, error)
        self.note("started", case=case.id)
        try:
            future = self.engine.submit(config, lambda step, steps: self._report(case, step, steps))
        except Exception as error:  # noqa: BLE001  (such as: no thread can be started)
            return _StartedCase(config, error)
        return _StartedCase(config, future)

    def _report(self, case: Case, step: int, steps: int) -> None:
        if self._listening and self._listening[0] == case:
            self._listening[1](step, steps)

    def _result(
        self, case: Case, future: Future[Finished] | Exception
    ) -> tuple[Outcome, PredictionTable | None, str]:
        """The outcome, predictions and log of a case that has ended, or could not be started."""
        try:
            if isinstance(future, Exception):
                raise future
            finished = future.result()
        except GlueBenchError as error:
            return self._skip_or_fail(failures.outcome_of(error), type(error), case), None, ""
        except Exception as error:  # noqa: BLE001  (whatever it was, the other cases go on)
            return _crash(error)
        # Data and models are looked up before a run starts: a worker can only lack the target.
        outcome = self._skip_or_fail(finished.outcome, TargetUnavailable, case)
        return outcome, finished.predictions, finished.log

    def _skip_or_fail(self, outcome: Outcome, missing: type[Exception], case: Case) -> Outcome:
        """A run that was skipped for want of something fails if the user named that thing."""
        if outcome.status == "skipped" and self.plan.must_have(missing, case):
            return revised(outcome, status="failed")
        return outcome

    def _record(self, case: Case, config: RunConfig | None, outcome: Outcome) -> Record:
        fields = {name: getattr(outcome, name) for name in Outcome.model_fields}
        if outcome.reason:
            fields["reason"] = limits.reason(redaction.redacted(harmless(outcome.reason)))
        return Record(
            **fields,
            case=CaseInfo(id=case.id, **dataclasses.asdict(case)),
            profile=self.plan.profile.name,
            session=self.journal.session,
            source=Source(
                kind=CUSTOM if case.task in self.plan.custom_tasks else self.plan.data.kind,
                revision=config.data.revision if config else None,
                max_train=self.plan.data.max_train,
                max_eval=self.plan.data.max_eval,
            ),
            recipe=dataclasses.asdict(config.recipe) if config else {},
            threads=config.threads if config else None,
            cell_key=config.cell_key if config else None,
            identity=dict(config.identity) if config else {},
            environment=environment.facts(self.plan.settings.project),
        )


def _crash(error: Exception) -> tuple[Outcome, None, str]:
    """The outcome of a case in which the harness itself failed, and the traceback."""
    return failures.of_harness(error), None, "".join(traceback.format_exception(error))


def make_engine(settings: options.Settings, plan: Plan) -> Engine:
    """The engine that `settings` name. Raises `UsageError` for settings that it does not have."""
    if settings.engine == "inline":
        if settings.jobs not in (None, 1) or settings.timeout is not None:
            raise UsageError("the inline engine has no jobs and no timeout. Fix: leave them out")
        return InlineEngine()
    return ProcessEngine(settings.jobs or 1, plan.settings.timeout)
