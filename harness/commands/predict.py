"""What is here, what can be brought here, and what a model that is here has to say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import environment
from harness.catalog import models, weights
from harness.errors import Exit
from harness.terminal import say
from harness.text.values import plain

NO_FETCH = (
    "Mend: run `glue-bench fetch` where there is a network, then copy its cache here and name it "
    "in HF_HOME; a mirror of the Hub is named in HF_ENDPOINT; rows need no Hub with --glue-data "
    "DIR (a folder in the glue_data layout), models none with --glue-models DIR"
)
"""What to do where the Hub cannot be reached."""


def print_version(asked: bool) -> None:
    """Print the version and end, if that was asked for."""
    if asked:
        say(f"glue-bench {environment.version('glue-bench') or '(not installed)'}")
        raise typer.Exit(Exit.FINE)


def doctor() -> None:
    """Say what this machine can run, what is not here, and what is broken.

    Exits with 1 if something is broken. What is merely not here (a device, a model of the Hub, an
    extra) breaks nothing.
    """
    from harness.commands.doctor import examine

    broken = 0
    for finding in examine():
        say(finding.text())
        broken += finding.is_broken
    if broken:
        say(f"\nbroken: {broken}")
        raise typer.Exit(Exit.WORSE)
    say("\nNothing is broken: what is not here is optional.")


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="tasks, and models or Hub ids (default: every task of GLUE)"),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="fetch files that are here too, should they be damaged")
    ] = False,
) -> None:
    """Bring tasks and models from the Hugging Face Hub here, for `--glue-data hub` and offline."""
    from harness.commands.fetch import fetch as fetch_each
    from harness.hub.snapshots import Snapshot

    absent = 0
    for fetched in fetch_each(names or [], again=again):
        if isinstance(fetched.found, Snapshot):
            say(f"{fetched.name}: here, revision {fetched.found.revision}")
        else:
            absent += 1
            say(f"{fetched.name}: not fetched: {fetched.found.found}", err=True)
    if absent:
        say(f"glue-bench: not fetched: {absent}. {NO_FETCH}", err=True)
        raise typer.Exit(Exit.USAGE)


def predict(
    model: Annotated[str, typer.Argument(help="the folder of a fine-tuned model, or a Hub id")],
    text: Annotated[str, typer.Argument(help="the first text")],
    text2: Annotated[str | None, typer.Argument(help="the second text, for a pair task")] = None,
) -> None:
    """Say what a fine-tuned model makes of a text, or of a pair of texts.

    A text may begin with a hyphen; after `--` everything is text, `--help` too.
    """
    from harness.modeling import checkpoints
    from harness.modeling.stored_weights import reading

    named = models.get(model).model
    ours = named.path is not None and (Path(named.path) / checkpoints.CARD).is_file()
    folder = Path(str(named.path)) if ours else weights.checked(models.directory(named))
    tuned = checkpoints.load(folder)
    for note in tuned.notes:
        say(f"note: {note}", err=True)
    with reading(folder):
        answer = tuned.answer(*([text] if text2 is None else [text, text2]))
    if answer.score is not None:
        say(f"score  {answer.score:.3f}")
    for name, score in answer.scores.items():
        say(f"{score:.3f}  {name}")
    for name, share in sorted(answer.shares.items(), key=lambda item: -item[1]):
        say(f"{share:.4f}  {plain(name)}")
