"""The verb `explain`: whether a session that resumes would run a case, or keep a stored run."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from harness.commands.common import complain
from harness.errors import UsageError
from harness.planning import options
from harness.tables.table import WIDTH
from harness.terminal import say

if TYPE_CHECKING:
    from harness.planning.explanation import Explanation

LABEL = 10  # width of the words at the left


def explain(context: typer.Context) -> None:
    """Say whether --glue-resume would keep the stored run of a CASE, and if not, why.

    CASE is an id, such as sst2-toy-bert-cpu-fp32-s42; beside it stand the options of the session
    that it is for, as `pytest benchmarks` takes them.
    """
    from harness.planning import explanation

    for complaint in options.unknown_flags(context.args):
        raise UsageError(complaint)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = _refuse
    parser.add_argument("case")
    for option in options.OPTIONS:
        parser.add_argument(option.flag, dest=option.key, **option.form)
    typed = vars(parser.parse_args(context.args))
    here = Path.cwd()
    found = explanation.explain(typed.pop("case"), options.merge(typed, here, here))
    say(text(found))
    complain(found.damaged)


def _refuse(message: str) -> NoReturn:
    raise UsageError(
        f"{message}; expected `glue-bench explain CASE` and options of `pytest benchmarks`. Mend: "
        "`pytest benchmarks --collect-only -q` lists cases, `pytest --help` the options"
    )


def text(explanation: Explanation) -> str:
    """As the terminal shows it."""
    run = explanation.reuse.record
    if run:
        when = f"{run.created:%Y-%m-%d %H:%M} UTC"
        reasons = [f"run {run.id[:8]} of {when}, score {100 * (run.score or 0):.2f}"]
    else:
        reasons = list(explanation.reuse.reasons)
    lines = [("case", explanation.case), ("cell_key", explanation.cell_key)]
    lines += [
        (("keep" if run else "run") if place == 0 else "", r) for place, r in enumerate(reasons)
    ]
    return "\n".join(
        textwrap.fill(
            words, WIDTH, initial_indent=f"{label:{LABEL}}", subsequent_indent=" " * LABEL
        )
        for label, words in lines
    )
