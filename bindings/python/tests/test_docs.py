"""Every public thing explains itself."""

import inspect
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import unipc

CLASSES = [member for member in vars(unipc).values() if inspect.isclass(member)]


def members() -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name in unipc.__all__:
        member = getattr(unipc, name)
        if inspect.isclass(member) or inspect.isbuiltin(member):
            found.append((name, member))
    for kind in CLASSES:
        found += [
            (f"{kind.__name__}.{name}", getattr(kind, name))
            for name in vars(kind)
            if not name.startswith("_") and not issubclass(kind, (tuple, int))
            if not name.isupper()
        ]
    return found


@pytest.mark.parametrize(("name", "member"), members())
def test_it_has_a_docstring_in_sentences(name: str, member: object) -> None:
    text = inspect.getdoc(member)
    assert text is not None
    assert re.match(r'[A-Z"]', text)
    assert text.endswith(".")


@pytest.mark.parametrize("kind", CLASSES)
def test_it_says_where_it_comes_from(kind: type) -> None:
    assert kind.__module__ == "unipc"


WAITING = [
    (name, member)
    for name, member in members()
    if callable(member) and not inspect.isclass(member)
    if "timeout" in inspect.signature(member).parameters
]


def says(name: str, words: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether the docstring has these words, or sends the reader to one that does."""
    text = docstring(dict(WAITING)[name])
    others = set(re.findall(r"\b[Aa]s (?:in )?(?:\w+\.)?(\w+)\(\)", text)) - seen
    return words in text or any(
        says(other, words, seen | others)
        for other, _ in WAITING
        if other.split(".")[1] in others and other != name
    )


def docstring(member: object) -> str:
    return " ".join((inspect.getdoc(member) or "").split())


def test_all_that_waits_is_examined() -> None:
    assert len(WAITING) >= 18


@pytest.mark.parametrize(("name", "call"), WAITING)
def test_a_call_that_waits_has_a_signature_and_says_what_it_raises(name: str, call: object) -> None:
    assert callable(call)
    assert inspect.signature(call).parameters["timeout"].default is None
    for words in ("in seconds", "TimeoutError", "signal handler runs"):
        assert says(name, words), words


def test_the_version_is_that_of_the_wheel() -> None:
    assert unipc.__version__ == metadata.version("unipc")
    manifest = Path(__file__).parents[3] / "Cargo.toml"
    workspace = tomllib.loads(manifest.read_text())["workspace"]
    assert unipc.__version__ == workspace["package"]["version"]


def test_the_package_is_typed_and_whole() -> None:
    files = {Path(file).name for file in metadata.files("unipc") or []}
    assert {"py.typed", "_unipc.pyi", "__init__.py"} <= files
    assert set(unipc.__all__) <= set(dir(unipc))
