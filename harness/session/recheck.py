"""The second stage of the gate: the baseline's own code runs fresh seeds, here and now.

The stored baseline has judged once; judged by it again, its luck would count twice. So the files of
its commit are put into a folder of their own, and run the same cases with the same packages.
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

OWN = ("tasks", "models", "targets", "seeds", "results", "baseline", "recheck", "resume",
       "save_models")  # fmt: skip
LAST_LINES = 15
LAST_BYTES = 16 * 1024
WITHOUT_TOKEN = {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_TOKEN_PATH": os.devnull}
"""The Hub's library sends no token that the user has stored."""


def run_baseline(
    baseline: Baseline, cases: Sequence[Case], settings: Settings, results: Path
) -> list[Record]:
    """Runs of `cases`, which differ in their seed alone, by the code of the baseline's commit.

    They are kept in `results`/rechecks/. Raises `UsageError` where that code cannot be run.
    """
    case = cases[0]
    commits = {commit_of(run) for run in baseline.records if _is_of(run, case)}
    if len(commits) != 1:
        raise UsageError(f"{baseline.name}: its runs of {case.cell} are of {len(commits)} commits")
    commit = commits.pop()
    store = Store(results / "rechecks" / f"{baseline.name}-{commit[:12]}")
    with checkouts.of_commit(commit) as checkout:
        before = {run.id for run in store.load()}
        said = [*_options(case, cases, settings), "--glue-results", store.root]
        printed = run_benchmarks(checkout, said)
    new = [run for run in store.load() if run.id not in before]
    found = {run.case.id: run for run in new if _is_of_code(run, commit)}
    wanted = [found[case.id] for case in cases if case.id in found]
    if len(wanted) < len(cases):
        raise UsageError(
            f"{case.cell}: stage 2: commit {commit[:12]} ran {len(wanted)} of {len(cases)} cases. "
            f"The end of what it printed:\n{printed}"
        )
    return wanted


def _is_of_code(run: Record, commit: str) -> bool:
    return commit_of(run) == commit and run.environment.get("dirty") is False


def _is_of(run: Record, case: Case) -> bool:
    return run.combination == case.combination


def _options(case: Case, cases: Sequence[Case], settings: Settings) -> list[str | Path]:
    """The session's own options, for these cases alone."""
    said: list[str | Path] = []
    for option in options.OPTIONS:
        value = getattr(settings, option.key)
        if option.key in OWN or value in (None, False):
            continue
        said += [option.flag] if value is True else [option.flag, str(value)]
    model = next((m for m in settings.models or () if _names(m, case.model)), case.model)
    seeds = "".join(f"{each.seed}," for each in cases)
    named = {"tasks": case.task, "models": model, "targets": case.target, "seeds": seeds}
    for name, value in named.items():
        said += [f"--glue-{name}", value]
    return said


def _names(typed: str, model: str) -> bool:
    """Whether what was typed, maybe a folder, is the model of that name."""
    from harness.catalog import models

    return model in models.choose((typed,))


def run_benchmarks(checkout: Checkout, said: Sequence[str | Path]) -> str:
    """Run the benchmarks of a checkout with this interpreter; the end of what they print.

    They get no secret of this process's environment, and end with it, however it ends.
    """
    command = [
        sys.executable, "-m", "pytest", "benchmarks/test_finetune.py", "-q", "-p",
        "no:cacheprovider", *map(str, said),
    ]  # fmt: skip
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
        start_new_session=True,  # a Ctrl-C reaches this process alone, which then ends that one
    )
    assert process.stdin is not None  # pipes, both
    assert process.stdout is not None
    with process:
        try:
            printed = _end_of(process.stdout.fileno())
        finally:
            process.stdin.close()  # the supervisor ends all that it started
    return printed


def _end_of(pipe: int) -> str:
    """The last lines of what a process prints, without what moves a terminal."""
    kept = b""
    while block := os.read(pipe, LAST_BYTES):
        kept = (kept + block)[-LAST_BYTES:]
    return harmless("\n".join(kept.decode(errors="replace").splitlines()[-LAST_LINES:]))
