"""Scenes: who did what to whom, where and when; and sentences about them.

`Scene.text` writes a scene down. The functions below turn one scene into another whose relation
to the first is known: `reworded` keeps the meaning, `weakened` leaves a consequence, `unsettled`
something that need not hold, and `denied` something that cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from harness.data.toy.lexicon import (
    COAST,
    DAYS,
    DEEDS_TO_PEOPLE,
    DEEDS_TO_THINGS,
    KIND_OF,
    MEMBERS,
    NEARNESS,
    NUMBERS,
    OPPOSITE,
    QUALITIES_OF_PEOPLE,
    QUALITIES_OF_THINGS,
    SYNONYM,
    TOWN,
    Region,
    article,
    past,
    plural,
)


@dataclass(frozen=True)
class Phrase:
    """`the old violin`, `a musician`, `three apples`."""

    noun: str
    quality: str | None = None
    count: str = "the"  # "the", "a" or a number word

    @property
    def is_plural(self) -> bool:
        return self.count in NUMBERS

    @property
    def is_person(self) -> bool:
        kind = KIND_OF.get(self.noun, self.noun)
        return kind in TOWN.people or kind in COAST.people

    @property
    def text(self) -> str:
        noun = plural(self.noun) if self.is_plural else self.noun
        words = f"{self.quality} {noun}" if self.quality else noun
        return article(words) if self.count == "a" else f"{self.count} {words}"


@dataclass(frozen=True)
class Scene:
    """One deed in the past."""

    agent: Phrase
    verb: str
    patient: Phrase
    place: str | None = None  # "near the harbor"
    time: str | None = None  # "on monday"
    negated: bool = False

    def text(self, passive: bool = False) -> str:
        """The scene as a sentence, told from the agent's side or from the patient's."""
        if passive:
            be = "were" if self.patient.is_plural else "was"
            be = f"{be} not" if self.negated else be
            core = [self.patient.text, be, past(self.verb), "by", self.agent.text]
        else:
            verb = f"did not {self.verb}" if self.negated else past(self.verb)
            core = [self.agent.text, verb, self.patient.text]
        return " ".join([*core, *filter(None, (self.place, self.time)), "."])


def person(rng: Random, region: Region, quality: float = 0.25) -> Phrase:
    """Somebody who lives in the region."""
    noun = rng.choice(region.people[rng.choice(list(region.people))])
    return Phrase(noun, any_quality(rng, QUALITIES_OF_PEOPLE) if rng.random() < quality else None)


def thing(rng: Random, region: Region, quality: float = 0.25, number: float = 0.25) -> Phrase:
    """Something that is found in the region."""
    noun = rng.choice(region.things[rng.choice(list(region.things))])
    described = any_quality(rng, QUALITIES_OF_THINGS) if rng.random() < quality else None
    return Phrase(noun, described, rng.choice(NUMBERS) if rng.random() < number else "the")


def any_quality(rng: Random, senses: tuple[tuple[str, str, str], ...]) -> str:
    """One adjective."""
    return rng.choice(rng.choice(senses))


def any_place(rng: Random, region: Region) -> str:
    """Where a scene may happen."""
    return f"{rng.choice(NEARNESS)} the {rng.choice(region.places)}"


def any_time(rng: Random) -> str:
    """When a scene may happen."""
    return f"on {rng.choice(DAYS)}"


def scene(rng: Random, region: Region, people: float = 0.6, negated: float = 0.0) -> Scene:
    """A random scene; `people` is the share in which a person is acted upon.

    Two people are of two kinds, so that either may become the word for its kind.
    """
    agent = person(rng, region)
    if rng.random() < people:
        patient = person(rng, region)
        while KIND_OF[patient.noun] == KIND_OF[agent.noun]:
            patient = person(rng, region)
        verb = rng.choice(rng.choice(DEEDS_TO_PEOPLE))
    else:
        patient = thing(rng, region)
        verb = rng.choice(rng.choice(DEEDS_TO_THINGS))
    place = any_place(rng, region) if rng.random() < 0.3 else None
    time = any_time(rng) if rng.random() < 0.3 else None
    return Scene(agent, verb, patient, place, time, rng.random() < negated)


def told(rng: Random, what: Scene, passive: float = 0.3) -> str:
    """The scene as a sentence, in either voice."""
    return what.text(rng.random() < passive)


def swapped(what: Scene) -> Scene:
    """The scene with agent and patient swapped; both must be people."""
    return replace(what, agent=what.patient, patient=what.agent)


def reworded(rng: Random, what: Scene, share: float = 0.6) -> Scene:
    """The same meaning, with synonyms where there are any."""

    def word(old: str) -> str:
        return SYNONYM.get(old, old) if rng.random() < share else old

    def phrase(old: Phrase) -> Phrase:
        return replace(old, quality=word(old.quality)) if old.quality else old

    return replace(
        what, agent=phrase(what.agent), verb=word(what.verb), patient=phrase(what.patient)
    )


def sibling(rng: Random, phrase: Phrase) -> Phrase:
    """Another one of the same kind: a chef for a baker."""
    others = [noun for noun in MEMBERS[KIND_OF[phrase.noun]] if noun != phrase.noun]
    return replace(phrase, noun=rng.choice(others))


def strangers(rng: Random, region: Region, what: Scene) -> list[Scene]:
    """Two scenes: one with an agent, one with a patient of a kind that is not in this one."""
    present = {KIND_OF[what.agent.noun], KIND_OF[what.patient.noun]}

    def other(phrase: Phrase) -> Phrase:
        kinds = region.people if phrase.is_person else region.things
        kind = rng.choice([kind for kind in kinds if kind not in present])
        return replace(phrase, noun=rng.choice(kinds[kind]))

    return [
        replace(what, agent=other(what.agent)),
        replace(what, patient=other(what.patient)),
    ]


def general(phrase: Phrase) -> Phrase:
    """The phrase with the word for its kind: a cook for the baker."""
    return replace(phrase, noun=KIND_OF[phrase.noun])


def widened(what: Scene) -> Scene:
    """The scene with a wider word for the patient, without place and time."""
    return replace(what, patient=general(what.patient), place=None, time=None)


def narrowed(what: Scene) -> Scene:
    """The scene without place and time."""
    return replace(what, place=None, time=None)


def weakened(rng: Random, what: Scene) -> Scene:
    """A consequence of an affirmative scene: less detail, or a wider word."""
    ways = [
        replace(what, agent=general(what.agent)),
        replace(what, patient=general(what.patient)),
    ]
    if what.place or what.time:
        ways.append(replace(what, place=None, time=None))
    if what.agent.quality:
        ways.append(replace(what, agent=replace(what.agent, quality=None)))
    if what.patient.quality:
        ways.append(replace(what, patient=replace(what.patient, quality=None)))
    return rng.choice(ways)


def unsettled(rng: Random, region: Region, what: Scene) -> Scene:
    """Something that the scene leaves open: others who act, reversed roles, or more detail.

    Some of it is weakened as well, so that a wide word is no sign of a consequence.
    """
    others = strangers(rng, region, what)
    if what.patient.is_person:
        others += [swapped(what)] * 3
    if rng.random() < 0.85:
        return weakened(rng, rng.choice(others))
    ways = [
        replace(what, agent=sibling(rng, what.agent)),
        replace(what, patient=sibling(rng, what.patient)),
    ]
    if not what.place:
        ways.append(replace(what, place=any_place(rng, region)))
    if not what.time:
        ways.append(replace(what, time=any_time(rng)))
    return rng.choice(ways)


def denied(rng: Random, what: Scene) -> Scene:
    """Something that cannot hold beside an affirmative scene; some of it weakened as well."""
    verb = replace(what, verb=OPPOSITE[what.verb])
    if rng.random() < 0.85:
        return weakened(rng, rng.choice((replace(what, negated=True), verb)))
    ways = [verb]
    if what.patient.quality:
        opposite = replace(what.patient, quality=OPPOSITE[what.patient.quality])
        ways += [replace(what, patient=opposite)] * 2
    if what.patient.is_plural:
        other = rng.choice([number for number in NUMBERS if number != what.patient.count])
        ways += [replace(what, patient=replace(what.patient, count=other))] * 2
    return rng.choice(ways)
