"""How a speed-up says that a network, or this machine, cannot have it."""

from __future__ import annotations


class NotApplicable(Exception):
    """The reason why a speed-up is left out, as the end of a sentence. The run goes on."""
