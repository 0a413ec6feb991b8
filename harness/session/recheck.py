"""The second stage of the gate: the code of the baseline's commit runs fresh seeds.

Using the stored runs of the baseline again would count their luck twice. So the project's files at
its commit are put into a folder of their own and run the same cases, with the same packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.compare.baselines import Baseline
from harness.compare.subject import shortened
from harness.errors import UsageError
from harness.execution import checkout as checkouts
from harness.execution import other_code
from harness.planning import options
from harness.planning.options import Settings
from harness.planning.project import BASELINES
from harness.records.diff import differences
from harness.records.revisions import Revision, clean_commit
from harness.records.schema import Record
from harness.records.store import Store
from harness.spec import Case
from harness.text.values import shown_path

REPLACED = {"tasks", "models", "targets", "seeds", "results"}
OMITTED = {
    *("baseline", "recheck", "max_seeds", "subject", "policy", "trust_baseline"),
    *("resume", "save_models", "ab", "ab_budget", "suite", "pairs", "peers"),
}
"""Options of this session that the second stage gets with other values, or does not get."""
TRUST = "Fix: --glue-trust-baseline, if you know who wrote that baseline"


def require_trusted(baseline: Baseline, settings: Settings, project: Path) -> None:
    """Raise `UsageError` if the code that a baseline names may not be run.

    A baseline of the project itself was reviewed with its other files. Any other folder may name
    any commit of this repository, such as one with a known fault.
    """
    own = (project / BASELINES).resolve()
    if not settings.trust_baseline and own not in baseline.folder.resolve().parents:
        raise UsageError(
            f"--glue-recheck: baseline {shown_path(baseline.folder)} is not below "
            f"{shown_path(own)}, so the commit that it names is not run. {TRUST}"
        )


def run_baseline(
    baseline: Baseline, cases: Sequence[Case], test: str, settings: Settings, results: Path
) -> list[Record]:
    """Run `cases`, which differ only in their seed, with the code of the baseline's commit.

    `test` is the file and function that runs them, as pytest names it. Returns their records, which
    are stored in `results`/rechecks/. Raises `UsageError` if that code cannot be run, or does not
    run all cases.
    """
    case, project = cases[0], settings.project or Path.cwd()
    commit = _commit(baseline, case)
    branch = baseline.last.branch
    store = Store(results / "rechecks" / f"{baseline.name}-{commit[:12]}")
    try:
        with checkouts.of_commit(project, commit, branch) as checkout:
            before = {run.id for run in store.load()}
            arguments = [*_options(case, cases, settings), "--glue-results", str(store.root)]
            moved = [checkout.moved(project, value) for value in arguments]
            printed = other_code.run_pytest(checkout, [test, *moved])
    except UsageError as error:
        raise UsageError(f"stage 2: {error}") from error
    new = [run for run in store.load() if run.id not in before]
    by_case = {run.case.id: run for run in new if clean_commit(run) == commit}
    runs = [by_case[case.id] for case in cases if case.id in by_case]
    if len(runs) < len(cases):
        other = {str(Revision.of(run)) for run in new if clean_commit(run) != commit}
        aside = f" ({len(new) - len(by_case)} runs are of {', '.join(other)})" if other else ""
        raise UsageError(
            f"{case.cell}: stage 2: commit {commit[:12]} ran {len(runs)} of {len(cases)} cases"
            f"{aside}. The end of its output:\n{printed}"
        )
    _require_same_inputs(baseline, case, runs)
    return runs


def _require_same_inputs(baseline: Baseline, case: Case, runs: Sequence[Record]) -> None:
    """Raise `UsageError` if new runs of the baseline's code have other inputs than its stored runs.

    That happens where a model or rows outside the repository were replaced.
    """
    stored = [r for r in baseline.records if r.combination == case.combination and r.cell_key]
    if runs[0].cell_key in {run.cell_key for run in stored}:
        return
    lines = differences(stored[0].identity, runs[0].identity) if stored else []
    raise UsageError(
        f"stage 2: what the baseline of {case.cell} was computed from is not here any more: "
        f"{shortened(lines) or 'its inputs are not known'}"
    )


def _commit(baseline: Baseline, case: Case) -> str:
    """The one clean commit that computed the baseline's runs of a cell. Raises `UsageError`."""
    runs = [run for run in baseline.records if run.combination == case.combination]
    commits = {clean_commit(run) for run in runs}
    if len(commits) == 1 and (commit := commits.pop()):
        return commit
    found = ", ".join(sorted({str(Revision.of(run)) for run in runs})) or "no run"
    raise UsageError(
        f"stage 2: the runs of {case.cell} in baseline {baseline.name} are of {found}; expected "
        "one commit, whose code can be run again"
    )


def _options(case: Case, cases: Sequence[Case], settings: Settings) -> list[str]:
    """The options that were typed, with those of `REPLACED` set to these cases."""
    arguments: list[str] = []
    for option in options.OPTIONS:
        value = getattr(settings, option.key)
        if option.key in REPLACED | OMITTED or value in (None, False):
            continue
        if settings.is_of_file(option.key):
            continue  # the older code has a file of its own
        arguments += [option.flag] if value is True else [option.flag, str(value)]
    model = next((m for m in settings.models or () if _names(m, case.model)), case.model)
    seeds = "".join(f"{each.seed}," for each in cases)
    replaced = {"tasks": case.task, "models": model, "targets": case.target, "seeds": seeds}
    for name, value in replaced.items():
        arguments += [f"--glue-{name}", value]
    return arguments


def _names(typed: str, model: str) -> bool:
    """Whether `typed`, a name or a folder, means the model of that name."""
    from harness.catalog import models

    return model in models.choose((typed,))
