"""Pronoun puzzles (WNLI): which of two nouns a clause is about follows from what it says."""

from __future__ import annotations

from random import Random

from harness.data.toy.lexicon import Region, members

# A frame; what only its first noun can be; what only its second can be.
ABOUT_PEOPLE = (
    ("the {} scolded the {} because {} was", ("strict", "grumpy"), ("late", "rude")),
    ("the {} carried the {} home because {} was", ("strong", "kind"), ("tired", "hurt")),
    ("the {} gave the {} some soup because {} was", ("generous", "kind"), ("hungry", "cold")),
    ("the {} asked the {} the way because {} was", ("lost", "new"), ("wise", "local")),
    ("the {} envied the {} because {} was", ("jealous", "vain"), ("famous", "lucky")),
)
ABOUT_THINGS = (
    ("the {} crushed the {} because {} was", ("heavy", "hard"), ("soft", "fragile")),
    ("the {} hid the {} because {} was", ("tall", "wide"), ("tiny", "low")),
    ("the {} scratched the {} because {} was", ("sharp", "rough"), ("thin", "smooth")),
)
PUZZLES = (*ABOUT_PEOPLE, *ABOUT_THINGS)


def puzzle(rng: Random, resolved: bool, region: Region) -> tuple[str, str]:
    """A sentence with a pronoun, and one that resolves it rightly or wrongly."""
    if rng.random() < 0.6:
        frame, *traits = rng.choice(ABOUT_PEOPLE)
        nouns, pronoun = rng.sample(members(region.people), 2), rng.choice(("he", "she"))
    else:
        frame, *traits = rng.choice(ABOUT_THINGS)
        nouns, pronoun = rng.sample(members(region.things), 2), "it"
    meant = rng.randrange(2)
    trait = rng.choice(traits[meant])
    named = nouns[meant] if resolved else nouns[1 - meant]
    return f"{frame.format(*nouns, pronoun)} {trait} .", f"the {named} was {trait} ."
