"""The verb `explain`: whether --glue-resume would keep a case's stored run, and if not, why."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from harness.commands.common import complain, option_parser
from harness.errors import UsageError
from harness.planning import option_sources, options
from harness.tables.table import WIDTH
from harness.terminal import say

if TYPE_CHECKING:
    from harness.planning.explanation import Explanation

LABEL = 10  # width of the labels at the left


def explain(context: typer.Context) -> None:
    """Say whether --glue-resume would keep the stored run of a CASE, and if not, why.

    CASE is an id, such as sst2-toy-bert-cpu-fp32-s42. Give the options of the session beside it,
    as to `pytest benchmarks`.
    """
    from harness.planning import explanation

    for complaint in options.unknown_flags(context.args):
        raise UsageError(complaint)
    parser = option_parser()
    parser.error = _refuse
    parser.add_argument("case")
    arguments = vars(parser.parse_args(context.args))
    case = arguments.pop("case")
    here = Path.cwd()
    answer = explanation.explain(case, option_sources.merge(arguments, here, here))
    say(text(answer))
    complain(answer.damaged)


def _refuse(message: str) -> NoReturn:
    raise UsageError(
        f"{message}; expected `glue-bench explain CASE` and options of `pytest benchmarks`. Fix: "
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
    verdict = "keep" if run else "run"
    lines = [("case", explanation.case), ("cell_key", explanation.cell_key)]
    lines += zip([verdict, *[""] * len(reasons)], reasons, strict=False)
    indent = " " * LABEL
    return "\n".join(
        textwrap.fill(words, WIDTH, initial_indent=f"{label:{LABEL}}", subsequent_indent=indent)
        for label, words in lines
    )
