"""Make a row of each task from a random stream and the true label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

from harness.data.toy.clauses import acceptability
from harness.data.toy.lexicon import OPPOSITE, Region
from harness.data.toy.puzzles import puzzle
from harness.data.toy.questions import asked, question_pair
from harness.data.toy.reviews import review
from harness.data.toy.scenes import (
    Scene,
    any_place,
    any_time,
    denied,
    narrowed,
    reworded,
    scene,
    sibling,
    swapped,
    told,
    unsettled,
    weakened,
    widened,
)

Texts = tuple[str, ...]
Maker = Callable[[Random, int, Region], Texts]

ENTAILED, NEUTRAL, CONTRADICTED = range(3)


def cola(rng: Random, label: int, region: Region) -> Texts:
    """A sentence that is good English (1) or not."""
    return (acceptability(rng, bool(label), region),)


def sst2(rng: Random, label: int, region: Region) -> Texts:
    """A review that is favourable (1) or not."""
    return (review(rng, bool(label)),)


def paraphrase(rng: Random, label: int, region: Region) -> Texts:
    """Two sentences about the same scene (1), or about two that differ in one point."""
    what = scene(rng, region)
    other = what if label else altered(rng, what)
    return told(rng, what), told(rng, reworded(rng, other, 0.4))


def altered(rng: Random, what: Scene) -> Scene:
    """A scene with another agent, another patient, the opposite verb, or swapped roles."""
    ways = [
        replace(what, agent=sibling(rng, what.agent)),
        replace(what, patient=sibling(rng, what.patient)),
        replace(what, verb=OPPOSITE[what.verb]),
    ]
    if what.patient.is_person:
        ways += [swapped(what)] * 3
    return rng.choice(ways)


def duplicate(rng: Random, label: int, region: Region) -> Texts:
    """Two questions that ask the same (1) or not."""
    return question_pair(rng, bool(label), region)


def similarity(rng: Random, label: int, region: Region) -> Texts:
    """Two sentences, from nothing in common (0) to the same meaning (5)."""
    what = scene(rng, region)
    people = float(what.patient.is_person)
    other = scene(rng, region, people)
    if label == 4:  # circumstances differ
        other = replace(what, place=any_place(rng, region), time=any_time(rng))
    elif label == 3:  # one of the two is somebody or something else
        changed = {
            "agent": replace(what, agent=sibling(rng, what.agent)),
            "patient": replace(what, patient=sibling(rng, what.patient)),
        }
        other = changed[rng.choice(sorted(changed))]
    elif label == 2:  # the same people, another deed
        other = replace(what, verb=other.verb, place=other.place, time=other.time)
    elif label == 1:  # others do the same
        other = replace(other, verb=what.verb)
    elif label == 5:
        other = what
    return told(rng, what, 0.2), told(rng, reworded(rng, other, 0.4), 0.2)


def inference(rng: Random, label: int, region: Region) -> Texts:
    """A premise and a hypothesis that it entails (0), leaves open (1) or excludes (2)."""
    what = scene(rng, region, negated=0.3)
    if what.negated:
        # A negated sentence does not entail one with less detail: only words or people may differ.
        other = {
            ENTAILED: what,
            NEUTRAL: replace(what, agent=sibling(rng, what.agent)),
            CONTRADICTED: replace(what, negated=False),
        }[label]
    elif label == ENTAILED:
        other = weakened(rng, what)
    elif label == NEUTRAL:
        other = unsettled(rng, region, what)
    else:
        other = denied(rng, what)
    return told(rng, what), told(rng, reworded(rng, other, 0.25))


def entailment(rng: Random, label: int, region: Region) -> Texts:
    """A premise and a hypothesis that it entails (0) or not."""
    return inference(rng, rng.choice((NEUTRAL, CONTRADICTED)) if label else ENTAILED, region)


def diagnostic(rng: Random, label: int, region: Region) -> Texts:
    """Inference from negated sentences: a wider word entails a narrower one, not the reverse."""
    what = replace(scene(rng, region), negated=True)
    narrow = narrowed(what)
    wide = widened(what)
    premise, hypothesis = {
        ENTAILED: (wide, narrow),
        NEUTRAL: (narrow, wide),
        CONTRADICTED: (wide, replace(narrow, negated=False)),
    }[label]
    return told(rng, premise), told(rng, reworded(rng, hypothesis))


def answer(rng: Random, label: int, region: Region) -> Texts:
    """A question and a sentence that answers it (0) or does not."""
    what = scene(rng, region)
    present = [part for part in ("agent", "patient", "place", "time") if getattr(what, part)]
    absent = [part for part in ("place", "time") if not getattr(what, part)]
    about = rng.choice(present)
    question = what
    if label:
        if absent and rng.random() < 0.4:
            about = rng.choice(absent)
        else:
            question = misplaced(rng, what, about)
    return asked(reworded(rng, question, 0.3), about), told(rng, what)


def misplaced(rng: Random, what: Scene, about: str) -> Scene:
    """A scene like `what` whose difference shows in a question about one part of it."""
    ways = [replace(what, verb=OPPOSITE[what.verb])]
    if about != "agent":
        ways.append(replace(what, agent=sibling(rng, what.agent)))
    if about != "patient":
        ways.append(replace(what, patient=sibling(rng, what.patient)))
    if what.patient.is_person:
        ways += [swapped(what)] * 2
    return rng.choice(ways)


def pronoun(rng: Random, label: int, region: Region) -> Texts:
    """A sentence with a pronoun, and a right reading of it (1) or a wrong one."""
    return puzzle(rng, bool(label), region)


MAKERS: Mapping[str, Maker] = {
    "cola": cola,
    "sst2": sst2,
    "mrpc": paraphrase,
    "stsb": similarity,
    "qqp": duplicate,
    "mnli": inference,
    "qnli": answer,
    "rte": entailment,
    "wnli": pronoun,
    "ax": diagnostic,
}
