"""The other side is no relative: what the strangers do, they do without unipc."""

import pytest

from conftest import HERE, STRANGERS


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_has_never_heard_of_unipc(stranger: str) -> None:
    [source] = (HERE / "strangers").glob(f"{stranger}.*")
    assert "unipc" not in source.read_text()
