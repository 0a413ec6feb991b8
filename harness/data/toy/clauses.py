"""Clauses in many tenses (CoLA), and ways to break one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from harness.data.toy.lexicon import (
    DEEDS_TO_PEOPLE,
    DEEDS_TO_THINGS,
    QUALITIES_OF_PEOPLE,
    QUALITIES_OF_THINGS,
    Region,
    gerund,
    members,
    past,
    plural,
    third_person,
)
from harness.data.toy.scenes import any_quality

# An auxiliary for one and for many, and the form of the verb that follows it.
TENSES = (
    ("", "", "present"),
    ("does not", "do not", "base"),
    ("will", "will", "base"),
    ("has", "have", "past"),
    ("is", "are", "gerund"),
)
WRONG_FORM = {"base": ("past", "gerund"), "past": ("base", "gerund"), "gerund": ("base", "past")}


@dataclass(frozen=True)
class Clause:
    """The parts of a sentence in the present, in their order."""

    subject: tuple[str, ...]
    beside: tuple[str, ...]  # "near the bridges": another noun before the verb
    is_plural: bool  # of the subject
    verb: str
    tense: int  # row of TENSES
    form: str  # of the verb
    object: tuple[str, ...]

    @property
    def predicate(self) -> tuple[str, ...]:
        helper = TENSES[self.tense][self.is_plural]
        forms = {
            "base": self.verb,
            "past": past(self.verb),
            "gerund": gerund(self.verb),
            "present": self.verb if self.is_plural else third_person(self.verb),
        }
        return (*helper.split(), forms[self.form])

    @property
    def words(self) -> list[str]:
        return [*self.subject, *self.beside, *self.predicate, *self.object]


def _phrase(rng: Random, nouns: list[str], senses: tuple, many: bool) -> tuple[str, ...]:
    noun = rng.choice(nouns)
    quality = (any_quality(rng, senses),) if rng.random() < 0.4 else ()
    return ("the", *quality, plural(noun) if many else noun)


def clause(rng: Random, region: Region) -> Clause:
    """A well-formed clause."""
    many = rng.random() < 0.5
    people = members(region.people)
    subject = _phrase(rng, people, QUALITIES_OF_PEOPLE, many)
    beside: tuple[str, ...] = ()
    if rng.random() < 0.4:
        place = rng.choice(region.places)
        beside = ("near", "the", plural(place) if rng.random() < 0.5 else place)
    if rng.random() < 0.5:
        target = _phrase(rng, people, QUALITIES_OF_PEOPLE, rng.random() < 0.5)
        verb = rng.choice(rng.choice(DEEDS_TO_PEOPLE))
    else:
        things = members(region.things)
        target = _phrase(rng, things, QUALITIES_OF_THINGS, rng.random() < 0.5)
        verb = rng.choice(rng.choice(DEEDS_TO_THINGS))
    tense = rng.randrange(len(TENSES))
    return Clause(subject, beside, many, verb, tense, TENSES[tense][2], target)


def broken(rng: Random, good: Clause) -> list[str]:
    """The words of the clause with one rule broken."""
    helpers = TENSES[good.tense][:2]
    faults = ["order", "object first"]
    if helpers[0] != helpers[1] or good.form == "present":
        faults += ["agreement"] * 3
    if good.form in WRONG_FORM:
        faults += ["form"] * 2
    fault = rng.choice(faults)
    if fault == "agreement":
        return replace(good, is_plural=not good.is_plural).words
    if fault == "form":
        return replace(good, form=rng.choice(WRONG_FORM[good.form])).words
    if fault == "object first":
        return [*good.subject, *good.beside, *good.object, *good.predicate]
    side = rng.choice(("subject", "object"))
    words: tuple[str, ...] = getattr(good, side)
    turned = (words[-1], *words[:-1]) if len(words) == 2 else (words[0], words[2], words[1])
    return replace(good, **{side: turned}).words


def acceptability(rng: Random, acceptable: bool, region: Region) -> str:
    """A sentence that is good English or is not."""
    good = clause(rng, region)
    words = good.words if acceptable else broken(rng, good)
    return " ".join([*words, "."])
