"""What a pytest session says before its cases run, and after them."""

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

MOST_SEEDS = 5  # that are named one by one where they follow each other
LIST_COMMAND = "glue-bench list tasks|models|targets"
MARKED = ("task", "model", "target", "seed")  # what the mark `glue` of a case holds
KEYWORDS = ("and", "or", "not", "glue", *MARKED)  # of -k and -m


def header(glue: GlueSession) -> list[str]:
    """What is about to run, and where its records go."""
    if not glue.items and not glue.deselected:
        return []
    chosen, settings = glue.plan, glue.settings
    data = shown(glue.config, chosen.data.source)
    recipe = chosen.settings.recipe or "each model's own"
    if own := [name for name in chosen.tasks if name in chosen.custom_tasks]:
        of_own = f"custom for {', '.join(own)}"
        data = of_own if len(own) == len(chosen.tasks) else f"{data}; {of_own}"
    return [
        f"glue-bench: profile {chosen.profile.name}, data {data}, recipe {recipe}",
        f"  models {', '.join(chosen.models)}; targets {', '.join(chosen.targets)}; "
        f"seeds {_seeds(chosen.seeds)}",
        *_parts(chosen),
        f"  {len(glue.items)} of {len(chosen.cases)} cases, {settings.jobs or 1} at a time; "
        f"results in {shown(glue.config, str(glue.results))}",
        *([f"  {glue.regression.said}; judged: {len(glue.cells)}"] if glue.regression else []),
    ]


def _parts(plan: Plan) -> list[str]:
    """The tasks that were named and have no cases of their own, being a part of another's."""
    parts = [task for name in plan.data.needed if (task := tasks.TASKS.get(name))]
    return [f"  {task.name}: predicted by runs of {task.part_of}" for task in parts]


def _seeds(seeds: Sequence[int]) -> str:
    """Seeds, in short: `42, 43, 44`, or `42 to 83 (42 seeds)`."""
    if len(seeds) > MOST_SEEDS and list(seeds) == [*range(seeds[0], seeds[-1] + 1)]:
        return f"{seeds[0]} to {seeds[-1]} ({len(seeds)} seeds)"
    return ", ".join(map(str, seeds))


def write(glue: GlueSession, reporter: pytest.TerminalReporter) -> None:
    """Write what the session came to; nothing where it had no case."""

    def say(text: str) -> None:
        reporter.write_line(harmless(text))

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
        from harness.compare import verdict_tables

        reporter.write_sep("=", harmless(f"verdicts, against the baseline {glue.regression.name}"))
        say(verdict_tables.text(glue.regression.comparison))
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
    """What to say when -k or -m left no case."""
    write(f"glue-bench: none of {glue.deselected} cases is selected.")
    known = {
        "tasks": [*glue.plan.custom_tasks, *tasks.TASKS],
        "models": [*models.MODELS],
        "targets": [*targets.TARGETS],
    }
    names = [name for kind in known.values() for name in kind]
    cases = [case.id for case in glue.plan.cases]
    typed = re.findall(r"[\w.+-]+", f"{glue.config.option.keyword} {glue.config.option.markexpr}")
    marks = " ".join(re.findall(r"\bglue\(([^)]*)\)", glue.config.option.markexpr))
    for word in dict.fromkeys(re.findall(r"(\w+)\s*=", marks)):
        if word not in MARKED:
            write(f"  The mark `glue` has no '{word}'. It has: {', '.join(MARKED)}")
    for word in dict.fromkeys(typed):
        if word in KEYWORDS or any(word.lower() in case for case in cases):
            continue
        for kind, ours in known.items():
            if holding := [name for name in ours if word.lower() in name]:
                write(f"  No case has '{word}'. To add it: --glue-{kind} {holding[0]}")
                break
        else:
            if guess := nearest(word, names):
                write(f"  Did you mean '{guess}' by '{word}'?")
    write(f"  Names: {LIST_COMMAND}")


def how_to_go_on(glue: GlueSession) -> str | None:
    """The command that runs what an interrupted session did not; None for any other session."""
    if not glue.was_interrupted or not glue.items or glue.config.option.collectonly:
        return None
    args = [str(arg) for arg in glue.config.invocation_params.args]
    if "--glue-resume" not in args:
        args.append("--glue-resume")
    ran = f"interrupted after {len(glue.records)} of {len(glue.items)} cases"
    return f"glue-bench: {ran}. To go on: pytest {visible(shlex.join(args))}"


def shown(config: pytest.Config, path: str) -> str:
    """A folder as the user would type it."""
    try:
        return str(Path(path).relative_to(config.invocation_params.dir))
    except ValueError:
        return path
