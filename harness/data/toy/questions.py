"""Questions: about a scene (QNLI) and about how to go about things (QQP)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from harness.data.toy.lexicon import DEEDS_TO_THINGS, MEMBERS, SYNONYM, Region, article, past
from harness.data.toy.scenes import Phrase, Scene, sibling, thing


def asked(what: Scene, about: str) -> str:
    """A question that a scene answers if it says `about`: agent, patient, place or time."""
    if about == "agent":
        return f"who {past(what.verb)} {what.patient.text} ?"
    if about == "patient":
        pronoun = "whom" if what.patient.is_person else "what"
        return f"{pronoun} did {what.agent.text} {what.verb} ?"
    pronoun = "where" if about == "place" else "when"
    return f"{pronoun} did {what.agent.text} {what.verb} {what.patient.text} ?"


# What one may want to know, each with ways to ask for it.
ADVICE = (
    ("how can i {} ?", "what is the best way to {} ?", "how does one {} ?"),
    ("where can i {} ?", "what is a good place to {} ?"),
    ("why should i {} ?", "is there a reason to {} ?"),
    ("how long does it take to {} ?", "how many hours do i need to {} ?"),
    ("who can teach me to {} ?", "is there a course where i learn to {} ?"),
)

# Comparisons, each with the one that says the same the other way round.
COMPARISONS = {"cheaper": "dearer", "heavier": "lighter", "older": "newer", "better": "worse"}
COMPARED = {**COMPARISONS, **{low: high for high, low in COMPARISONS.items()}}


@dataclass(frozen=True)
class Advice:
    """Somebody wants to know something about doing something to something."""

    intent: int  # row of ADVICE
    verb: str
    thing: Phrase

    def text(self, rng: Random) -> str:
        verb = SYNONYM.get(self.verb, self.verb) if rng.random() < 0.5 else self.verb
        return rng.choice(ADVICE[self.intent]).format(f"{verb} {self.thing.text}")


def advice(rng: Random, region: Region) -> Advice:
    """A random wish for advice."""
    verb = rng.choice(rng.choice(DEEDS_TO_THINGS))
    what = replace(thing(rng, region, quality=0.3, number=0), count="a")
    return Advice(rng.randrange(len(ADVICE)), verb, what)


def other_advice(rng: Random, wish: Advice) -> Advice:
    """A wish that differs in one thing."""
    way = rng.randrange(3)
    if way == 0:
        intents = [row for row in range(len(ADVICE)) if row != wish.intent]
        return replace(wish, intent=rng.choice(intents))
    if way == 1:
        verbs = [sense[0] for sense in DEEDS_TO_THINGS if wish.verb not in sense]
        return replace(wish, verb=rng.choice(verbs))
    return replace(wish, thing=sibling(rng, wish.thing))


def comparison(rng: Random, region: Region) -> tuple[str, str, str]:
    """Two things and how the first may compare with the second."""
    first, second = rng.sample(MEMBERS[rng.choice(list(region.things))], 2)
    return first, rng.choice(sorted(COMPARED)), second


def compared(first: str, how: str, second: str) -> str:
    """A comparison as a question."""
    return f"is {article(first)} {how} than {article(second)} ?"


def question_pair(rng: Random, duplicate: bool, region: Region) -> tuple[str, str]:
    """Two questions that ask the same, or nearly the same but not quite."""
    if rng.random() < 0.7:
        wish = advice(rng, region)
        other = wish if duplicate else other_advice(rng, wish)
        return wish.text(rng), other.text(rng)
    first, how, second = comparison(rng, region)
    if duplicate:
        restated = compared(second, COMPARED[how], first)
    else:
        restated = rng.choice(
            [compared(second, how, first), compared(first, COMPARED[how], second)]
        )
    return compared(first, how, second), restated
