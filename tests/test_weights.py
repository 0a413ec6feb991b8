"""Which files of a model's folder are in its key: those that transformers opens, as was watched."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import families
import tiny
from harness import encoders, models, tasks, weights
from harness.errors import ModelError
from harness.resolve import resolve
from harness.spec import Case, DataRequest
from opened import needs_inotify, opened

SST2 = tasks.get("sst2")
TOY = models.directory(models.MODELS["toy-bert"])
BESIDE = {
    "special_tokens_map.json": '{"cls_token": "[CLS]"}',
    "added_tokens.json": "{}",
    "chat_template.jinja": "x",
    "additional_chat_templates/tools.jinja": "x",
    "generation_config.json": "{}",
    "preprocessor_config.json": "{}",
    "processor_config.json": "{}",
    "README.md": "x",
    "vocab.txt": "a\n",
    "vocab.json": "{}",
    "merges.txt": "#version: 0.2\n",
    "spiece.model": "x",
    "tokenizer.model": "x",
    "modules.json": "[]",
    "training_args.bin": "x",
    "pytorch_model.bin": "x",
    "config.4.0.0.json": "{}",
    "model.safetensors.index.json": "{}",
}
"""What else may lie in a folder, read or not."""


def key_of(folder: Path) -> str:
    case = Case("sst2", str(folder), "cpu-fp32", 42)
    return resolve(case, DataRequest("toy"), recipe="toy", threads=1).cell_key


def check_each_moves_the_key(folder: Path, seen: set[str]) -> None:
    """Each file that was opened is in the key: with another byte at its end, and without it."""
    assert seen
    before = weights.fingerprint(folder)
    assert seen <= set(before)
    for name in sorted(seen):
        path = folder / name
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        after = weights.fingerprint(folder)
        assert {n for n in before if before[n] != after[n]} == {name}
        path.write_bytes(content)
        if name != "config.json":
            path.unlink()
            assert name not in weights.fingerprint(folder)
            path.write_bytes(content)
    assert weights.fingerprint(folder) == before


@needs_inotify
@pytest.mark.cases
@pytest.mark.parametrize("name", families.FAMILIES)
def test_every_file_that_is_opened_for_a_family_is_in_the_key(
    name: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[name], tmp_path / "m"))
    for beside, text in BESIDE.items():
        (folder / beside).parent.mkdir(exist_ok=True)
        (folder / beside).write_text(text)
    with opened(folder) as seen:
        encoders.load(folder, SST2, seed=1)
    assert {"config.json", "model.safetensors", "special_tokens_map.json"} <= seen
    check_each_moves_the_key(folder, seen)


def pieces() -> bytes:
    """A SentencePiece model of the words of tiny models."""
    sentencepiece = pytest.importorskip("sentencepiece")
    drawn, made = random.Random(0), io.BytesIO()
    texts = [" ".join(drawn.choices(tiny.WORDS[5:], k=8)) for _ in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=made, vocab_size=40, hard_vocab_limit=False,
        minloglevel=2, pad_id=3,
    )  # fmt: skip
    return made.getvalue()


BPE = {
    name: place
    for place, name in enumerate(
        ["<unk>", "<s>", "</s>", "<pad>", "<mask>", "<|endoftext|>", *"abcdefghij", "Ġ", "ab"]
    )
}
VOCABULARIES: dict[str, str] = {
    "vocab.txt": "\n".join(tiny.WORDS) + "\n",
    "vocab.json": json.dumps(BPE),
    "merges.txt": "#version: 0.2\na b\n",
    "entity_vocab.json": '{"[MASK]": 0, "[UNK]": 1, "[PAD]": 2, "[MASK2]": 3}',
}
WORD_PIECES, BYTE_PAIRS = ("vocab.txt",), ("vocab.json", "merges.txt")
OWN_TOKENIZERS: dict[str, tuple[str, ...]] = {
    "bert": WORD_PIECES,
    "distilbert": WORD_PIECES,
    "electra": WORD_PIECES,
    "mobilebert": WORD_PIECES,
    "mpnet": WORD_PIECES,
    "squeezebert": WORD_PIECES,
    "funnel": WORD_PIECES,
    "roberta": BYTE_PAIRS,
    "gpt2": BYTE_PAIRS,
    "openai-gpt": BYTE_PAIRS,
    "deberta": BYTE_PAIRS,
    "luke": (*BYTE_PAIRS, "entity_vocab.json"),
    "xlnet": ("spiece.model",),
    "big_bird": ("spiece.model",),
    "deberta-v2": ("spm.model",),
    "llama": ("tokenizer.model",),
    "xlm-roberta": ("sentencepiece.bpe.model",),
    "camembert": ("sentencepiece.bpe.model",),
    "rembert": ("sentencepiece.model",),
}
"""Families, and the vocabulary that their own tokenizers read where there is no tokenizer.json."""


@needs_inotify
@pytest.mark.parametrize("family", OWN_TOKENIZERS)
def test_every_file_that_a_familys_own_tokenizer_opens_is_in_the_key(
    family: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    (tmp_path / "tokenizer_config.json").write_text("{}")
    for name in OWN_TOKENIZERS[family]:
        known = VOCABULARIES.get(name)
        (tmp_path / name).write_bytes(known.encode() if known else pieces())
    with opened(tmp_path) as seen:
        assert len(AutoTokenizer.from_pretrained(tmp_path)) > len(tiny.WORDS) - 6
    assert set(OWN_TOKENIZERS[family]) <= seen
    check_each_moves_the_key(tmp_path, seen)


def test_the_vocabulary_of_every_tokenizer_of_transformers_would_be_in_the_key(
    tmp_path: Path,
) -> None:
    names = set()
    for name in dir(transformers):
        if name.endswith("Tokenizer"):
            with contextlib.suppress(ImportError):  # of a package that this machine lacks
                found = getattr(transformers, name)
                names |= {*getattr(found, "vocab_files_names", {}).values()}
    assert len(names) > 10
    (tmp_path / "config.json").write_text("{}")
    for name in names:
        (tmp_path / name).write_text("{}")
    assert names <= set(weights.files(tmp_path))


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
        encoders.load(shards, SST2, seed=1)
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
    encoders.load(shards, SST2, seed=1)
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
    tiny.edit(folder / file, **{key: said})
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
    tiny.edit(folder / CONFIG_FILE, vocab_file=str(home / "vocab.txt"), merges=[["a", "b"]])
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
    tiny.edit(folder / file, **{key: name if key == "transformers_weights" else [name]})
    with opened(folder) as seen:
        encoders.load(folder, SST2, seed=1)
    assert name in seen
    before = weights.fingerprint(folder)
    assert seen <= set(before)
    (folder / name).write_text("{}")
    assert weights.fingerprint(folder) != before


def test_an_index_is_followed_only_where_it_is_read(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text('{"metadata": {}, "weight_map": {"x": "../gone.safetensors"}}')
    assert index.name in weights.fingerprint(folder)
    encoders.load(folder, SST2, seed=1)


def test_a_shard_that_is_missing_is_named(shards: Path) -> None:
    name, *others = sorted(path.name for path in shards.glob("*.safetensors"))
    index = shards / "model.safetensors.index.json"
    (shards / name).unlink()
    with pytest.raises(ModelError, match=rf"names '{name}', which is not in the folder\. Mend"):
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


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 90868376\n"


def only(folder: Path, **held: Any) -> None:
    shutil.rmtree(folder)
    for name, text in held.items():
        path = folder / name.replace("__", "/")
        path = path.with_name(path.name + ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(text))


CONFIG = {"model_type": "bert"}


@pytest.mark.cases
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(POINTER),
         r"model\.safetensors: found a pointer of git-lfs, 71 bytes of text; .*git lfs pull"),
        (lambda f: (f / "tokenizer.json").write_bytes(POINTER), r"izer\.json: found a pointer"),
        (lambda f: (f / "config.json").write_bytes(POINTER), "it is a pointer of git-lfs"),
        (lambda f: only(f, adapter_config={"base_model_name_or_path": "org/base"}),
         "holds no config.json: it is an adapter of 'org/base', made by peft; .*merge_and_unload"),
        (lambda f: only(f, adapter_config={}), "it is an adapter, made by peft"),
        (lambda f: (f / "adapter_config.json").write_text("{}"),
         r"holds a model and, in adapter_config\.json, an adapter .*Mend: merge"),
        (lambda f: only(f, modules=[], **{"0_Transformer__config": CONFIG, "1_P__config": {}}),
         r"it is a sentence-transformers model\. Mend: name .*0_Transformer, which"),
        (lambda f: only(f, snapshots__12ab__config=CONFIG), "Mend: name .*snapshots/12ab"),
        (lambda f: only(f, **{"checkpoint-9__config": CONFIG}), "Mend: name .*checkpoint-9"),
        (lambda f: only(f, modules=[]), "holds no config.json; expected a model's folder"),
        (lambda f: (f / "model.safetensors").rename(f / "tf_model.h5"),
         r"no \*\.safetensors; 'tf_model.h5' is of another library\. Mend"),
    ],
)  # fmt: skip
def test_a_folder_that_is_something_else_says_what(
    change: Callable[[Path], object], words: str, folder: Path
) -> None:
    change(folder)
    with pytest.raises(ModelError, match=words):
        weights.checked(folder)
