"""Folders that load, and mean something else than they say; or that broke with a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from harness.catalog import cards, models, tasks, weights
from harness.catalog.model_files import ADAPTER
from harness.errors import ModelError
from harness.modeling import checkpoints, pretrained
from tests.support import tiny_models

TOY = models.directory(models.MODELS["toy-bert"])
SST2 = tasks.get("sst2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "m"))


def of_config(**said: Any) -> Callable[[Path], None]:
    return lambda folder: tiny_models.edit(folder / "config.json", **said)


def of_tokenizer(**said: Any) -> Callable[[Path], None]:
    return lambda folder: tiny_models.edit(folder / "tokenizer_config.json", **said)


def with_tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        path = folder / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path, metadata={"format": "pt"})

    return changed


NORM = "embeddings.LayerNorm"
RELATIVE = "encoder.layer.0.attention.self.distance_embedding"
REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a norm called weight and gamma": (
        with_tensors(lambda t: t.update({f"{NORM}.gamma": 7 * t[f"{NORM}.weight"]})),
        "1 tensor (first 'embeddings.LayerNorm.weight') stored under two names",
    ),
    "a norm called bias and beta": (
        with_tensors(lambda t: t.update({f"bert.{NORM}.beta": 7 + t[f"{NORM}.bias"]})),
        "1 tensor (first 'embeddings.LayerNorm.bias') stored under two names",
    ),
    "prefixes outside the encoder": (
        with_tensors(lambda t: t.update({"prefix_tuning.wte.weight": torch.ones(2, 2)})),
        "1 tensor (first 'prefix_tuning.wte.weight') of an adapter",
    ),
    "relative positions": (
        with_tensors(lambda t: t.update({f"{RELATIVE}.weight": torch.ones(2, 2)})),
        "transformers no longer computes this part",
    ),
    "attention by a package that is not here": (
        of_config(attn_implementation="flash_attention_2"),
        "Fix: remove the key of config.json that asks for it, such as `attn_implementation`",
    ),
    "a part of a configuration that is an object": (
        of_config(text_config={"vocab_size": 3}),
        "no model that transformers can read",
    ),
    "a number in quotes": (
        of_tokenizer(model_max_length="128"),
        "model_max_length: found '128'; expected a number",
    ),
    "labels from 1": (
        of_config(id2label={"1": "negative", "2": "positive"}),
        "id2label: found the ids 1, 2; expected 0 to 1",
    ),
    "labels with a gap": (
        of_config(id2label={"0": "positive", "5": "negative"}),
        "id2label: found the ids 0, 5; expected 0 to 1",
    ),
    "labels below 0": (
        of_config(id2label={"-1": "negative", "0": "positive"}),
        "id2label: found the ids -1, 0; expected 0 to 1",
    ),
}  # fmt: skip


@pytest.mark.cases
@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_is_refused_and_the_reason_said(name: str, folder: Path) -> None:
    change, said = REFUSED[name]
    change(folder)
    with pytest.raises(ModelError) as refused:
        pretrained.load(folder, SST2, seed=1)
    assert said in str(refused.value)


@pytest.mark.cases
def test_a_tensor_in_two_files_is_refused(folder: Path) -> None:
    network = transformers.AutoModel.from_pretrained(folder)
    network.save_pretrained(folder, max_shard_size="200KB")
    (folder / "model.safetensors").unlink()
    assert pretrained.load(folder, SST2, seed=1).notes == ()
    index = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))
    *_, last = sorted({*index["weight_map"].values()})
    twice = {f"{NORM}.weight": torch.ones(80)}
    save_file(load_file(folder / last) | twice, folder / last, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"'{NORM}.weight' is in two files"):
        pretrained.load(folder, SST2, seed=1)


@pytest.mark.cases
@pytest.mark.parametrize("gone", ["weight", "bias"])
def test_a_part_of_a_head_is_none(tmp_path: Path, gone: str) -> None:
    """What is left of it would stand in the file's order, beside a new part in the task's."""
    folder = tiny_models.classifier(tmp_path / "m", "bert", ["positive", "negative"])
    with_tensors(lambda t: t.pop(f"classifier.{gone}"))(folder)
    loaded = pretrained.load(folder, SST2, seed=1)
    head = {"classifier.bias", "classifier.weight"}
    assert head <= {*loaded.new_parameters}
    with_tensors(lambda t: [t.pop(name, None) for name in head])(folder)
    without = pretrained.load(folder, SST2, seed=1)
    assert without.new_parameters == loaded.new_parameters
    kept = dict(loaded.network.named_parameters())
    stored = load_file(folder / "model.safetensors")
    assert not head & {*stored}
    assert not kept["classifier.bias"].any()  # as every new one starts


@pytest.mark.cases
def test_a_norm_with_its_first_names_alone_is_read(folder: Path) -> None:
    before = pretrained.weights_sha256(pretrained.load(folder, SST2, seed=1).network)

    def renamed(tensors: dict[str, torch.Tensor]) -> None:
        for name in [*tensors]:
            if "LayerNorm" in name:
                new = name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")
                tensors[new] = tensors.pop(name)

    with_tensors(renamed)(folder)
    assert pretrained.weights_sha256(pretrained.load(folder, SST2, seed=1).network) == before


@pytest.mark.cases
@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"1": "no", "2": "yes"}, "found the ids 1, 2"),
        ({"0": "same", "1": "same"}, "found one label twice among 'same', 'same'"),
    ],
)
def test_an_answer_has_a_share_for_each_output(
    tmp_path: Path, labels: dict[str, str], said: str
) -> None:
    folder = tiny_models.classifier(tmp_path / "m", "bert", ["no", "yes"])
    assert set(checkpoints.load(folder).answer("a b").shares) == {"no", "yes"}
    tiny_models.edit(folder / "config.json", id2label=labels)
    with pytest.raises(ModelError) as refused:
        checkpoints.load(folder)
    assert said in str(refused.value)


@pytest.mark.cases
@pytest.mark.parametrize("named", [{}, {"tokenizer_class": "PreTrainedTokenizerFast"}])
def test_the_fix_for_a_lower_cased_vocabulary_works(folder: Path, named: Any) -> None:
    """BERT's class makes its own normalizer: there tokenizer.json decides nothing."""
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text("utf-8"))
    vocabulary = whole["model"]["vocab"]
    whole["model"]["vocab"] = {
        word.capitalize() if number % 2 and word.isalpha() else word: number
        for word, number in vocabulary.items()
    }
    path.write_text(json.dumps(whole), "utf-8")
    tiny_models.edit(folder / "tokenizer_config.json", **named)
    (note,) = pretrained.notes_on(folder, pretrained.read_tokenizer(folder))
    if '`"do_lower_case": false` into tokenizer_config.json' in note:
        tiny_models.edit(folder / "tokenizer_config.json", do_lower_case=False)
    else:
        assert "set `lowercase` of the normalizer to false in tokenizer.json" in note
        tiny_models.edit(path, normalizer={**whole["normalizer"], "lowercase": False})
    assert pretrained.notes_on(folder, pretrained.read_tokenizer(folder)) == ()


