"""Groups of linked keys."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distill.dataset.groups import groups_of

KEYS = st.integers(-20, 20)


@given(st.lists(st.tuples(KEYS, KEYS)))
def test_keys_are_in_one_group_when_a_path_of_links_joins_them(links: list[tuple[int, int]]) -> None:
    first, second = (np.array([link[side] for link in links], np.int64) for side in (0, 1))

    keys, groups = groups_of(first, second)

    expected = {key: {key} for link in links for key in link}
    for one, other in links:
        joined = expected[one] | expected[other]
        for key in joined:
            expected[key] = joined
    assert dict(zip(keys.tolist(), groups.tolist(), strict=True)) == {key: min(of) for key, of in expected.items()}


def test_a_long_chain_is_one_group() -> None:
    chain = np.arange(20_000, dtype=np.int64)

    _, groups = groups_of(chain[:-1], chain[1:])

    assert set(groups.tolist()) == {0}
