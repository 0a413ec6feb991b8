"""Hashes of the files of `nyu-mll/glue` at one commit, and the cache of what `datasets` reads.

Known hashes are the Git LFS ids of the files at that commit, from public manifests: several
independent ones for SST-2, MRPC and QQP, one for the others. For test splits, only those of AX and
SST-2 were found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from harness.files import hashes

COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"

SHA256: dict[str, str] = {
    f"{config}/{split}-00000-of-00001.parquet": sha256
    for config, split, sha256 in (
        ("ax", "test", "a07b802fe2d4968a1f7ccce9406826dc77e0d1dc53fea9491664bd8ebba8571a"),
        ("cola", "train", "2e7538afa2000e63f5343f16a758d75c452661a384208399d2035cd2fce45c33"),
        ("cola", "validation", "c14b7219a7d9f9fe3dd291fd000f6623ee413805eb108c9c49578ed50873e4ba"),
        ("mnli", "train", "49a4a5508b89b8fed2c6e81d2c47d00f4759050a7048c6cc5d95d31122ced3c1"),
        (
            "mnli",
            "validation_matched",
            "7f918c09d9c35446b8e8f06a5672f8ab704e2897fecbf52e2e154141f3d7c421",
        ),
        (
            "mnli",
            "validation_mismatched",
            "04aba92823a954be36fe1b69b61eed334c9eb1009daba0dd79f69d77b87c535c",
        ),
        ("mrpc", "train", "61fd41301e0e244b0420c4350a170c8e7cf64740335fc875a4af2d79af0df0af"),
        ("mrpc", "validation", "33c007dbf5bfa8463d87a13e6226df8c0fcf2596c2cd39d0f3bb79754e00f50f"),
        ("qnli", "train", "ebc7cb70a5bbde0b0336c3d51f31bb4df4673e908e8874b090b52169b1365c6c"),
        ("qnli", "validation", "e69311b81dc65589286091d9905a27617a90436dd215c7a59832fa8f4f336169"),
        ("qqp", "train", "4d6f02e643f7c36e9a4f7d4971a5ee9bd74063a319452fe6c87850c739774cd7"),
        ("qqp", "validation", "efd86a539c412d74874ee451573d7bd142f56c47fe36de033b9f367d8bb0fa71"),
        ("rte", "train", "a6252ab17015d718f6de1effe0980f7b158df63e3d16207cd8bd396b608e5147"),
        ("rte", "validation", "fb2aa2e04f551133ba663617a15ae133dc22b0f6a969bc0629b5ea6003ee9cf8"),
        ("sst2", "train", "66a253e67968acfabcbe49dbe9da964b42ac1c851c40ab760e8c8942efdb3229"),
        ("sst2", "validation", "a1371f3b3a7b0bcefa8388799a9359dc3ce76c349cc0079507a7991364fd2a9b"),
        ("sst2", "test", "e9d23cf0067211d2baf018328b507f5153fb6704d75117295a8bda47c7adccb1"),
        ("stsb", "train", "bbd93bbb988fd18437e02185fe3b2bd9a18350376c392e7820de9df1b247ed1f"),
        ("stsb", "validation", "152de7cf1fa34ee4df1c243bd209b02ade21a1d5c4fb3b7da5240f78e4000aa9"),
        ("wnli", "train", "40f4c0c60db68addeda8e9cbe25e6344cd99d5bbb80125535994a9a3141ee0a9"),
        ("wnli", "validation", "880037e45e03df868d5799ca21dc03f3a6378f0adf3c01c7bfc46b94fa61f1cb"),
    )
}


def cache_name(files: Iterable[Path]) -> str:
    """A name, from the bytes of the files, for the folder of what `datasets` makes of them.

    `datasets` 5.2 itself names that folder after the snapshot. So it would return the old rows of a
    file that was changed, damaged or repaired in place.
    """
    content = "".join(f"{file.name}\0{hashes.remembered(file)}\n" for file in sorted(files))
    return f"glue-bench-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
