"""The verb `predict`: the prediction of a fine-tuned model for a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.catalog import models, weights
from harness.terminal import say
from harness.text.values import plain


def predict(
    model: Annotated[str, typer.Argument(help="the folder of a fine-tuned model, or a Hub id")],
    text: Annotated[str, typer.Argument(help="the first text")],
    text2: Annotated[str | None, typer.Argument(help="the second text, for a pair task")] = None,
) -> None:
    """Print what a fine-tuned model predicts for a text, or for a pair of texts.

    A text may begin with a hyphen. After `--` everything is a text, even `--help`.
    """
    from harness.modeling import checkpoints
    from harness.modeling.library_errors import reading

    named = models.get(model).model
    is_ours = named.path is not None and (Path(named.path) / checkpoints.CARD).is_file()
    folder = Path(str(named.path)) if is_ours else weights.checked(models.directory(named))
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
