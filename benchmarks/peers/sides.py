"""The sides of a comparison as rows, and when a run of ours can be compared with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import UsageError
from harness.spec import Recipe, RunConfig
from harness.text.names import unknown

OURS = "glue-bench"
MEGABATCH = 50  # steps whose rows are sorted by length together, here and (at most) in Trainer
LEAST_STEPS = 4  # of an epoch, so that some of them are counted
EVAL_BATCHES = (32, 64, 128, 256)  # Trainer gets the one that is fastest on this machine


@dataclass(frozen=True)
class Peer:
    """One way to use Trainer."""

    name: str
    about: str
    is_tuned: bool  # else as run_glue.py has it
    grouped: bool = False  # batches of rows of similar length


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "run_glue",
            "Trainer as in transformers' run_glue.py: each row padded to the maximal length, rows "
            "in random order; evaluation in the order of the rows",
            is_tuned=False,
        ),
        Peer(
            "trainer",
            "Trainer at its best: dynamic padding, rows grouped by length, fused AdamW, no "
            "logging; evaluation of rows sorted by length",
            is_tuned=True,
            grouped=True,
        ),
        Peer(
            "trainer-random",
            "Trainer at its best for rows in random order: dynamic padding, fused AdamW, no "
            "logging; evaluation of rows sorted by length",
            is_tuned=True,
        ),
    )
}
RUN_GLUE_EVAL_BATCH = 8  # the default of TrainingArguments


def peers_of(recipe: Recipe, named: tuple[str, ...] | None = None) -> list[Peer]:
    """The peers of a recipe: those that put rows in the same kind of order, and run_glue.py.

    Of them those that are named, if any are. Raises `UsageError` for another name.
    """
    peers = {
        peer.name: peer for peer in PEERS.values() if not peer.is_tuned or _same_order(peer, recipe)
    }
    for name in named or ():
        if name not in peers:
            raise UsageError(unknown(f"peer of recipe {recipe.name}", name, peers))
    return [peer for peer in peers.values() if named is None or peer.name in named]


def _same_order(peer: Peer, recipe: Recipe) -> bool:
    return peer.grouped == recipe.group_by_length


def why_not(config: RunConfig) -> str | None:
    """What of a run Trainer cannot do the same way; None if it can do all of it."""
    return next(_obstacles(config), None)


def _obstacles(config: RunConfig) -> Iterator[str]:
    recipe = config.recipe
    if config.network or config.scratch or config.method:
        yield f"{config.case.model}: Trainer is compared on pretrained models, trained as a whole"
    if not recipe.bias_correction:
        yield f"recipe {recipe.name}: Trainer's AdamW always corrects the bias of its moments"
    if recipe.decays_from_start or (recipe.warmup and not recipe.warmup_rounds_up):
        yield f"recipe {recipe.name}: Trainer has another schedule of the learning rate"
    if recipe.held_out:
        yield f"recipe {recipe.name}: Trainer sets no training rows aside"
    if recipe.accumulation > 1:
        yield f"recipe {recipe.name}: only whole batches are compared"


def whole_steps(rows: int, recipe: Recipe) -> int:
    """The largest number of rows, up to `rows`, that fills every batch."""
    return rows // recipe.batch_size * recipe.batch_size


def too_few(rows: int, all_rows: int, recipe: Recipe) -> str | None:
    """Why `rows` of the task's `all_rows` training rows are too few; None: they are enough.

    Both sides sort rows by length within large groups. With few rows the groups differ in size, and
    so would the padding.
    """
    least = LEAST_STEPS * recipe.batch_size
    if recipe.group_by_length:
        least = max(least, min(MEGABATCH * recipe.batch_size, whole_steps(all_rows, recipe)))
    if rows >= least:
        return None
    grouped = f", grouped by length {MEGABATCH} at a time" if recipe.group_by_length else ""
    fix = f"--glue-max-train {least}" if least <= all_rows else "another task"
    return (
        f"{rows} training rows; expected {least} or more, since recipe {recipe.name} has batches "
        f"of {recipe.batch_size}{grouped}. Fix: {fix}"
    )


def trainers_megabatch(rows: int, recipe: Recipe) -> int:
    """How many rows Trainer sorts by length together (`get_length_grouped_indices`)."""
    batch = recipe.batch_size
    return max(1, min(rows // (4 * batch), MEGABATCH)) * batch


def our_megabatch(rows: int, recipe: Recipe) -> int:
    """How many rows the harness sorts by length together."""
    return min(rows, MEGABATCH * recipe.batch_size)
