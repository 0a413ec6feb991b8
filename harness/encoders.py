"""From a folder of weights to a network with a new head, and its tokenizer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from harness import families
from harness.errors import ModelError, shown
from harness.spec import Task


@dataclass(frozen=True)
class Encoder:
    """A network that maps token ids to logits of shape (examples, `task.outputs`)."""

    network: nn.Module
    tokenizer: Any
    new_parameters: tuple[str, ...]  # not in the checkpoint: they start random
    spare: int = 0  # tokens of padding that every row needs
    tuner: Any = None  # of peft, which can put its additions into the network's weights

    @property
    def parameters(self) -> int:
        """How many numbers the network holds, head included."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def trained(self) -> list[nn.Parameter]:
        """The parameters that training changes."""
        return [p for p in self.network.parameters() if p.requires_grad]


def load(directory: Path, task: Task, seed: int, *, scratch: bool = False) -> Encoder:
    """The pretrained network of `directory` with a head for `task`, in fp32.

    The head is new, and `seed` decides its initial weights (with `scratch` all of them), unless the
    checkpoint holds one whose labels have the task's names: that one is kept, its outputs put in
    the task's order. Raises `ModelError` where anything but the head, or a pooler, is missing from
    the checkpoint or has another shape.
    """
    be_quiet()
    tokenizer, config = _read(directory)
    order = _order_of(config, task)
    config.num_labels = task.outputs
    if task.labels:
        config.id2label = dict(enumerate(task.labels))
        config.label2id = {label: index for index, label in enumerate(task.labels)}
    else:
        config.problem_type = "regression"
    families.give_padding(directory, tokenizer)
    config.get_text_config().pad_token_id = tokenizer.pad_token_id  # decoders look for it
    torch.manual_seed(seed)
    if scratch:
        network = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
        new = tuple(name for name, _ in network.named_parameters())
    else:
        network, new = _pretrained(directory, config, order, seed)
    dtypes = {parameter.dtype for parameter in network.parameters()}
    if dtypes != {torch.float32}:
        raise ModelError(f"{directory}: asked for fp32 parameters, got {shown(dtypes)}")
    if task.is_regression:
        _keep_head_in_fp32(network)
    families.suit(tokenizer, network)
    families.mend_autocast(network)
    return Encoder(network, tokenizer, new, families.spare_padding(config))


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

UNREADABLE = (
    OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError, StrictDataclassError,
)  # fmt: skip
"""What transformers raises for a damaged or foreign folder, as tried on such folders."""


def read_tokenizer(directory: Path) -> Any:
    """The tokenizer of a folder. Raises `ModelError`, also where it knows no words.

    transformers makes up an empty tokenizer for a folder that holds none: every word is unknown.
    """
    _check_sentencepiece(directory)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    except UNREADABLE as error:
        raise unreadable(directory, error) from error
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
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


def unreadable(directory: Path, error: Exception) -> ModelError:
    """The error to raise for a folder that transformers cannot read."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return ModelError(
        f"{directory}: no model that transformers can read: {said[:300]}. Mend: save it again with "
        "`save_pretrained`, or fetch it again with `glue-bench fetch --again MODEL`"
    )


def _read(directory: Path) -> tuple[Any, Any]:
    try:
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    except UNREADABLE as error:
        raise unreadable(directory, error) from error
    families.refuse_foreign(directory, config)
    tokenizer = read_tokenizer(directory)
    # Composite models keep it elsewhere; those have no classifier either.
    words = getattr(config, "vocab_size", None)
    if isinstance(words, int) and len(tokenizer) > words:
        raise ModelError(
            f"{directory}: the tokenizer has {len(tokenizer)} tokens and config.json {words}; "
            "expected no more than the network has. Mend: put the model's own tokenizer there"
        )
    return tokenizer, config


def _order_of(config: Any, task: Task) -> list[int] | None:
    """Where a checkpoint's head has each of the task's labels; None where it has other ones.

    Heads trained on one task differ in their order: MNLI's come with contradiction first or last.
    """
    own = {re.sub(r"[\W_]+", "_", str(name).lower()): at for at, name in config.id2label.items()}
    if not task.labels or set(own) != set(task.labels) or len(own) != len(config.id2label):
        return None
    return [int(own[label]) for label in task.labels]


def _pretrained(
    directory: Path, config: Any, order: list[int] | None, seed: int
) -> tuple[nn.Module, tuple[str, ...]]:
    try:
        network, report = AutoModelForSequenceClassification.from_pretrained(
            directory,
            config=config,
            dtype=torch.float32,  # transformers 5 would keep the checkpoint's own dtype
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # so that they are named below, in our own words
            output_loading_info=True,
        )
    except UNREADABLE as error:
        raise unreadable(directory, error) from error
    inside = f"{network.base_model_prefix}."
    unlike = {key[0] if isinstance(key, tuple) else str(key) for key in report["mismatched_keys"]}
    new = sorted({*report["missing_keys"], *unlike})
    lost = [n for n in new if n.startswith(inside) and (".pooler." not in n or n in unlike)]
    if lost:
        raise ModelError(
            f"{directory}: {len(lost)} weights are missing or have another shape than config.json "
            f"says, first {shown(lost[0])}; expected every weight but the head's and the pooler's. "
            "Mend: fetch the model again with `glue-bench fetch --again MODEL`"
        )
    head = [name for name, _ in network.named_parameters() if not name.startswith(inside)]
    if order is not None and set(head).isdisjoint(new):
        _reorder(network, head, order)
        return network, tuple(new)
    if set(head).isdisjoint(report["missing_keys"]):  # a head that was trained on other labels
        _renew(network, config, head, seed)
        new = sorted({*new, *head})
    return network, tuple(new)


@torch.no_grad()
def _reorder(network: nn.Module, head: list[str], order: list[int]) -> None:
    """Put a head's outputs in this order."""
    parameters = dict(network.named_parameters())
    for name in head:
        if parameters[name].shape[0] == len(order):
            parameters[name].copy_(parameters[name][order])


def _renew(network: nn.Module, config: Any, head: list[str], seed: int) -> None:
    """Give the head random weights."""
    torch.manual_seed(seed)
    fresh = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    weights = fresh.state_dict()
    network.load_state_dict({name: weights[name] for name in head}, strict=False)


def _keep_head_in_fp32(network: Any) -> None:
    """Compute a regression head outside autocast.

    Rounded to bf16, most of STS-B's predictions are ties, and ties move the rank correlation.
    """

    def in_fp32(forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def wrapped(hidden: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            with torch.autocast(hidden.device.type, enabled=False):
                return forward(hidden.float(), *args, **kwargs)

        return wrapped

    for name, module in network.named_children():
        if name != network.base_model_prefix:
            module.forward = in_fp32(module.forward)
