"""What a pytest session says before its cases run, and after them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import escape, models, targets, tasks
from harness.exits import Exit
from harness.names import nearest
from harness.session import GlueSession

LIST_COMMAND = "glue-bench list tasks|models|targets"


def header(glue: GlueSession) -> list[str]:
    """What is about to run, and where its records go."""
    if not glue.items and not glue.deselected:
        return []
    chosen, settings = glue.plan, glue.settings
    data = shown(glue.config, chosen.data.source)
    recipe = chosen.recipe or "each model's own"
    if chosen.own_tasks:
        data = f"{data}; own for {', '.join(chosen.own_tasks)}"
    return [
        f"glue-bench: profile {chosen.profile.name}, data {data}, recipe {recipe}",
        f"  models {', '.join(chosen.models)}; targets {', '.join(chosen.targets)}; "
        f"seeds {', '.join(map(str, chosen.seeds))}",
        f"  {len(glue.items)} of {len(chosen.cases)} cases, {settings.jobs or 1} at a time; "
        f"results in {shown(glue.config, str(glue.results))}",
        *([f"  {glue.regression.said}; judged: {len(glue.cells)}"] if glue.regression else []),
    ]


def write(glue: GlueSession, reporter: pytest.TerminalReporter) -> None:
    """Write what the session came to; nothing where it had no case."""
    say = reporter.write_line
    if glue.deselected and not glue.items:
        _explain_empty(glue, say)
    if glue.lacks_baseline and not glue.items and not glue.deselected:
        say("glue-bench: verdicts need a baseline. Mend: --glue-baseline NAME")
    for complaint in glue.complaints:
        say(f"storage: {complaint} (exit {Exit.STORAGE})")
    if glue.records:
        reporter.write_sep("=", "GLUE results")
        _write_results(glue, say)
    if glue.cells and glue.regression and glue.regression.judged:
        from harness import verdicts

        reporter.write_sep("=", f"verdicts, against the baseline {glue.regression.name}")
        say(verdicts.text(glue.regression.comparison))
    if glue.compared_nothing:
        say("nothing was compared with the baseline (exit 5 unless a test failed)")


def _write_results(glue: GlueSession, say: Callable[[str], None]) -> None:
    from harness import cell_tables, row_notes

    ran = [record for record in glue.records if record.status != "skipped"]
    if ran:
        say(cell_tables.summary(ran))
    say("")
    for note in row_notes.of(ran):
        say(note)
    notes = {(r.case.model, note) for r in ran if r.model for note in r.model.notes}
    for model, note in sorted(notes):
        say(f"note on {escape.visible(model)}: {note}")
    skipped = Counter(record.reason for record in glue.records if record.status == "skipped")
    for reason, count in skipped.items():
        say(f"skipped {count}: {reason}")
    if glue.reused:
        say(f"kept from earlier sessions: {len(glue.reused)} of {len(glue.records)} runs")
        if len(glue.reused) < len(glue.records):
            for case in glue.reused:
                say(f"  {case}")
    if not any(record.status == "ok" for record in glue.records):
        say("no run ended ok: nothing was measured (exit 5 unless a test failed)")
    folder = shown(glue.config, str(glue.results))
    say(f"results: {folder} (this session's runs: {len(glue.records) - len(glue.reused)})")
    say(f"report:  glue-bench report {folder}")


def _explain_empty(glue: GlueSession, write: Callable[[str], None]) -> None:
    """What to say when -k or -m left no case."""
    write(f"glue-bench: none of {glue.deselected} cases is selected.")
    known = [*glue.plan.own_tasks, *tasks.TASKS, *models.MODELS, *targets.TARGETS]
    typed = re.findall(r"[\w.+-]+", f"{glue.config.option.keyword} {glue.config.option.markexpr}")
    for word in typed:
        guess = nearest(word, known) if word not in known else None
        if guess:
            write(f"  Did you mean '{guess}' by '{word}'?")
    write(f"  Names: {LIST_COMMAND}")


def shown(config: pytest.Config, path: str) -> str:
    """A folder as the user would type it."""
    try:
        return str(Path(path).relative_to(config.invocation_params.dir))
    except ValueError:
        return path
