"""What this machine can run, what is missing, and the command that adds it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from harness import environment, models, targets

GIB = 2**30
ENOUGH_MEMORY_BYTES = 4 * GIB
EXTRAS = {"peft": "for +lora", "sentencepiece": "for tokenizers such as DeBERTa-v3's"}
"""Packages that are extras of glue-bench by the same names, and what they are for."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `mend` is the command that would put it right."""

    what: str
    ok: bool
    mend: str | None = None


def examine() -> Iterator[Finding]:
    """Look at packages, CPU, memory, devices and models, one after the other."""
    yield from _packages()
    yield from _machine()
    yield from _targets()
    yield from _models()


def _packages() -> Iterator[Finding]:
    for name in ("glue-bench", "torch", "transformers", "datasets", "pytest", "pytest-benchmark"):
        found = environment.version(name)
        mend = None if found else "pip install -c constraints.txt -e ."
        yield Finding(f"{name} {found or ''}".strip(), bool(found), mend)
    for name, use in EXTRAS.items():
        found = environment.version(name)
        mend = None if found else f"pip install -c constraints.txt -e '.[{name}]'"
        yield Finding(f"{name} {found or ''}".strip() + f", {use}", bool(found), mend)


def _machine() -> Iterator[Finding]:
    facts = environment.facts()
    cpus = environment.usable_cpus()
    yield Finding(f"{facts['cpu']}: {len(cpus)} CPUs usable", True)
    memory = int(facts["memory_bytes"] or 0)
    yield Finding(f"memory: {memory / GIB:.0f} GiB", memory >= ENOUGH_MEMORY_BYTES)


def _targets() -> Iterator[Finding]:
    if environment.version("torch") is None:
        return
    from harness.device import Device
    from harness.errors import TargetUnavailable

    for target in targets.TARGETS.values():
        try:
            device = Device(target)
        except TargetUnavailable:
            yield Finding(f"target {target.name}: torch finds no {target.device} device", False)
            continue
        how = device.bf16_products
        yield Finding(f"target {target.name}" + (f" (bf16 products: {how})" if how else ""), True)


def _models() -> Iterator[Finding]:
    absent = []
    for model in models.MODELS.values():
        here = models.is_here(model)
        if model.hub and not here:
            absent.append(model.name)
            continue
        mend = None if here else models.fetch_command(model)
        yield Finding(f"model {model.name}: {model.note}", here, mend)
    if absent:
        listed = textwrap.fill(", ".join(absent), 69, break_on_hyphens=False).replace(
            "\n", "\n           "
        )
        yield Finding(
            f"models of the Hub, {len(absent)}:\n           {listed}", False,
            "glue-bench fetch NAME",
        )  # fmt: skip
