"""The parts of the scripted upstream: behaviours, answers, connections and how the bytes are put on the wire."""

from __future__ import annotations
