"""The verb `doctor`: what this machine can run, what is missing, and what is broken."""

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
SHOWN_PACKAGES = ("torch", "transformers", "datasets", "pytest", "pytest-benchmark")
EXTRAS = {"peft": "for +lora", "sentencepiece": "for tokenizers such as DeBERTa-v3's"}
"""The extras of glue-bench, each named as its package, and what it is for."""
NOT_HERE, BROKEN = "not here", "BROKEN"
LABEL = 10  # width of the labels at the left


def doctor() -> None:
    """Say what this machine can run, what is not here, and what is broken.

    Exits with 1 if something is broken. Optional things that are not here (a device, a model of the
    Hub, an extra) are not broken.
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
    """One line of the result; `fix` is the command that changes it."""

    label: str
    what: str
    fix: str | None = None

    @property
    def is_broken(self) -> bool:
        """Whether runs fail because of it that should work on this machine."""
        return self.label == BROKEN

    def text(self) -> str:
        """As the terminal shows it."""
        fix = f". Fix: {self.fix}" if self.is_broken else f": {self.fix}"
        return textwrap.fill(
            f"{self.label:{LABEL}}{self.what}{fix if self.fix else ''}",
            WIDTH,
            subsequent_indent=" " * LABEL,
            break_long_words=False,
            break_on_hyphens=False,
        )


def examine() -> Iterator[Finding]:
    """Look at packages, machine, devices and models, one after the other."""
    yield from _packages()
    yield from _machine()
    yield from _targets()
    yield from _models()
    yield from _extras()


def _packages() -> Iterator[Finding]:
    versions = {name: environment.version(name) for name in ("glue-bench", *SHOWN_PACKAGES)}
    installed = [f"{name} {version}" for name, version in versions.items() if version]
    yield Finding("packages", ", ".join(installed))
    if versions["glue-bench"] is None:
        yield Finding(
            NOT_HERE,
            "glue-bench is not installed: this is a bare clone",
            environment.install_command(),
        )
    for requirement in _requirements():
        version = environment.version(requirement.name)
        if version is None:
            yield Finding(
                BROKEN, f"{requirement.name} is not installed", environment.install_command()
            )
        elif not requirement.specifier.contains(version, prereleases=True):
            problem = f"{requirement.name}: found {version}; expected {requirement.specifier}"
            yield Finding(BROKEN, problem, environment.install_command())


def _requirements() -> Iterable[Requirement]:
    """The packages that glue-bench needs, extras left out."""
    try:
        lines = metadata.requires("glue-bench") or []
    except metadata.PackageNotFoundError:
        lines = [*SHOWN_PACKAGES]
    requirements = map(Requirement, lines)
    return [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]


def _machine() -> Iterator[Finding]:
    facts = environment.facts()
    cpus = environment.usable_cpus()
    memory = int(facts["memory_bytes"] or 0)
    about = f"{facts['cpu']}, {len(cpus)} CPUs usable"
    if memory:  # 0: the system does not say
        about += f", {memory / GIB:.0f} GiB of memory"
    if 0 < memory < ENOUGH_MEMORY_BYTES:
        about += f"; real models need {ENOUGH_MEMORY_BYTES / GIB:.0f} GiB or more"
    yield Finding("machine", about)


def _targets() -> Iterator[Finding]:
    if environment.version("torch") is None:
        return
    try:
        from harness.training import bf16
        from harness.training.device import Device
    except (ImportError, OSError) as error:
        yield Finding(BROKEN, f"torch cannot be loaded: {error}", environment.install_command())
        return
    from harness.errors import TargetUnavailable

    usable, absent = [], {}
    for target in targets.TARGETS.values():
        try:
            bf16_products = Device(target).bf16_products
        except TargetUnavailable as error:
            absent[target.device] = str(error)
            continue
        note = f" (bf16 products: {bf16_products})" if bf16_products else ""
        if target.device == "cpu" and bf16_products and (speed := bf16.native_speed()):
            note = f"{note[:-1]}; native ones are {speed:.2g} times as fast as upcast ones)"
        usable.append(target.name + note)
    yield Finding("targets", ", ".join(usable))
    built_in = {targets.TARGETS[name].device for name in targets.defaults()}
    for device in built_in & {*absent}:  # this machine has it, but torch cannot use it
        fix = "install the build of torch for it: https://pytorch.org/get-started/locally/"
        yield Finding(BROKEN, f"this machine has a {device} device, but {absent[device]}", fix)
    if others := [device for device in absent if device not in built_in]:
        yield Finding(NOT_HERE, f"devices: {', '.join(others)}")


def _models() -> Iterator[Finding]:
    absent = [model for model in models.MODELS.values() if not models.is_here(model)]
    here = [name for name, model in models.MODELS.items() if model not in absent]
    yield Finding("models", ", ".join(here))
    shipped = [model for model in absent if not model.hub and not model.extra]
    for model in absent:
        if model in shipped:
            yield Finding(
                BROKEN,
                f"model {model.name}, which ships with glue-bench",
                environment.install_command(),
            )
        elif not model.hub:
            yield Finding(NOT_HERE, f"model {model.name}", models.fetch_command(model))
    if of_hub := [model for model in absent if model.hub]:
        fetch = "glue-bench fetch NAME (`glue-bench list models` has the names)"
        yield Finding(NOT_HERE, f"models of the Hugging Face Hub, {len(of_hub)}", fetch)


def _extras() -> Iterator[Finding]:
    versions = {name: environment.version(name) for name in EXTRAS}
    installed = [f"{name} {v} ({EXTRAS[name]})" for name, v in versions.items() if v]
    if installed:
        yield Finding("extras", ", ".join(installed))
    for name, version in versions.items():
        if version is None:
            yield Finding(NOT_HERE, f"{name}, {EXTRAS[name]}", environment.install_command(name))
