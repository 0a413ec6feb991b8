"""The second stage of the gate: the code of the baseline's commit runs fresh seeds.

Using the stored runs of the baseline again would count their luck twice. So the files of its commit
are put into a folder of their own and run the same cases, with the same packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.compare.baselines import Baseline
from harness.compare.selection import commit_of
from harness.errors import UsageError
from harness.planning import options
from harness.planning.options import Settings
from harness.records.schema import Record
from harness.records.store import Store
from harness.session import checkout as checkouts
from harness.session.checkout import Checkout
from harness.spec import Case
from harness.system import git, inherited, supervisor
from harness.text.escape import harmless

REPLACED = {"tasks", "models", "targets", "seeds", "results"}
OMITTED = {"baseline", "recheck", "max_seeds", "resume", "save_models"}
"""Options of this session that the second stage gets with other values, or does not get."""
LAST_LINES = 15
LAST_BYTES = 16 * 1024
WITHOUT_TOKEN = {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_TOKEN_PATH": os.devnull}
"""So that the Hub's library sends no token that the user has stored."""


def run_baseline(
    baseline: Baseline, cases: Sequence[Case], settings: Settings, results: Path
) -> list[Record]:
    """Run `cases`, which differ only in their seed, with the code of the baseline's commit.

    Returns their records, which are stored in `results`/rechecks/. Raises `UsageError` if that code
    cannot be run, or does not run all cases.
    """
    case = cases[0]
    commits = {commit_of(run) for run in baseline.records if _is_of(run, case)}
    if len(commits) != 1:
        raise UsageError(
            f"stage 2: the runs of {case.cell} in baseline {baseline.name} are of {len(commits)} "
            "commits; expected one"
        )
    commit = commits.pop()
    store = Store(results / "rechecks" / f"{baseline.name}-{commit[:12]}")
    with checkouts.of_commit(commit) as checkout:
        before = {run.id for run in store.load()}
        arguments = [*_options(case, cases, settings), "--glue-results", store.root]
        printed = run_benchmarks(checkout, arguments)
    new = [run for run in store.load() if run.id not in before]
    by_case = {run.case.id: run for run in new if _is_of_code(run, commit)}
    runs = [by_case[case.id] for case in cases if case.id in by_case]
    if len(runs) < len(cases):
        raise UsageError(
            f"{case.cell}: stage 2: commit {commit[:12]} ran {len(runs)} of {len(cases)} cases. "
            f"The end of its output:\n{printed}"
        )
    return runs


def _is_of_code(run: Record, commit: str) -> bool:
    return commit_of(run) == commit and run.environment.get("dirty") is False


def _is_of(run: Record, case: Case) -> bool:
    return run.combination == case.combination


def _options(case: Case, cases: Sequence[Case], settings: Settings) -> list[str | Path]:
    """The options of this session, with those of `REPLACED` set to these cases."""
    arguments: list[str | Path] = []
    for option in options.OPTIONS:
        value = getattr(settings, option.key)
        if option.key in REPLACED | OMITTED or value in (None, False):
            continue
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


def run_benchmarks(checkout: Checkout, arguments: Sequence[str | Path]) -> str:
    """Run the benchmarks of a checkout with this interpreter; returns the end of their output.

    They inherit no secret of this process's environment. They end when this process ends, in
    whatever way.
    """
    pytest_command = [sys.executable, "-m", "pytest", "benchmarks/test_finetune.py"]
    quiet = ["-q", "-p", "no:cacheprovider"]
    command = [*pytest_command, *quiet, *map(str, arguments)]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", supervisor.__file__, *command],
        cwd=checkout.folder,
        env={
            **inherited.environment(),
            **git.WITHOUT_CONFIGURATION,
            **WITHOUT_TOKEN,
            "PYTHONPATH": str(checkout.folder),
            "TMPDIR": str(checkout.temporary),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C reaches only this process, which then ends that one
    )
    assert process.stdin is not None  # both are pipes
    assert process.stdout is not None
    with process:
        try:
            printed = _end_of(process.stdout.fileno())
        finally:
            process.stdin.close()  # then the supervisor ends every process that it started
    return printed


def _end_of(pipe: int) -> str:
    """The last lines that a process prints, without control characters."""
    end = b""
    while block := os.read(pipe, LAST_BYTES):
        end = (end + block)[-LAST_BYTES:]
    return harmless("\n".join(end.decode(errors="replace").splitlines()[-LAST_LINES:]))
