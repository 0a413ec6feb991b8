"""From a folder of weights to a network with a new head, and its tokenizer."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tokenizers
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from harness.catalog import weights
from harness.errors import ModelError
from harness.hub import snapshots
from harness.modeling import (
    families,
    heads,
    input_limits,
    network_size,
    stored_weights,
    tokenization,
)
from harness.modeling.stored_weights import reading
from harness.spec import Split, Task
from harness.text.values import shown


@dataclass(frozen=True)
class LoadedModel:
    """A network that maps token ids to logits of shape (examples, `task.outputs`)."""

    network: nn.Module
    tokenizer: Any
    new_parameters: tuple[str, ...]  # not in the checkpoint: they start random
    extra_padding: int = 0  # tokens of padding that every row needs
    tuner: Any = None  # of peft, which can put its additions into the network's weights
    unused: tuple[str, ...] = ()  # modules of the checkpoint that the network does not have
    notes: tuple[str, ...] = ()  # what a user should know of how it was loaded
    known_ids: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def parameters(self) -> int:
        """How many numbers the network holds, head included."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def trained(self) -> list[nn.Parameter]:
        """The parameters that training changes."""
        return [p for p in self.network.parameters() if p.requires_grad]

    def encode(
        self, name: str, split: Split, max_length: int, *, fixed: bool = False
    ) -> tokenization.Encoded:
        """Tokenize the rows of a split; `fixed`: all are padded to the same length.

        Raises `ModelError` for a token that the network has no embedding for.
        """
        encoded = tokenization.encode(
            self.tokenizer, split.texts, max_length, self.extra_padding, fixed=fixed
        )
        input_limits.check_ids(encoded, self.tokenizer, self.known_ids, name, split.ids)
        return encoded


def load(directory: Path, task: Task, seed: int, *, scratch: bool = False) -> LoadedModel:
    """The pretrained network of `directory` with a head for `task`, in fp32.

    The head is new, and `seed` decides its initial weights (with `scratch` all of them), unless the
    checkpoint holds one whose labels have the task's names: that one is kept, its outputs put in
    the task's order. Raises `ModelError` where anything but the head, or a pooler, is missing from
    the checkpoint, has another shape or is no floating-point number, and where the checkpoint holds
    more of an encoder than the network has.
    """
    be_quiet()
    with snapshots.offline():
        return _loaded(directory, task, seed, scratch=scratch)


def _loaded(directory: Path, task: Task, seed: int, *, scratch: bool) -> LoadedModel:
    config = read_config(directory)
    families.refuse_foreign(directory, config)
    with reading(directory):
        network_size.refuse_oversized(directory, config)
    tokenizer = read_tokenizer(directory)
    order = heads.order_of(config, task)
    if order is not None and not scratch:
        heads.check_labels(directory, config)
    heads.describe(config, task)
    families.give_padding(directory, tokenizer)
    input_limits.set_padding(directory, config, tokenizer)
    torch.manual_seed(seed)
    unused: tuple[str, ...] = ()
    if scratch:
        network = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
        new = tuple(name for name, _ in network.named_parameters())
    else:
        loaded = stored_weights.load_classifier(directory, config)
        network, unused = loaded.network, loaded.unused
        new = _settle_head(loaded, config, order, seed)
    dtypes = {parameter.dtype for parameter in network.parameters()}
    if dtypes != {torch.float32}:
        raise ModelError(f"{directory}: asked for fp32 parameters, got {shown(dtypes)}")
    if task.is_regression:
        heads.keep_in_fp32(network)
    families.configure_tokenizer(tokenizer, network)
    families.patch_deberta_autocast(network)
    return LoadedModel(
        network, tokenizer, new, families.spare_padding(config), unused=unused,
        notes=notes_on(directory, tokenizer), known_ids=input_limits.known_ids(network),
    )  # fmt: skip


def _settle_head(
    loaded: stored_weights.Loaded, config: Any, order: list[int] | None, seed: int
) -> tuple[str, ...]:
    """Keep a trained head if it has the task's labels, else renew it; returns what is new.

    A last layer of which a part is missing is none: what is left of it has the file's order.
    """
    head = loaded.head
    if order is not None and set(head).isdisjoint(loaded.new):
        heads.reorder(loaded.network, head, order)
    elif set(head).isdisjoint(loaded.missing):  # a head that was trained on other labels
        heads.renew(loaded.network, config, head, seed)
        return tuple(sorted({*loaded.new, *head}))
    layer = head[-1].rpartition(".")[0] if head else ""
    last = {name for name in head if name.rpartition(".")[0] == layer}
    if not last.isdisjoint(loaded.new) and not last <= {*loaded.new}:
        heads.renew(loaded.network, config, last, seed)
        return tuple(sorted({*loaded.new, *last}))
    return loaded.new


