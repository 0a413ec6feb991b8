"""The files of a model's folder and its key: shards, names that leave the folder, changed bytes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from harness.catalog import models, tasks, weights
from harness.errors import ModelError
from harness.modeling import pretrained
from harness.spec import Case, DataRequest
from tests.support import tiny_models
from tests.support.configs import resolved
from tests.support.opened_files import needs_inotify, opened

SST2 = tasks.get("sst2")
TOY = models.directory(models.MODELS["toy-bert"])


def key_of(folder: Path) -> str:
    case = Case("sst2", str(folder), "cpu-fp32", 42)
    return resolved(case, DataRequest("toy"), recipe="toy", threads=1).cell_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "mine"))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """toy-bert in many files, and the index that names them."""
    made = Path(shutil.copytree(TOY, tmp_path / "shards"))
    network = AutoModelForSequenceClassification.from_pretrained(made)
    (made / "model.safetensors").unlink()
    network.save_pretrained(made, max_shard_size="100KB")
    assert not (made / "model.safetensors").exists()
    return made


def shard_of(shards: Path) -> str:
    return sorted(path.name for path in shards.glob("*.safetensors"))[0]


def renamed(shards: Path, name: str) -> None:
    """Have the index name another file for its first shard."""
    path, was = shards / "model.safetensors.index.json", shard_of(shards)
    path.write_text(path.read_text().replace(f'"{was}"', json.dumps(name)))


@needs_inotify
@pytest.mark.cases
def test_every_shard_and_its_index_is_in_the_key(shards: Path) -> None:
    with opened(shards) as seen:
        pretrained.load(shards, SST2, seed=1)
    assert "model.safetensors.index.json" in seen
    assert len([name for name in seen if name.endswith(".safetensors")]) > 3
    before = weights.fingerprint(shards)
    assert seen <= set(before)
    (shards / shard_of(shards)).write_bytes((shards / shard_of(shards)).read_bytes() + b"\n")
    assert weights.fingerprint(shards) != before


@needs_inotify
@pytest.mark.parametrize("place", ["below", "linked"])
def test_a_shard_in_a_folder_below_is_in_the_key(shards: Path, place: str, tmp_path: Path) -> None:
    name = shard_of(shards)
    (home := tmp_path / "elsewhere" if place == "linked" else shards / "below").mkdir()
    if place == "linked":
        (shards / "below").symlink_to(home)
    renamed(shards, f"below/{name}")
    (shards / name).rename(home / name)
    key = key_of(shards)
    pretrained.load(shards, SST2, seed=1)
    (home / name).write_bytes((home / name).read_bytes() + b"\n")
    assert key_of(shards) != key


@pytest.mark.cases
@pytest.mark.parametrize(
    "name",
    [
        "../outside/model.safetensors",
        "{}/outside/model.safetensors",
        "./../outside/model.safetensors",
        "below/../../outside/model.safetensors",
        "..",
        "",
    ],
)
def test_a_shard_outside_the_folder_is_refused(name: str, shards: Path) -> None:
    (shards.parent / "outside").mkdir()
    (shards / shard_of(shards)).rename(shards.parent / "outside" / "model.safetensors")
    renamed(shards, name.format(shards.parent))
    for act in (weights.fingerprint, weights.checked):
        with pytest.raises(ModelError, match=r"index\.json: key weight_map: found .* expected the"):
            act(shards)


@pytest.mark.cases
@pytest.mark.parametrize(
    ("file", "key", "said"),
    [
        ("config.json", "transformers_weights", "../w.safetensors"),
        ("config.json", "transformers_weights", "/w.safetensors"),
        ("config.json", "configuration_files", ["config.4.0.0.json", "../config.4.0.0.json"]),
        ("tokenizer_config.json", "fast_tokenizer_files", ["../tokenizer.4.0.0.json"]),
        ("tokenizer_config.json", "fast_tokenizer_files", [{"no": "name"}]),
    ],
)
def test_a_name_that_leaves_the_folder_is_refused(
    file: str, key: str, said: Any, folder: Path
) -> None:
    tiny_models.edit(folder / file, **{key: said})
    with pytest.raises(ModelError, match=rf"{file}: key {key}: found .* expected the name of a"):
        weights.fingerprint(folder)


CONFIG_FILE, MAP_FILE = "tokenizer_config.json", "special_tokens_map.json"


@pytest.mark.cases
@pytest.mark.parametrize(
    ("file", "key", "is_listed"),
    [
        (CONFIG_FILE, "vocab", False),
        (CONFIG_FILE, "merges", False),
        (CONFIG_FILE, "init_inputs", True),
        (CONFIG_FILE, "gguf_file", False),
        (MAP_FILE, "vocab", False),
        (MAP_FILE, "vocab_file", False),
        (MAP_FILE, "tokenizer_file", False),
    ],
)
def test_a_tokenizer_that_would_read_a_file_elsewhere_is_refused(
    file: str, key: str, is_listed: bool, folder: Path, tmp_path: Path
) -> None:
    other = str(shutil.copy(folder / "vocab.txt", tmp_path / "vocab.txt"))
    said = {key: [other] if is_listed else other}
    known = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
    (folder / file).write_text(json.dumps(known | said))
    with pytest.raises(ModelError, match=rf"{file}: key {key}: found .*, a file to be read"):
        weights.fingerprint(folder)


@needs_inotify
def test_paths_that_transformers_replaces_by_the_folders_own_files_are_no_harm(
    folder: Path, tmp_path: Path
) -> None:
    (home := tmp_path / "elsewhere").mkdir()
    shutil.copy(folder / "vocab.txt", home)
    tiny_models.edit(folder / CONFIG_FILE, vocab_file=str(home / "vocab.txt"), merges=[["a", "b"]])
    before = weights.fingerprint(folder)
    with opened(home) as seen:
        AutoTokenizer.from_pretrained(folder)
    assert not seen
    assert before


@needs_inotify
@pytest.mark.cases
@pytest.mark.parametrize(
    ("file", "key", "name", "copy_of"),
    [
        ("config.json", "transformers_weights", "w/x.safetensors", "model.safetensors"),
        ("config.json", "configuration_files", "config.4.0.0.json", "config.json"),
        ("tokenizer_config.json", "fast_tokenizer_files", "t/tokenizer.4.0.0.json",
         "tokenizer.json"),
    ],
)  # fmt: skip
def test_a_file_that_another_names_is_in_the_key(
    file: str, key: str, name: str, copy_of: str, folder: Path
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    shutil.copy(folder / copy_of, folder / name)
    tiny_models.edit(folder / file, **{key: name if key == "transformers_weights" else [name]})
    with opened(folder) as seen:
        pretrained.load(folder, SST2, seed=1)
    assert name in seen
    before = weights.fingerprint(folder)
    assert seen <= set(before)
    (folder / name).write_text("{}")
    assert weights.fingerprint(folder) != before


def test_an_index_is_followed_only_where_it_is_read(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text('{"metadata": {}, "weight_map": {"x": "../gone.safetensors"}}')
    assert index.name in weights.fingerprint(folder)
    pretrained.load(folder, SST2, seed=1)


def test_a_shard_that_is_missing_is_named(shards: Path) -> None:
    name, *others = sorted(path.name for path in shards.glob("*.safetensors"))
    index = shards / "model.safetensors.index.json"
    (shards / name).unlink()
    with pytest.raises(ModelError, match=rf"names '{name}', which is not in the folder\. Fix"):
        weights.fingerprint(shards)
    index.write_text(index.read_text().replace(f'"{name}"', f'"{others[0]}"'))
    assert {*others} <= set(weights.fingerprint(shards))


@pytest.mark.cases
@pytest.mark.parametrize("name", ["special_tokens_map.json", "added_tokens.json", "vocab.json"])
def test_an_optional_file_that_appears_later_moves_the_key(name: str, folder: Path) -> None:
    before = key_of(folder)
    (folder / name).write_text("{}")
    assert key_of(folder) != before
    (folder / name).unlink()
    assert key_of(folder) == before


def test_files_that_are_touched_renamed_or_linked_have_the_key_of_their_bytes(
    folder: Path, tmp_path: Path
) -> None:
    before = weights.fingerprint(folder)
    path = folder / "model.safetensors"
    os.utime(path, (1, 1))
    assert weights.fingerprint(folder) == before
    blob = tmp_path / "blobs" / "1234"  # as in the Hub's cache
    blob.parent.mkdir()
    path.rename(blob)
    path.symlink_to(f"../{blob.relative_to(tmp_path)}")
    assert weights.fingerprint(folder) == before
    (folder / "vocab.txt").rename(folder / "vocab.old")
    assert weights.fingerprint(folder) != before


@pytest.mark.cases
def test_bytes_of_the_same_number_and_time_are_seen(folder: Path) -> None:
    path = folder / "model.safetensors"
    content, facts, before = path.read_bytes(), path.stat(), weights.fingerprint(folder)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert weights.fingerprint(folder, anew=True) != before
    assert weights.fingerprint(folder) != before


def test_weights_that_are_not_read_are_in_no_key(folder: Path) -> None:
    before = key_of(Path(f"{folder}+scratch"))
    (folder / "model.safetensors").write_bytes(b"")
    assert key_of(Path(f"{folder}+scratch")) == before
