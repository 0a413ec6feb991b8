"""What a pytest session prints before its cases run and after them."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.catalog import models, targets, tasks
from harness.errors import Exit
from harness.planning.plan import Plan
from harness.session.session import GlueSession
from harness.text.escape import harmless, visible
from harness.text.names import nearest

MOST_SEEDS = 5  # of more consecutive seeds, only the first and last are named
LIST_COMMAND = "glue-bench list tasks|models|targets"
MARKED = ("task", "model", "target", "seed")  # the keywords of a case's mark `glue`
KEYWORDS = ("and", "or", "not", "glue", *MARKED)  # words of -k and -m that name no case


def header(glue: GlueSession) -> list[str]:
    """Lines that say what is about to run, and where its records go."""
    if not glue.items and not glue.deselected:
        return []
    plan, settings = glue.plan, glue.settings
    data = shown(glue.config, plan.data.source)
    recipe = plan.settings.recipe or "each model's own"
    if custom := [name for name in plan.tasks if name in plan.custom_tasks]:
        custom_data = f"custom for {', '.join(custom)}"
        data = custom_data if len(custom) == len(plan.tasks) else f"{data}; {custom_data}"
    return [
        f"glue-bench: profile {plan.profile.name}, data {data}, recipe {recipe}",
        f"  models {', '.join(plan.models)}; targets {', '.join(plan.targets)}; "
        f"seeds {_seeds(plan.seeds)}",
        *_parts(plan),
        f"  {len(glue.items)} of {len(plan.cases)} cases, {settings.jobs or 1} at a time; "
        f"results in {shown(glue.config, str(glue.results))}",
        *([f"  {glue.regression.header}; judged: {len(glue.cells)}"] if glue.regression else []),
        *([f"  {note}" for note in glue.regression.notes(glue.cells)] if glue.regression else []),
    ]


def _parts(plan: Plan) -> list[str]:
    """A line for each named task without cases of its own: runs of another task predict it."""
    parts = [task for name in plan.data.needed if (task := tasks.TASKS.get(name))]
    return [f"  {task.name}: predicted by runs of {task.part_of}" for task in parts]


def _seeds(seeds: Sequence[int]) -> str:
    """Seeds in short: `42, 43, 44`, or `42 to 83 (42 seeds)`."""
    if len(seeds) > MOST_SEEDS and list(seeds) == [*range(seeds[0], seeds[-1] + 1)]:
        return f"{seeds[0]} to {seeds[-1]} ({len(seeds)} seeds)"
    return ", ".join(map(str, seeds))


def write(glue: GlueSession, reporter: pytest.TerminalReporter) -> None:
    """Write the results of the session; nothing if it had no case."""

    def say(text: str) -> None:
        reporter.write_line(harmless(text))

    if glue.deselected and not glue.items:
        _explain_empty(glue, say)
    has_errors = bool(reporter.stats.get("error"))
    if glue.lacks_baseline and not (glue.items or glue.deselected or has_errors):
        say("glue-bench: verdicts need a baseline. Fix: --glue-baseline NAME")
    for complaint in glue.complaints:
        say(f"storage: {complaint} (exit {Exit.STORAGE})")
    if glue.records:
        reporter.write_sep("=", "GLUE results")
        _write_results(glue, say)
    if glue.cells and glue.regression and glue.regression.judged:
        from harness.compare import verdict_tables

        reporter.write_sep("=", harmless(f"verdicts against the baseline {glue.regression.name}"))
        say(verdict_tables.text(glue.regression.comparison, glue.policy))
    if glue.compared_nothing:
        say("nothing was compared with the baseline (exit 5 unless a test failed)")


def _write_results(glue: GlueSession, say: Callable[[str], None]) -> None:
    from harness.records import row_notes
    from harness.reports import cell_tables

    ran = [record for record in glue.records if record.status != "skipped"]
    if ran:
        say(cell_tables.summary(ran))
    say("")
    for note in row_notes.of(ran):
        say(note)
    notes = {(r.case.model, note) for r in ran if r.model for note in r.model.notes}
    for model, note in sorted(notes):
        say(f"note on {visible(model)}: {note}")
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
    if glue.settings.save_models and any(record.status == "ok" for record in glue.records):
        models_folder = shown(glue.config, glue.settings.save_models)
        say(f"models:  {models_folder} (to use one: glue-bench predict {models_folder}/NAME TEXT)")


def _explain_empty(glue: GlueSession, write: Callable[[str], None]) -> None:
    """Write why -k or -m selected no case, and which options add one."""
    write(f"glue-bench: none of {glue.deselected} cases is selected.")
    keyword, mark_expression = glue.config.option.keyword, glue.config.option.markexpr
    marks = " ".join(re.findall(r"\bglue\(([^)]*)\)", mark_expression))
    for word in dict.fromkeys(re.findall(r"(\w+)\s*=", marks)):
        if word not in MARKED:
            write(f"  The mark `glue` has no '{word}'. It has: {', '.join(MARKED)}")
    for word in dict.fromkeys(re.findall(r"[\w.+-]+", f"{keyword} {mark_expression}")):
        if hint := _hint_for(word, glue.plan):
            write(f"  {hint}")
    write(f"  Names: {LIST_COMMAND}")


def _hint_for(word: str, plan: Plan) -> str | None:
    """What to say about a word of -k or -m; None if it is in a case's id, or nothing is known."""
    if word in KEYWORDS or any(word.lower() in case.id for case in plan.cases):
        return None
    names_by_option = {
        "tasks": [*plan.custom_tasks, *tasks.TASKS],
        "models": [*models.MODELS],
        "targets": [*targets.TARGETS],
    }
    for option, names in names_by_option.items():
        if matches := [name for name in names if word.lower() in name]:
            return f"No case has '{word}'. To add it: --glue-{option} {matches[0]}"
    guess = nearest(word, [name for names in names_by_option.values() for name in names])
    return f"Did you mean '{guess}' by '{word}'?" if guess else None


def how_to_go_on(glue: GlueSession) -> str | None:
    """The command that continues an interrupted session; None for any other session."""
    if not glue.was_interrupted or not glue.items or glue.config.option.collectonly:
        return None
    args = [str(arg) for arg in glue.config.invocation_params.args]
    if "--glue-resume" not in args:
        args.append("--glue-resume")
    progress = f"interrupted after {len(glue.records)} of {len(glue.items)} cases"
    return f"glue-bench: {progress}. To go on: pytest {visible(shlex.join(args))}"


def shown(config: pytest.Config, path: str) -> str:
    """A folder as the user would type it."""
    try:
        return str(Path(path).relative_to(config.invocation_params.dir))
    except ValueError:
        return path