def weights_sha256(network: nn.Module) -> str:
    """sha256 over the name, dtype, shape and bytes of every parameter and buffer of a network."""
    found = hashlib.sha256()
    for name, tensor in chain(network.named_parameters(), network.named_buffers()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        found.update(flat.view(torch.uint8).numpy())
    return found.hexdigest()


def be_quiet() -> None:
    """Leave out transformers' bars and its report of new weights, which is checked in our words."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


SENTENCEPIECE = {"sentencepiece": "sentencepiece", "protobuf": "google.protobuf"}  # their modules


def read_tokenizer(directory: Path) -> Any:
    """The tokenizer of a folder. Raises `ModelError`, also where it knows no words.

    transformers makes up an empty tokenizer for a folder that holds none: every word is unknown.
    """
    _check_sentencepiece(directory)
    with reading(directory):
        tokenizer: Any = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
        limit, words = tokenizer.model_max_length, len(tokenizer)
    if not isinstance(limit, int | float):
        raise ModelError(
            f"{directory}: tokenizer_config.json: model_max_length: found {shown(limit)}; expected "
            "a number. Mend: write it without quotes"
        )
    if words <= len(tokenizer.all_special_tokens):
        raise ModelError(
            f"{directory}: holds no tokenizer; expected tokenizer.json, or a vocabulary. Mend: "
            "save the tokenizer there too with `save_pretrained`, or fetch the model again with "
            "`glue-bench fetch --again MODEL`"
        )
    return tokenizer


def _check_sentencepiece(directory: Path) -> None:
    """Raise `ModelError` where a tokenizer needs packages that are missing.

    transformers reads tokenizer.json without them; DeBERTa-v3, for one, comes with spm.model alone.
    """
    if (directory / "tokenizer.json").is_file() or not any(directory.glob("*.model")):
        return
    if missing := [name for name, module in SENTENCEPIECE.items() if not _is_installed(module)]:
        raise ModelError(
            f"{directory}: its tokenizer is a SentencePiece model, which needs the Python packages "
            f"{' and '.join(SENTENCEPIECE)}; not installed: {', '.join(missing)}. Mend: "
            "pip install -c constraints.txt -e '.[sentencepiece]'"
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def read_config(directory: Path) -> Any:
    """The configuration of a folder, of a network that returns logits by name. Raises `ModelError`.

    config.json may ask for tuples, or for states of every layer, which cost memory.
    """
    weights.refuse_pickles(directory)
    with reading(directory):
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
        for part in (config, config.get_text_config()):
            part.return_dict = True
            part.output_hidden_states = part.output_attentions = False
    return config


WORD = re.compile(r"(?:##|\u2581|\u0120)?([^\W\d_]+)(?:</w>)?")
"""A word, or a part of one, and the marks that vocabularies put before or behind it."""
MOST_CAPITALS = 0.01  # share of its words that an uncased vocabulary may have with capitals


SAMPLE = "a small film that few will see and nobody who forgets"


def notes_on(directory: Path, tokenizer: Any) -> tuple[str, ...]:
    """What a user should know of how a tokenizer reads text."""
    return (*_of_case(directory, tokenizer), *_of_class(directory, tokenizer))


def _of_class(directory: Path, tokenizer: Any) -> Iterator[str]:
    """Say that a tokenizer's class reads text otherwise than the folder's tokenizer.json.

    transformers builds most classes anew from the vocabulary, whatever else tokenizer.json holds.
    """
    path = directory / "tokenizer.json"
    if not path.is_file() or not tokenizer.is_fast:
        return
    whole = tokenizers.Tokenizer.from_file(str(path))
    whole.no_truncation()
    whole.no_padding()
    own = whole.encode(SAMPLE, add_special_tokens=False).tokens
    made = tokenizer.tokenize(SAMPLE)
    if 2 * len({*own} & {*made}) < len({*own}):
        yield (
            f"text is read by {type(tokenizer).__name__}, which makes of {shown(SAMPLE)} the "
            f"tokens {shown(' '.join(made[:5]))} and so on; tokenizer.json makes of it "
            f"{shown(' '.join(own[:5]))}. If the network was trained with those: say "
            '`"tokenizer_class": "PreTrainedTokenizerFast"` in tokenizer_config.json'
        )


def _of_case(directory: Path, tokenizer: Any) -> tuple[str, ...]:
    """Say that a tokenizer lower-cases text for a cased vocabulary.

    transformers lower-cases for BERT and its like where no tokenizer_config.json says otherwise.
    """
    words = [found[1] for entry in tokenizer.get_vocab() if (found := WORD.fullmatch(entry))]
    cased = [word for word in words if word != word.lower()]
    if len(cased) <= MOST_CAPITALS * len(words):
        return ()
    tokens = {token for word in cased[:20] for token in tokenizer.tokenize(word)}
    if any(token != token.lower() for token in tokens.difference(tokenizer.all_special_tokens)):
        return ()
    # Classes with this setting make their own normalizer, whatever tokenizer.json says.
    is_set = "do_lower_case" in inspect.signature(type(tokenizer).__init__).parameters
    mend = (
        'say `"do_lower_case": false` in tokenizer_config.json'
        if is_set
        else "set `lowercase` of the normalizer to false in tokenizer.json"
    )
    return (
        f"text is lower-cased, and {100 * len(cased) / len(words):.0f}% of the words in the "
        f"tokenizer's vocabulary have capitals, so they never occur. If the model is a cased one: "
        f"{mend}",
    )
