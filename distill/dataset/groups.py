"""Groups: keys that are linked with one another, however indirectly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]


def groups_of(first: Keys, second: Keys) -> tuple[Keys, Keys]:
    """Every key (sorted, each once) and beside it its group, which is the smallest key in it.

    ``first[i]`` and ``second[i]`` are linked. About 40 bytes a link, and few passes: labels spread to neighbours, and
    every key then asks the key it is labelled with.
    """
    keys, flat = np.unique(np.concatenate([first, second]), return_inverse=True)
    one, other = flat[: len(first)], flat[len(first) :]
    label = np.arange(len(keys))
    while True:
        least = np.minimum(label[one], label[other])
        spread = label.copy()
        np.minimum.at(spread, label[one], least)
        np.minimum.at(spread, label[other], least)
        while not np.array_equal(jumped := spread[spread], spread):
            spread = jumped
        if np.array_equal(spread, label):
            return keys, keys[label]
        label = spread