@pytest.mark.cases
def test_a_class_that_reads_text_otherwise_than_tokenizer_json_is_told(folder: Path) -> None:
    assert pretrained.load(folder, SST2, seed=1).notes == ()
    tiny_models.edit(folder / "tokenizer_config.json", tokenizer_class="RobertaTokenizerFast")
    (note,) = pretrained.load(folder, SST2, seed=1).notes
    assert "text is read by RobertaTokenizer" in note
    assert "tokenizer.json splits it into 'a small film" in note
    tiny_models.edit(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    assert pretrained.load(folder, SST2, seed=1).notes == ()


@pytest.mark.cases
def test_a_saved_model_beside_which_an_adapter_was_put_is_not_kept(tmp_path: Path) -> None:
    model = tmp_path / "m"
    model.mkdir()
    (model / "config.json").write_text("{}")
    sha256 = cards.write(model, {"case": "x"})
    assert list(cards.problems(tmp_path, "m", sha256)) == []
    (model / ADAPTER).write_text("{}")
    assert list(cards.problems(tmp_path, "m", sha256)) == [f"{model / ADAPTER}: was added later"]


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
         r"holds a model and, in adapter_config\.json, an adapter .*Fix: merge"),
        (lambda f: only(f, modules=[], **{"0_Transformer__config": CONFIG, "1_P__config": {}}),
         r"it is a sentence-transformers model\. Fix: name .*0_Transformer, which"),
        (lambda f: only(f, snapshots__12ab__config=CONFIG), "Fix: name .*snapshots/12ab"),
        (lambda f: only(f, **{"checkpoint-9__config": CONFIG}), "Fix: name .*checkpoint-9"),
        (lambda f: only(f, modules=[]), "holds no config.json; expected a model's folder"),
        (lambda f: (f / "model.safetensors").rename(f / "tf_model.h5"),
         r"no \*\.safetensors; 'tf_model.h5' is of another library\. Fix"),
    ],
)  # fmt: skip
def test_a_folder_that_is_something_else_says_what(
    change: Callable[[Path], object], words: str, folder: Path
) -> None:
    change(folder)
    with pytest.raises(ModelError, match=words):
        weights.checked(folder)
