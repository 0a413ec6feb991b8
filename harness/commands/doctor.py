"""The verb `doctor`: what this machine can run, what is not here, and what is broken."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata

import typer
from packaging.requirements import Requirement

from harness.catalog import models, targets
from harness.errors import Exit
from harness.system import environment
from harness.tables.table import WIDTH
from harness.terminal import say

GIB = 2**30
ENOUGH_MEMORY_BYTES = 4 * GIB
INSTALL = "pip install -c constraints.txt -e ."
SHOWN_PACKAGES = ("torch", "transformers", "datasets", "pytest", "pytest-benchmark")
EXTRAS = {"peft": "for +lora", "sentencepiece": "for tokenizers such as DeBERTa-v3's"}
"""Packages that are extras of glue-bench by the same names, and what they are for."""
NOT_HERE, BROKEN = "not here", "BROKEN"
LABEL = 10  # width of the words at the left


def doctor() -> None:
    """Say what this machine can run, what is not here, and what is broken.

    Exits with 1 if something is broken. What is merely not here (a device, a model of the Hub, an
    extra) breaks nothing.
    """
    broken = 0
    for finding in examine():
        say(finding.text())
        broken += finding.is_broken
    if broken:
        say(f"\nbroken: {broken}")
        raise typer.Exit(Exit.WORSE)
    say("\nNothing is broken: what is not here is optional.")


@dataclass(frozen=True)
class Finding:
    """What was found of one subject; `mend` is the command that changes it."""

    label: str
    what: str
    mend: str | None = None

    @property
    def is_broken(self) -> bool:
        """Whether it keeps runs from working that should work on this machine."""
        return self.label == BROKEN

    def text(self) -> str:
        """As the terminal shows it."""
        mend = f". Mend: {self.mend}" if self.is_broken else f": {self.mend}"
        return textwrap.fill(
            f"{self.label:{LABEL}}{self.what}{mend if self.mend else ''}",
            WIDTH, subsequent_indent=" " * LABEL, break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip


def examine() -> Iterator[Finding]:
    """Look at packages, machine, devices and models, one after the other."""
    yield from _packages()
    yield from _machine()
    yield from _targets()
    yield from _models()
    yield from _extras()


def _packages() -> Iterator[Finding]:
    found = {name: environment.version(name) for name in ("glue-bench", *SHOWN_PACKAGES)}
    yield Finding("packages", ", ".join(f"{name} {found[name]}" for name in found if found[name]))
    if found["glue-bench"] is None:
        yield Finding(NOT_HERE, "glue-bench is not installed: this is a bare clone", INSTALL)
    for requirement in _requirements():
        version = environment.version(requirement.name)
        if version is None:
            yield Finding(BROKEN, f"{requirement.name} is not installed", INSTALL)
        elif not requirement.specifier.contains(version, prereleases=True):
            wanted = f"expected {requirement.specifier}"
            yield Finding(BROKEN, f"{requirement.name}: found {version}; {wanted}", INSTALL)


def _requirements() -> Iterable[Requirement]:
    """What glue-bench cannot do without."""
    try:
        listed = metadata.requires("glue-bench") or []
    except metadata.PackageNotFoundError:
        listed = [*SHOWN_PACKAGES]
    found = (Requirement(line) for line in listed)
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def _machine() -> Iterator[Finding]:
    facts = environment.facts()
    cpus = environment.usable_cpus()
    memory = int(facts["memory_bytes"] or 0)
    about = f"{facts['cpu']}, {len(cpus)} CPUs usable"
    if memory:  # else the system does not say
        about += f", {memory / GIB:.0f} GiB of memory"
    if 0 < memory < ENOUGH_MEMORY_BYTES:
        about += f"; real models want {ENOUGH_MEMORY_BYTES / GIB:.0f} GiB or more"
    yield Finding("machine", about)


def _targets() -> Iterator[Finding]:
    if environment.version("torch") is None:
        return
    try:
        from harness.training.device import Device
    except (ImportError, OSError) as error:
        yield Finding(BROKEN, f"torch cannot be loaded: {error}", INSTALL)
        return
    from harness.errors import TargetUnavailable

    usable, absent = [], {}
    for target in targets.TARGETS.values():
        try:
            how = Device(target).bf16_products
        except TargetUnavailable as error:
            absent[target.device] = str(error)
            continue
        usable.append(target.name + (f" (bf16 products: {how})" if how else ""))
    yield Finding("targets", ", ".join(usable))
    built_in = {targets.TARGETS[name].device for name in targets.present()}
    for device in built_in & {*absent}:  # the machine has it, and torch cannot use it
        mend = "install the build of torch for it: https://pytorch.org/get-started/locally/"
        yield Finding(BROKEN, f"this machine has a {device} device, but {absent[device]}", mend)
    if others := [device for device in absent if device not in built_in]:
        yield Finding(NOT_HERE, f"devices: {', '.join(others)}")


def _models() -> Iterator[Finding]:
    absent = [model for model in models.MODELS.values() if not models.is_here(model)]
    here = [name for name, model in models.MODELS.items() if model not in absent]
    yield Finding("models", ", ".join(here))
    shipped = [model for model in absent if not model.hub and not model.extra]
    for model in absent:
        if model in shipped:
            yield Finding(BROKEN, f"model {model.name}, which ships with glue-bench", INSTALL)
        elif not model.hub:
            yield Finding(NOT_HERE, f"model {model.name}", models.fetch_command(model))
    if of_hub := [model for model in absent if model.hub]:
        how = "glue-bench fetch NAME (`glue-bench list models` has the names)"
        yield Finding(NOT_HERE, f"models of the Hugging Face Hub, {len(of_hub)}", how)


def _extras() -> Iterator[Finding]:
    found = {name: environment.version(name) for name in EXTRAS}
    if here := [f"{name} {version} ({EXTRAS[name]})" for name, version in found.items() if version]:
        yield Finding("extras", ", ".join(here))
    for name, version in found.items():
        if version is None:
            mend = f"pip install -c constraints.txt -e '.[{name}]'"
            yield Finding(NOT_HERE, f"{name}, {EXTRAS[name]}", mend)
