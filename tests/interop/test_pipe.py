"""Pipes: their ends are inherited by a program of any other language."""

import itertools

import pytest

from conftest import FACES, STRANGERS, Actor, Command

FAMILIES = [
    (parent, child)
    for parent, child in itertools.product([*FACES, *STRANGERS], repeat=2)
    if not {parent, child} <= set(STRANGERS)
]


@pytest.mark.parametrize(("one", "child"), FAMILIES, indirect=["one"])
def test_an_executed_program_inherits_both_ends(
    one: Actor, child: str, commands: dict[str, Command]
) -> None:
    for question in ("hello", "", "x" * 3000):
        assert one.do("pipe_exec", question, *commands[child], "echo") == f"heard {question}"
