"""Speed-ups as rows: each computes the same as the code without it, to within rounding.

With dropout off, a run has the same losses with and without each of them, to a relative 1e-6. With
dropout on, `packed` and `first-token` draw other masks from the same distribution.
docs/performance.md has what each gains.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.spec import JsonObject


@dataclass(frozen=True)
class Speedup:
    """A way to compute the same in less time, which `--glue-speedups` can leave out."""

    name: str
    what: str


SPEEDUPS: dict[str, Speedup] = {
    row.name: row
    for row in (
        Speedup("packed", "the rows of a batch are one line of tokens, without padding"),
        Speedup("first-token", "the last layer is computed for each row's first token alone"),
        Speedup("used-vocabulary", "embeddings of tokens that no row has are left out"),
        Speedup("onednn", "fp32 products on a CPU by oneDNN, where it is faster than MKL"),
        Speedup("clip-in-update", "gradients are clipped while AdamW reads them"),
    )
}

ALL = tuple(SPEEDUPS)

LEAST_WIDTH = 256
"""The narrowest networks (`hidden_size`) that speed-ups are used for.

In narrower ones Python takes longer for the calls than they save: `toy-bert`, 80 wide, trains 1.7
times as fast without them.
"""


def width_of(config: JsonObject) -> int:
    """The width of a network, by its config.json; `LEAST_WIDTH` where that does not tell."""
    found = config.get("hidden_size", config.get("dim"))
    return found if isinstance(found, int) else LEAST_WIDTH
