"""Toy data: generated miniatures of the GLUE tasks, and a small BERT that is pretrained for them.

    lexicon                                       words, and what they mean
    scenes, questions, reviews, puzzles, clauses  sentences, and what follows from them
    makers                                        one row of each task
    generate                                      every split of a task
    stream                                        running text, without labels
    pretrain                                      the BERT pretrained on it, in `toy-bert`

All modules except `pretrain` need only the standard library.
"""

from harness.data.toy.generate import NOISE, VERSION, generate, missing

__all__ = ["NOISE", "VERSION", "generate", "missing"]
