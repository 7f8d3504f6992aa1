"""Where the library, its header and the Rust programs stand once they are built.

The environment says so, or else they are where `make` and Cargo put them:
UNIPC_LIB (the folder of libunipc.so), UNIPC_INCLUDE (that of unipc.h) and UNIPC_RUST_BIN.
"""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _folder(variable: str, default: str | Path) -> Path:
    return (ROOT / (os.environ.get(variable) or default)).resolve()


LIB = _folder("UNIPC_LIB", "build")
INCLUDE = _folder("UNIPC_INCLUDE", "include")
RUST_BIN = _folder("UNIPC_RUST_BIN", _folder("CARGO_TARGET_DIR", "target") / "release")

WARNINGS = ["-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def compile_c(source: Path, folder: Path, *, with_unipc: bool = True) -> Path:
    """Compiles one file to a program of its name, which finds the library where it was built."""
    program = folder / source.stem
    command = [os.environ.get("CC", "cc"), *WARNINGS, str(source), "-o", str(program)]
    if with_unipc:
        command += [f"-I{INCLUDE}", f"-L{LIB}", f"-Wl,-rpath,{LIB}", "-lunipc"]
    subprocess.run([*command, "-pthread"], check=True)
    return program
