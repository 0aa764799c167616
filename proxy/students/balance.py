"""Which replica is asked first: the same one for all of a conversation, so that it finds what it has read in its cache.

Rendezvous hashing: each replica has a number for each conversation, the greatest comes first, and a replica that comes
or goes moves only its own conversations. One that has a quarter more under way than its part is passed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b

from proxy.route import ReplicaChoice

ROOM = 1.25
"""How much of its even part a replica may have under way, the request that comes counted."""


def in_order(
    replicas: Sequence[ReplicaChoice], conversation: str, in_flight: Callable[[str], int]
) -> tuple[ReplicaChoice, ...]:
    """All of them: first those with room in the order of the conversation, then the least busy."""
    if len(replicas) < 2:
        return tuple(replicas)
    busy = {each.url: in_flight(each.url) for each in replicas}
    bound = math.ceil(ROOM * (sum(busy.values()) + 1) / len(replicas))
    ranked = sorted(replicas, key=lambda each: _weight(each.url, conversation), reverse=True)
    with_room = [each for each in ranked if busy[each.url] < bound]
    without = sorted((each for each in ranked if busy[each.url] >= bound), key=lambda each: busy[each.url])
    return (*with_room, *without)


def _weight(url: str, conversation: str) -> bytes:
    return blake2b(f"{url}\0{conversation}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
