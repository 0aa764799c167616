"""Why the bench, or one of its peers, cannot go on."""

from __future__ import annotations


class BenchFailure(Exception):
    """A figure cannot be had: a process died, an answer was wrong, a port stayed silent."""


class PeerMissing(Exception):
    """A peer is not installed here; its column stays empty and the table says why."""
