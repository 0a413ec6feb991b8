"""Running text of the toy world, on which the toy BERT is pretrained.

It has single sentences, and pairs of which the second follows from the first. It has no labels of
any task, and no rows of dev and test sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from random import Random

from harness.catalog.tasks import GLUE_9
from harness.data.toy.clauses import acceptability
from harness.data.toy.generate import generate
from harness.data.toy.lexicon import (
    DAYS,
    DEEDS,
    DEEDS_TO_PEOPLE,
    DEEDS_TO_THINGS,
    MEMBERS,
    NEARNESS,
    NUMBERS,
    QUALITIES_OF_PEOPLE,
    QUALITIES_OF_THINGS,
    REGIONS,
    Region,
    gerund,
    members,
    past,
    plural,
    third_person,
)
from harness.data.toy.makers import ENTAILED, MAKERS, Texts
from harness.data.toy.puzzles import PUZZLES
from harness.data.toy.questions import COMPARED
from harness.data.toy.reviews import BLAME, PRAISE, opinion, review, verdict
from harness.data.toy.scenes import scene, told

# Each kind of text -> how often it occurs.
KINDS = {
    "clause": 1,
    "review": 2,
    "echo": 1,
    "mrpc": 2,
    "rte": 2,
    "qqp": 1,
    "qnli": 1,
    "wnli": 2,
}

# The label with which a task's maker writes two texts that belong together.
_TOGETHER = {"mrpc": 1, "qqp": 1, "rte": ENTAILED, "qnli": 0, "wnli": 1}


def running_text(seed: str) -> Iterator[Texts]:
    """Endless text: one or two sentences at a time."""
    rng = Random(seed)
    unseen = held_out()
    kinds = [kind for kind, times in KINDS.items() for _ in range(times)]
    while True:
        text = _text(rng, rng.choice(kinds), rng.choice(REGIONS))
        if frozenset(text) not in unseen and text[0] not in unseen:
            yield text


def _text(rng: Random, kind: str, region: Region) -> Texts:
    if kind == "clause":
        return (acceptability(rng, True, region),)
    if kind == "review":
        liked = rng.random() < 0.5
        plainly = rng.random() < 0.4
        said = opinion(rng, liked, turned=0) + " ." if plainly else review(rng, liked)
        return said, verdict(rng, liked)
    if kind == "echo":  # somebody repeats what was said
        said = told(rng, scene(rng, region))
        return said, said
    return MAKERS[kind](rng, _TOGETHER[kind], region)


@cache
def held_out() -> frozenset[object]:
    """The rows of dev and test sets: a pair as a set of texts, a single sentence as its text."""
    rows: set[object] = set()
    for task in GLUE_9:
        for name, split in generate(task).items():
            if name != "train":
                rows |= {row[0] if len(row) == 1 else frozenset(row) for row in split.texts}
    return frozenset(rows)


@cache
def forms() -> dict[str, list[str]]:
    """For each word, its other forms. One of them in its place breaks the grammar."""
    nouns = [noun for kind, found in MEMBERS.items() for noun in (kind, *found)]
    nouns += [place for region in REGIONS for place in region.places]
    groups: list[Sequence[str]] = [(noun, plural(noun)) for noun in nouns]
    groups += [(v, third_person(v), past(v), gerund(v)) for sense in DEEDS for v in sense]
    groups += [("does", "do"), ("has", "have"), ("is", "are"), ("was", "were")]
    return _others(groups)


@cache
def rivals() -> dict[str, list[str]]:
    """For each word, others of its class. One of them in its place changes the meaning."""
    people = [noun for region in REGIONS for noun in members(region.people)]
    things = [noun for region in REGIONS for noun in members(region.things)]
    places = [place for region in REGIONS for place in region.places]
    human = {kind for region in REGIONS for kind in region.people}
    kinds = [[kind for kind in MEMBERS if (kind in human) == who] for who in (True, False)]
    groups: list[Sequence[str]] = [people, things, places, DAYS, NEARNESS, NUMBERS, *kinds]
    groups += [[plural(noun) for noun in group] for group in (things, *kinds)]
    for senses in (DEEDS_TO_PEOPLE, DEEDS_TO_THINGS):
        verbs = [verb for sense in senses for verb in sense]
        groups += [verbs, [past(verb) for verb in verbs]]
    for senses in (QUALITIES_OF_PEOPLE, QUALITIES_OF_THINGS):
        groups.append([word for sense in senses for word in sense])
    groups += [[high, low] for high, low in COMPARED.items()]
    groups += [[good, bad] for good in PRAISE for bad in BLAME]
    groups += [[mine, other] for _, ours, theirs in PUZZLES for mine in ours for other in theirs]
    groups += [["not", "very"], ["hardly", "truly"], ["never", "quite"], ["but", "and"]]
    groups += [["loved", "hated"], ["joy", "bore"], ["where", "when", "why"]]
    return _others(groups)


def _others(groups: Iterable[Sequence[str]]) -> dict[str, list[str]]:
    """For each word, the other words of its groups."""
    found: dict[str, list[str]] = {}
    for group in groups:
        for word in group:
            others = found.setdefault(word, [])
            others.extend(other for other in group if other != word and other not in others)
    return found
