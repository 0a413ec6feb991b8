"""The toy world: generated miniatures of the GLUE tasks, and a small BERT pretrained for them.

    lexicon                                       words, and what they mean
    scenes, questions, reviews, puzzles, clauses  sentences, and what follows from them
    makers                                        one row of each task
    generate                                      every split of a task
    stream                                        running text, without labels
    pretrain                                      the BERT that has read it, in `toy-bert`

Everything but `pretrain` needs the standard library only.
"""

from harness.data.toy.generate import NOISE, VERSION, generate, missing

__all__ = ["NOISE", "VERSION", "generate", "missing"]
