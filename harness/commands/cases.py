"""What would become of a case, and how its run is started."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

import typer

from harness.commands.report import complain
from harness.errors import UsageError
from harness.planning import options
from harness.terminal import say

NO_VERBS = ("run", "train", "finetune", "fine-tune", "evaluate", "eval", "benchmark", "test")
"""What people expect a command that starts runs to be called."""


def run(context: typer.Context) -> None:
    """Say how runs are started: by pytest, or from Python."""
    raise UsageError(
        f"`{context.info_name}` is no verb: runs are started by pytest. Mend: `pytest benchmarks "
        '-k sst2` (`pytest --help` lists the options --glue-*), or `harness.run("sst2")` in Python'
    )


def explain(context: typer.Context) -> None:
    """Say whether --glue-resume would keep the stored run of a CASE, and if not, why.

    CASE is an id, such as sst2-toy-bert-cpu-fp32-s42; beside it stand the options of the session
    that it is for, as `pytest benchmarks` takes them.
    """
    from harness.commands import explain as explained

    for complaint in options.unknown_flags(context.args):
        raise UsageError(complaint)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = _refuse
    parser.add_argument("case")
    for option in options.OPTIONS:
        parser.add_argument(option.flag, dest=option.key, **option.form)
    typed = vars(parser.parse_args(context.args))
    here = Path.cwd()
    found = explained.explain(typed.pop("case"), options.merge(typed, here, here))
    say(explained.text(found))
    complain(found.damaged)


def _refuse(message: str) -> NoReturn:
    raise UsageError(
        f"{message}; expected `glue-bench explain CASE` and options of `pytest benchmarks`. Mend: "
        "`pytest benchmarks --collect-only -q` lists cases, `pytest --help` the options"
    )
