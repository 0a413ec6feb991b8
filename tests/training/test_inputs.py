"""A run is made of the files that its key was made of, or it fails."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.catalog import models
from harness.data import word_vectors
from harness.errors import DataError, ModelError
from harness.execution.process import ProcessEngine
from harness.modeling import pretrained
from harness.planning.resume import Resume
from harness.records.store import Store
from harness.spec import Case, DataRequest, RunConfig
from harness.training import inputs
from harness.training.inputs import prepare
from tests.support import tiny_models
from tests.support.configs import resolved

TOY = models.directory(models.MODELS["toy-bert"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "mine"))


def planned(folder: Path | str, **changed: Any) -> RunConfig:
    case = Case("rte", str(folder), "cpu-fp32", 42)
    return resolved(case, DataRequest("toy", 40, 20), recipe="toy", threads=1, **changed)


def overwritten(path: Path) -> None:
    """Other bytes of the same number, under the time of the old ones."""
    content, facts = bytearray(path.read_bytes()), path.stat()
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replaced_by_a_link(folder: Path) -> None:
    other = folder.rename(folder.with_name("other"))
    overwritten(other / "model.safetensors")
    folder.symlink_to(other)


CHANGES: dict[str, Callable[[Path], object]] = {
    "weights overwritten": lambda f: overwritten(f / "model.safetensors"),
    "tokenizer.json": lambda f: (f / "tokenizer.json").write_bytes(b"{}"),
    "vocab.txt": lambda f: (f / "vocab.txt").write_text("a\n"),
    "config.json": lambda f: tiny_models.edit(f / "config.json", hidden_act="relu"),
    "added": lambda f: (f / "special_tokens_map.json").write_text("{}"),
    "deleted": lambda f: (f / "tokenizer.json").unlink(),
    "renamed": lambda f: (f / "tokenizer.json").rename(f / "tokenizer.old"),
    "a link to another folder": replaced_by_a_link,
}


@pytest.mark.cases
@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_changed_after_it_was_planned_fails(change: str, folder: Path) -> None:
    config = planned(folder)
    CHANGES[change](folder)
    with pytest.raises(ModelError, match=r"mine: its files have changed since .* \(.*\), and"):
        prepare(config)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_model_that_changes_while_it_is_loaded_fails(
    when: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, load = planned(folder), inputs.load_model

    def slow(*args: Any) -> pretrained.LoadedModel:
        if when == "before":
            overwritten(folder / "model.safetensors")
        found = load(*args)
        if when == "after":
            overwritten(folder / "model.safetensors")
        return found

    monkeypatch.setattr(inputs, "load_model", slow)
    with pytest.raises(ModelError, match=r"have changed since .* \(model\.safetensors\)"):
        prepare(config)


def test_files_that_are_touched_and_not_changed_are_no_other_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, load = planned(folder), inputs.load_model
    os.utime(folder / "model.safetensors", (1, 1))

    def touching(*args: Any) -> pretrained.LoadedModel:
        os.utime(folder / "model.safetensors", (2, 2))
        return load(*args)

    monkeypatch.setattr(inputs, "load_model", touching)
    prepare(config)


@pytest.mark.cases
def test_word_vectors_that_changed_after_they_were_planned_fail(tmp_path: Path) -> None:
    file = tmp_path / "v.txt"
    file.write_text("the 0.5 0.25\na 0.5 0.75\n")
    config = planned("cbow+vectors", vectors=str(file))
    prepare(config)
    overwritten(file)
    with pytest.raises((ModelError, DataError), match=r"changed since .* \(word vectors\)"):
        prepare(config)
    assert word_vectors.fingerprint(file) != config.identity["adaptation"]["vectors"]


def test_scratch_reads_no_weights(folder: Path) -> None:
    config = planned(f"{folder}+scratch")
    overwritten(folder / "model.safetensors")
    prepare(config)
    (folder / "vocab.txt").write_text("a\n")
    with pytest.raises(ModelError, match=r"\(vocab\.txt\)"):
        prepare(config)


@pytest.mark.cases
def test_a_worker_finds_files_changed_whatever_its_driver_remembers(
    folder: Path, fork_server: None
) -> None:
    config = dataclasses.replace(planned(folder), replay_steps=1)
    engine = ProcessEngine()
    try:
        engine.start()
        fine = engine.submit(config, lambda step, steps: None).result().outcome
        overwritten(folder / "model.safetensors")
        changed = engine.submit(config, lambda step, steps: None).result().outcome
    finally:
        engine.close()
    assert fine.status == "ok"
    assert changed.status == "failed"
    assert changed.reason is not None
    assert "(model.safetensors), and it would be kept under the key" in changed.reason


def test_runs_from_python_take_the_files_as_they_are_then(folder: Path, tmp_path: Path) -> None:
    def run(**said: Any) -> Any:
        return harness.run(
            "rte", model=str(folder), target="cpu-fp32", epochs=1, max_train=40, max_eval=20,
            results=tmp_path / "r", engine="inline", **said,
        )  # fmt: skip

    first = run()
    os.utime(folder / "model.safetensors", (1, 1))
    assert run(resume=True) == first
    (folder / "special_tokens_map.json").write_text('{"cls_token": "[SEP]"}')
    other = run(resume=True)
    assert other.cell_key != first.cell_key
    assert other.status == "ok"
    assert len(Resume(Store(tmp_path / "r")).records) == 2
