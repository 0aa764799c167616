"""One stand for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.stand import Stand, stand


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with stand(tmp_path_factory.mktemp("conformance")) as shared:
        yield shared
