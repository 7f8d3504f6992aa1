"""The programs in README.md run as they stand there, and say the same in each language.

The one in Rust is compiled in a package of its own, against the crate as it stands here.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from built import ROOT, compile_c

pytestmark = pytest.mark.timeout(300)

SAID = "two coffees (priority 5)\n"


def program(language: str) -> str:
    """The one block of a language, its object renamed so that no two runs meet."""
    (block,) = re.findall(
        rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert '"/orders"' in block
    return str(block).replace("/orders", f"/orders-{os.getpid()}")


def said_by(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=240).stdout


def test_the_c_program_of_the_readme_runs(tmp_path: Path) -> None:
    source = tmp_path / "readme.c"
    source.write_text(program("c"))
    assert said_by(compile_c(source, tmp_path)) == SAID


def test_the_python_program_of_the_readme_runs() -> None:
    assert said_by(sys.executable, "-c", program("python")) == SAID


def test_the_rust_program_of_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text(program("rust"))
    (tmp_path / "Cargo.toml").write_text(
        '[package]\nname = "readme"\nedition = "2024"\n[workspace]\n'
        f'[dependencies]\nunipc = {{ path = "{ROOT / "ipc-core"}" }}\n'
    )
    (tmp_path / "Cargo.lock").write_bytes((ROOT / "Cargo.lock").read_bytes())
    manifest: list[str | Path] = [
        "--manifest-path",
        tmp_path / "Cargo.toml",
        "--target-dir",
        tmp_path / "target",
    ]
    assert said_by(os.environ.get("CARGO", "cargo"), "run", "-q", *manifest) == SAID
