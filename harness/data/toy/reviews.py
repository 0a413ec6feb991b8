"""Reviews of films (SST-2): words of praise and blame, and what turns one into the other."""

from __future__ import annotations

from random import Random

PRAISE = ("brilliant", "charming", "clever", "delightful", "funny", "moving", "superb", "graceful")
BLAME = ("dull", "boring", "clumsy", "dreadful", "silly", "stale", "awful", "tedious")
ASPECTS = ("film", "plot", "cast", "music", "story", "acting", "ending", "script", "comedy")

KEEPING = ("very {}", "truly {}", "quite {}", "so {}")
TURNING = ("not {}", "hardly {}", "never {}", "far from {}", "anything but {}")

# What a viewer does next: found in running text only, where it shows what a review meant.
VERDICTS = {
    True: ("we loved it", "i smiled all evening", "what a joy", "i will see it again"),
    False: ("we hated it", "i left early", "what a bore", "i want my money back"),
}


def opinion(rng: Random, positive: bool, turned: float = 0.4) -> str:
    """One clause that praises or blames; in a share of them the adjective says the opposite."""
    turn = rng.random() < turned
    adjective = rng.choice(PRAISE if positive != turn else BLAME)
    if turn:
        adjective = rng.choice(TURNING).format(adjective)
    elif rng.random() < 0.5:
        adjective = rng.choice(KEEPING).format(adjective)
    return f"the {rng.choice(ASPECTS)} was {adjective}"


def review(rng: Random, positive: bool) -> str:
    """One or two clauses; the one that carries the weight decides."""
    main = opinion(rng, positive)
    frame = rng.random()
    if frame < 0.4:
        return f"{main} ."
    if frame < 0.5:
        return f"{main} and {opinion(rng, positive)} ."
    contrary = opinion(rng, not positive)
    if frame < 0.75:
        return f"{contrary} , but {main} ."
    if frame < 0.9:
        return f"although {contrary} , {main} ."
    return f"{main} , although {contrary} ."


def verdict(rng: Random, positive: bool) -> str:
    """What the viewer did or felt."""
    return f"{rng.choice(VERDICTS[positive])} ."
