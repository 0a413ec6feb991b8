"""Models' folders that contain code; the code would leave a file behind if it ran."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.catalog import models

CODE = """
open({canary!r}, "w").close()
from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizerFast
class Config(BertConfig):
    model_type = "evil"
class Model(BertForSequenceClassification):
    config_class = Config
class Tokenizer(BertTokenizerFast):
    pass
class Module:
    def __init__(self, *args, **kwargs):
        pass
"""


class Making:
    """What makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


Payload = Callable[[Path, str], None]
"""Puts code into a folder that holds a whole model; the second argument is the canary's path."""


def script(folder: Path, canary: str, name: str = "evil.py") -> None:
    (folder / name).write_text(CODE.format(canary=canary))


def pickled(folder: Path, canary: str, name: str = "pytorch_model.bin") -> None:
    (folder / name).write_bytes(pickle.dumps({"a": Making(canary)}))


def changed(name: str, **values: Any) -> Payload:
    """A JSON file of the folder with other keys, and the code that these name."""

    def put(folder: Path, canary: str) -> None:
        script(folder, canary)
        path = folder / name
        old = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(old | values))

    return put


def scripts(*names: str) -> Payload:
    def put(folder: Path, canary: str) -> None:
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            script(folder, canary, name)

    return put


def pickles(*names: str, alone: bool = False) -> Payload:
    """Pickles beside the weights, or `alone` in their place."""

    def put(folder: Path, canary: str) -> None:
        if alone:
            (folder / "model.safetensors").unlink()
        for name in names:
            pickled(folder, canary, name)

    return put


def shards(folder: Path, canary: str) -> None:
    (folder / "model.safetensors").unlink()
    pickled(folder, canary, "pytorch_model-00001-of-00001.bin")
    weights = {"weight_map": {"bert.pooler.dense.bias": "pytorch_model-00001-of-00001.bin"}}
    for name in ("pytorch_model.bin.index.json", "model.safetensors.index.json"):
        (folder / name).write_text(json.dumps({"metadata": {}, **weights}))


def named_weights(folder: Path, canary: str) -> None:
    pickled(folder, canary, "weights.bin")
    changed("config.json", transformers_weights="weights.bin")(folder, canary)


def array(folder: Path, canary: str) -> None:
    np.save(folder / "vocab.npy", np.array([Making(canary)], dtype=object), allow_pickle=True)
    (folder / "vocab.npy").replace(folder / "model.safetensors")


def old_vocabulary(folder: Path, canary: str) -> None:
    (folder / "tokenizer.json").unlink()
    for name in ("vocab.pkl", "vocab.bin", "vocab.txt", "spiece.model", "spm.model"):
        pickled(folder, canary, name)
    changed("tokenizer_config.json", tokenizer_class="TransfoXLTokenizer")(folder, canary)


def template(folder: Path, canary: str) -> None:
    text = f"{{{{ cycler.__init__.__globals__.os.system('touch {canary}') }}}}"
    (folder / "chat_template.jinja").write_text(text)
    changed("tokenizer_config.json", chat_template=text)(folder, canary)


def yaml(folder: Path, canary: str) -> None:
    text = f"!!python/object/apply:os.system ['touch {canary}']\n"
    for name in ("config.yaml", "hparams.yaml", "tokenizer.yaml"):
        (folder / name).write_text(text)


MAPS = {
    "AutoConfig": "evil.Config",
    "AutoModel": "evil.Model",
    "AutoModelForSequenceClassification": "evil.Model",
    "AutoTokenizer": ["evil.Tokenizer", "evil.Tokenizer"],
}
PAYLOADS: Mapping[str, Payload] = {
    "configuration": changed("config.json", auto_map={"AutoConfig": "evil.Config"}),
    "network": changed("config.json", auto_map=MAPS),
    "network-of-its-own-type": changed("config.json", auto_map=MAPS, model_type="evil"),
    "network-of-the-hub": changed(
        "config.json", auto_map=dict.fromkeys(MAPS, "org/repo--evil.Model")
    ),
    "tokenizer": changed("tokenizer_config.json", auto_map=MAPS),
    "tokenizers-class": changed("tokenizer_config.json", tokenizer_class="evil.Tokenizer"),
    "processor": changed("processor_config.json", auto_map=MAPS, processor_class="evil.Module"),
    "preprocessor": changed("preprocessor_config.json", auto_map=MAPS),
    "generation": changed("generation_config.json", custom_generate="evil"),
    "pipelines": changed("config.json", custom_pipelines={"text": {"impl": "evil.Module"}}),
    "architecture": changed("config.json", architectures=["evil.Model", "os.system"]),
    "activation": changed("config.json", hidden_act="evil.Module", classifier_dropout="os.system"),
    "attention": changed("config.json", attn_implementation="org/kernel:evil"),
    "inner-attention": changed("config.json", _attn_implementation_internal="org/kernel"),
    "kernels": changed("config.json", use_kernels=True, _experts_implementation="org/kernel"),
    "dtype": changed("config.json", dtype="evil.Module", torch_dtype="os.system"),
    "quantization": changed("config.json", quantization_config={"quant_method": "evil.Module"}),
    "adapter": changed(
        "adapter_config.json", peft_type="LORA", base_model_name_or_path=".",
        auto_mapping={"base_model_class": "Model", "parent_library": "evil"},
    ),
    "card": changed("glue_bench.json", network={"kind": "evil.Module"}, method="evil.Module"),
    "modules": changed("modules.json", **{"0": {"idx": 0, "path": "", "type": "evil.Module"}}),
    "shadows": scripts(
        "torch.py", "transformers.py", "json.py", "sitecustomize.py", "usercustomize.py",
        "modeling_bert.py", "configuration_bert.py", "tokenization_bert.py",
    ),
    "conftest": scripts("conftest.py", "setup.py", "__init__.py", "custom_generate/generate.py"),
    "pickle-alone": pickles("pytorch_model.bin", alone=True),
    "pickle-beside": pickles("pytorch_model.bin", "training_args.bin", "optimizer.pt"),
    "pickle-as-safetensors": pickles("model.safetensors"),
    "pickle-as-head": pickles("head.safetensors", "adapter_model.bin", "adapter_model.safetensors"),
    "pickles-of-others": pickles("tf_model.h5", "flax_model.msgpack", "model.ckpt", alone=True),
    "pickled-shards": shards,
    "pickled-by-name": named_weights,
    "pickled-array": array,
    "pickled-vocabulary": old_vocabulary,
    "template": template,
    "yaml": yaml,
}  # fmt: skip
"""What brings code along, by a name that a model's folder may have."""


def folder(place: Path, name: str, canaries: Path) -> Path:
    """A copy of the toy model with a payload, which leaves a canary of its name."""
    made = place / name
    shutil.copytree(models.directory(models.MODELS["toy-bert"]), made)
    canaries.mkdir(exist_ok=True)
    PAYLOADS[name](made, str(canaries / name))
    return made
