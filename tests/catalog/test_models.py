"""Naming models: rows, folders and Hub ids, and what a case calls them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from harness.catalog import model_files, models, recipes, weights
from harness.errors import ModelError, ModelUnavailable, UsageError
from harness.planning import option_sources, options, plan
from harness.spec import Model

TOY = models.directory(models.MODELS["toy-bert"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "My Model"))


def test_every_row_says_where_its_weights_are() -> None:
    for model in models.MODELS.values():
        assert [bool(n) for n in (model.package, model.hub, model.network)].count(True) == 1
        assert model.recipe is None or model.recipe in recipes.RECIPES
        assert model.path is None


def test_a_folder_goes_by_its_last_part_and_never_by_its_path(folder: Path) -> None:
    for name in (str(folder), f"{folder}/"):
        found = models.get(name)
        assert (found.name, found.model.path) == ("My_Model", str(folder))
    scratch = models.get(f"{folder}+scratch")
    assert (scratch.name, scratch.scratch) == ("My_Model+scratch", True)
    assert models.directory(scratch.model) == folder


def test_a_folder_whose_name_holds_a_plus(tmp_path: Path) -> None:
    (tmp_path / "a+b").mkdir()
    found = models.get(str(tmp_path / "a+b"))
    assert (found.name, found.scratch) == ("a_b", False)


def test_several_suffixes_follow_a_folder_with_a_plus_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "a+b").mkdir()
    ordered = f"{tmp_path}/a+b+scratch+lora"
    for name in (ordered, f"{tmp_path}/a+b+lora+scratch"):
        found = models.get(name)
        assert (found.name, found.scratch) == ("a_b+scratch+lora", True)
        assert found.method is not None
        assert models.located(name.removeprefix(f"{tmp_path}/"), tmp_path) == name
    assert len(models.choose(["toy-bert+scratch+frozen", "toy-bert+frozen+scratch"])) == 1
    assert models.located("toy-bert+scratch+lora", tmp_path) == "toy-bert+scratch+lora"


def test_a_hub_id_keeps_its_organisation_in_records_and_not_in_ids() -> None:
    found = models.get("Some-Org/Some.Model+scratch")
    assert (found.name, found.model.hub) == ("Some-Org/Some.Model+scratch", "Some-Org/Some.Model")
    assert models.label(found.name) == "some.model+scratch"


def test_the_hubs_id_of_a_row_is_that_row() -> None:
    found = models.get("google-bert/bert-base-cased+scratch")
    assert found.model is models.MODELS["bert-base-cased"]
    assert found.name == "bert-base-cased+scratch"


def test_a_folder_with_a_rows_name_is_told_from_the_row(tmp_path: Path) -> None:
    (tmp_path / "minilm").mkdir()
    (name,) = models.choose([str(tmp_path / "minilm")])
    assert re.fullmatch(r"minilm\.[0-9a-f]{6}", name)


def test_a_suffix_after_a_folder_whose_name_holds_a_plus(tmp_path: Path) -> None:
    (tmp_path / "c++").mkdir()
    found = models.get(f"{tmp_path / 'c++'}+scratch")
    assert (found.name, found.scratch) == ("c__+scratch", True)


def test_a_copy_of_a_row_has_seen_what_the_row_has_seen() -> None:
    mine, row = Model("mine", path="/mine"), models.MODELS["minilm"]
    assert models.contaminated(row, {}) == {"mnli", "qnli", "qqp", "stsb"}
    assert models.contaminated(mine, {"model.safetensors": str(row.sha256)}) == row.contaminated
    assert models.contaminated(mine, {"model.safetensors": "0" * 64}) == frozenset()


@pytest.mark.skipif(not models.is_here(models.MODELS["minilm"]), reason="needs the extra minilm")
def test_the_weights_of_minilm_are_the_ones_that_are_known() -> None:
    row = models.MODELS["minilm"]
    assert weights.fingerprint(models.directory(row))["model.safetensors"] == row.sha256


def test_files_that_cannot_be_read_are_one_error(folder: Path) -> None:
    before = weights.fingerprint(folder)
    (folder / "tokenizer").mkdir()
    assert weights.fingerprint(folder) == before
    (folder / "more.safetensors").symlink_to("gone")
    with pytest.raises(ModelError, match=r"cannot be read: .*No such file"):
        weights.fingerprint(folder)


def test_rows_win_over_folders_of_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "minilm").mkdir()
    monkeypatch.chdir(tmp_path)
    assert models.get("minilm").model is models.MODELS["minilm"]
    assert models.get("./minilm").model.path == str(tmp_path / "minilm")


def test_names_that_clash_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "x" / "minilm").mkdir(parents=True)
    chosen = models.choose(
        ["minilm", str(tmp_path / "x" / "minilm"), "a/bert", "b/BERT", "c/other"]
    )
    names = list(chosen)
    assert (names[0], names[4]) == ("minilm", "c/other")
    assert re.fullmatch(r"minilm\.[0-9a-f]{6}", names[1])
    assert re.fullmatch(r"a/bert\.[0-9a-f]{6}", names[2])
    assert re.fullmatch(r"b/BERT\.[0-9a-f]{6}", names[3])
    assert len({models.label(name) for name in names}) == 5
    assert list(models.choose(["a/bert", "a/bert"])) == ["a/bert"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("./nowhere", "no such folder; expected a folder with a config.json"),
        ("/nowhere/at/all", "no such folder"),
        ("a/b/c", "no such folder"),
        ("minlim", "Did you mean 'minilm'?"),
        ("bert-base", "or an id of the Hugging Face Hub: ORG/NAME"),
        ("a b/c", "unknown model 'a b/c'"),
        ("a/b+lra", "unknown adaptation of a/b"),
        ("", "unknown model ''"),
        ("+scratch", "unknown model ''"),
    ],
)
def test_a_name_that_cannot_be_meant(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        models.get(name)


def test_a_name_beside_saved_models_suggests_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rte-toy-bert-cpu-fp32-s42", "sst2-cnn-cpu-fp32-s1"):
        (tmp_path / "models" / name).mkdir(parents=True)
    with pytest.raises(ModelUnavailable, match="did you mean models/rte-toy-bert-cpu-fp32-s42"):
        models.directory(models.get("models/rte-toy-brt-cpu-fp32-s42").model)


def test_relative_folders_are_meant_from_where_they_were_said(tmp_path: Path) -> None:
    root, here = tmp_path / "root", tmp_path / "here"
    for place in (root, here):
        (place / "mine").mkdir(parents=True)
    typed = option_sources.merge({"models": "toy-bert,mine,./mine+scratch,a/b"}, root, here)
    assert typed.models == ("toy-bert", f"{here / 'mine'}", f"{here / 'mine'}+scratch", "a/b")
    (root / "pyproject.toml").write_text('[tool.glue-bench]\nmodels = ["mine"]\n')
    assert option_sources.merge({}, root, here).models == (f"{root / 'mine'}",)


def test_cases_name_models_as_records_do(folder: Path) -> None:
    made = plan.make(options.Settings(models=(str(folder), "a/b"), targets=("cpu-fp32",)))
    assert {case.model for case in made.cases} == {"My_Model", "a/b"}
    assert made.cases[0].id == "cola-my_model-cpu-fp32-s42"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "config.json").unlink(), "holds no config.json"),
        (lambda f: (f / "model.safetensors").unlink(), r"holds no \*\.safetensors\. Fix"),
        (
            lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
            "'pytorch_model.bin' is a pickle, which is never loaded",
        ),
        (shutil.rmtree, "holds no config.json"),
    ],
)
def test_a_folder_that_is_no_model(folder: Path, change, words: str) -> None:
    model = models.get(str(folder)).model
    change(folder)
    with pytest.raises(ModelError, match=words):
        models.directory(model)
    assert not models.is_here(model)


def test_a_folder_without_an_own_recipe_has_its_familys(folder: Path) -> None:
    assert recipes.default(model_files.configuration(folder)) == "miniature"
    config = json.loads((folder / "config.json").read_text())
    for changed in ({"hidden_size": 768}, {"model_type": "roberta"}, {"hidden_size": None}):
        assert recipes.default(config | changed) == "run-glue"
    for text in ("", "[]", "{"):
        (folder / "config.json").write_text(text)
        with pytest.raises(ModelError, match=r"config\.json: "):
            model_files.configuration(folder)


def test_a_model_keeps_the_name_that_it_is_given(tmp_path: Path) -> None:
    for step in ("step-1000", "step-2000"):
        (tmp_path / step).mkdir()
    first, second = (models.located(f"mine=./{step}+frozen", tmp_path) for step in STEPS)
    assert first == f"mine={tmp_path}/step-1000+frozen"
    for typed in (first, second):
        (named,) = models.choose([typed]).values()
        assert (named.name, named.model.name) == ("mine+frozen", "mine")
        assert named.model.path == typed.removeprefix("mine=").removesuffix("+frozen")
    (hub,) = models.choose(["mine=org/model"]).values()
    assert (hub.name, hub.model.hub) == ("mine", "org/model")
    (plain,) = models.choose(["bert=toy-bert"]).values()
    assert (plain.name, plain.recipe) == ("bert", models.get("toy-bert").recipe)


STEPS = ("step-1000", "step-2000")


def test_a_name_that_is_given_has_to_be_free(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two are called 'mine'; expected two names"):
        models.choose([f"mine={tmp_path}", "mine=org/model"])
    with pytest.raises(UsageError, match=r"'toy-bert' is a row of .* expected another name"):
        models.get("toy-bert=org/model")
    with pytest.raises(UsageError, match=r"'mine=nowhere': 'nowhere': no such folder; expected a "):
        models.get("mine=nowhere")
    with pytest.raises(UsageError, match="'Mine=org/model': expected NAME=FOLDER, and in the name"):
        models.get("Mine=org/model")


def test_a_folder_may_have_an_equals_sign_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lr=1").mkdir()
    monkeypatch.chdir(tmp_path)
    assert models.get("lr=1").model.path == str(tmp_path / "lr=1")
    assert models.get("./lr=1").model.path == str(tmp_path / "lr=1")
