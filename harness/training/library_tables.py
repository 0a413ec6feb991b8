"""Importing this module fills a table of transformers that each load of weights reads.

It holds 900 compiled regular expressions. The fork server imports this module, so that no worker
compiles them.
"""

from __future__ import annotations

from transformers import conversion_mapping

if hasattr(conversion_mapping, "get_checkpoint_conversion_mapping"):  # since transformers 5
    conversion_mapping.get_checkpoint_conversion_mapping("bert")
