"""The words of the toy world, by what they mean.

Every word that a toy text uses stands here or in the frames of `scenes`, `questions`, `reviews`,
`puzzles` and `clauses`. All nouns take a regular plural and all verbs a regular past, so that the
grammar stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """A part of the world with its own nouns: MNLI's mismatched sets come from the second one.

    Nouns stand under their hypernym: every baker is a cook, every apple is a fruit.
    """

    people: Mapping[str, tuple[str, ...]]
    things: Mapping[str, tuple[str, ...]]
    places: tuple[str, ...]


TOWN = Region(
    people={
        "cook": ("baker", "chef", "butcher"),
        "medic": ("doctor", "nurse", "dentist"),
        "musician": ("singer", "drummer", "pianist"),
        "artist": ("painter", "sculptor", "poet"),
    },
    things={
        "fruit": ("apple", "pear", "lemon", "melon"),
        "tool": ("hammer", "shovel", "ladder", "rake"),
        "instrument": ("violin", "trumpet", "drum", "flute"),
        "container": ("basket", "bucket", "barrel", "crate"),
    },
    places=("kitchen", "garden", "market", "museum", "station", "theater", "bridge", "hotel"),
)

COAST = Region(
    people={
        "athlete": ("runner", "swimmer", "skater"),
        "worker": ("miner", "builder", "plumber"),
        "scholar": ("teacher", "student", "professor"),
        "officer": ("guard", "captain", "sheriff"),
    },
    things={
        "vegetable": ("carrot", "onion", "turnip", "pumpkin"),
        "vehicle": ("truck", "wagon", "tractor", "van"),
        "garment": ("coat", "hat", "jacket", "glove"),
        "toy": ("kite", "puppet", "doll", "puzzle"),
    },
    places=("harbor", "lighthouse", "island", "castle", "barn", "school", "tunnel", "farm"),
)

REGIONS = (TOWN, COAST)

KIND_OF = {
    noun: kind
    for region in REGIONS
    for kinds in (region.people, region.things)
    for kind, nouns in kinds.items()
    for noun in nouns
}
"""The hypernym of each noun."""

MEMBERS = {
    kind: nouns
    for region in REGIONS
    for kinds in (region.people, region.things)
    for kind, nouns in kinds.items()
}
"""The nouns of each hypernym."""

# Each row: two verbs of one meaning, and one that excludes it.
DEEDS_TO_PEOPLE = (
    ("help", "assist", "hinder"),
    ("praise", "compliment", "scold"),
    ("greet", "welcome", "ignore"),
    ("follow", "trail", "avoid"),
    ("trust", "believe", "doubt"),
)
DEEDS_TO_THINGS = (
    ("repair", "mend", "wreck"),
    ("lift", "raise", "lower"),
    ("push", "shove", "pull"),
    ("clean", "wash", "stain"),
    ("collect", "gather", "scatter"),
)

# The same for adjectives.
QUALITIES_OF_PEOPLE = (
    ("rich", "wealthy", "poor"),
    ("happy", "cheerful", "sad"),
    ("young", "youthful", "elderly"),
)
QUALITIES_OF_THINGS = (
    ("big", "large", "small"),
    ("old", "ancient", "new"),
    ("dirty", "filthy", "spotless"),
    ("wet", "damp", "dry"),
)

DEEDS = (*DEEDS_TO_PEOPLE, *DEEDS_TO_THINGS)
_SENSES = (*DEEDS, *QUALITIES_OF_PEOPLE, *QUALITIES_OF_THINGS)
SYNONYM = {word: other for a, b, _ in _SENSES for word, other in ((a, b), (b, a))}
OPPOSITE = {word: other for a, b, c in _SENSES for word, other in ((a, c), (b, c), (c, a))}

NUMBERS = ("two", "three", "four", "five", "six")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NEARNESS = ("near", "behind", "beside")


def members(kinds: Mapping[str, tuple[str, ...]]) -> list[str]:
    """All nouns under some hypernyms."""
    return [noun for nouns in kinds.values() for noun in nouns]


def plural(noun: str) -> str:
    """The plural of a noun."""
    return noun + "s"


def third_person(verb: str) -> str:
    """The third person singular, present tense."""
    return verb + ("es" if verb.endswith(("sh", "ss")) else "s")


def past(verb: str) -> str:
    """The past tense, which is the participle too."""
    return verb + ("d" if verb.endswith("e") else "ed")


def gerund(verb: str) -> str:
    """The gerund."""
    return (verb[:-1] if verb.endswith("e") else verb) + "ing"


def article(phrase: str) -> str:
    """The phrase with the indefinite article that it takes."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase
