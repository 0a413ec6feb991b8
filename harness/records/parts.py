"""The parts of what decides a score: what two sides of a comparison may be told to differ in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part of what decides a score: keys of a run's identity, and facts of its environment."""

    name: str
    about: str
    identity: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()


PARTS = {
    part.name: part
    for part in (
        Part("model", "weights, tokenizer, and how it is adapted", ("model_files", "adaptation")),
        Part("data", "the training rows", ("data",)),
        Part("recipe", "the hyper-parameters", ("recipe",)),
        Part("target", "device and precision", ("target",)),
        Part("code", "the project's own commit"),
        Part("glue-bench", "its own files", ("numerics",), ("glue-bench", "glue-bench_sha256")),
        Part("versions", "of libraries", (), ("torch", "transformers", "tokenizers")),
    )
}
COMMIT = "commit"
"""The default subject: whatever differs between two commits of the project, or two states of its
files. Two sides of one clean commit have to be the same in every part."""
SUBJECTS = (COMMIT, *PARTS)
