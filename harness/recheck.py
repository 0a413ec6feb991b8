"""The second stage of the gate: the baseline's own code runs fresh seeds, here and now.

The stored baseline has judged once; judged by it again, its luck would count twice. So its commit
is checked out beside this one, and runs the same cases with the same packages.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

from harness import options
from harness.baselines import Baseline
from harness.chosen import commit_of
from harness.environment import HERE
from harness.errors import UsageError
from harness.options import Settings
from harness.records import Record
from harness.spec import Case
from harness.store import Store

OWN = ("tasks", "models", "targets", "seeds", "results", "baseline", "recheck", "resume",
       "save_models")  # fmt: skip
LAST_LINES = 15


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
    with _checked_out(commit) as checkout:
        printed = _run(checkout, [*_options(case, cases, settings), "--glue-results", store.root])
    found = {run.case.id: run for run in store.load() if commit_of(run) == commit}
    wanted = [found[case.id] for case in cases if case.id in found]
    if len(wanted) < len(cases):
        raise UsageError(
            f"{case.cell}: stage 2: commit {commit[:12]} ran {len(wanted)} of {len(cases)} cases. "
            f"The end of what it printed:\n{printed}"
        )
    return wanted


def _is_of(run: Record, case: Case) -> bool:
    return (run.case.task, run.case.model, run.case.target) == (case.task, case.model, case.target)


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
    from harness import models

    return model in models.choose((typed,))


@contextlib.contextmanager
def _checked_out(commit: str) -> Generator[Path]:
    """A folder with the repository as it was at `commit`."""
    with tempfile.TemporaryDirectory(prefix="glue-bench-") as made:
        folder = Path(made) / "baseline"
        _git("worktree", "add", "--detach", str(folder), commit)
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*args: str) -> None:
    try:
        subprocess.run(["git", *args], cwd=HERE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        raise UsageError(
            f"stage 2: git {' '.join(args[:2])}: {str(said).strip()}. Mend: run in a checkout of "
            "glue-bench that has the baseline's commit (`git fetch --unshallow`)"
        ) from error


def _run(checkout: Path, said: Sequence[str | Path]) -> str:
    """Run the benchmarks of a checkout with this interpreter; the end of what they print."""
    command = [
        sys.executable, "-m", "pytest", "benchmarks/test_finetune.py", "-q", "-p",
        "no:cacheprovider", *map(str, said),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,  # what it ran is in its records
    )
    return "\n".join(done.stdout.splitlines()[-LAST_LINES:])
