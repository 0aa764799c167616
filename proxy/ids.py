"""Ids of exchanges: UUIDv7, with randomness fetched for many at a time."""

from __future__ import annotations

import os

from nightschool.record import new_id

_NOISE_BYTES = 10
_IDS_PER_FETCH = 400


class Ids:
    """One source per worker; made after the worker's process has begun, never shared by two."""

    def __init__(self) -> None:
        self._noise = b""
        self._used = 0

    def next(self, time_us: int) -> bytes:
        """16 bytes that sort by the millisecond of ``time_us``."""
        if self._used == len(self._noise):
            self._noise = os.urandom(_NOISE_BYTES * _IDS_PER_FETCH)
            self._used = 0
        self._used += _NOISE_BYTES
        return new_id(time_us, self._noise[self._used - _NOISE_BYTES : self._used])
