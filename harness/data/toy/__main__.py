"""`python -m harness.data.toy pretrain` pretrains the toy BERT again."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.terminal import command


def main() -> None:
    """Run the verb of the command line."""
    parser = argparse.ArgumentParser(prog="python -m harness.data.toy")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("pretrain", help="pretrain toy-bert on the toy world's running text")
    verb.add_argument("--output", type=Path, help="its folder (default: the one that is shipped)")
    arguments = parser.parse_args()
    from harness.data.toy.pretrain import SHIPPED, pretrain
    from harness.errors import GlueBenchError
    from harness.text.escape import harmless

    try:
        pretrain(arguments.output or SHIPPED)
    except GlueBenchError as error:
        verb.error(harmless(str(error)))


if __name__ == "__main__":
    with command():
        main()
