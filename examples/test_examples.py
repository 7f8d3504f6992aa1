"""Every example, in every language and across languages: what it prints, and that nothing is left.

Run it: build/venv/bin/python -m pytest examples
with what built.py asks for, and with unipc, pytest and pytest-timeout in the interpreter.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

import unipc
from built import ROOT, RUST_BIN, compile_c

pytestmark = pytest.mark.timeout(120)

LANGUAGES = ["c", "python", "rust"]
PAIRS = list(product(LANGUAGES, LANGUAGES))
SECONDS = 30  # for one program; the watchdog above is for the test

Start = Callable[..., subprocess.Popen[str]]

MEMORY_MODES = """\
mapping            parent sees  file holds
shared anonymous   child!       -
private anonymous  parent       -
shared file        child!       child!
private file       parent       before
"""
ALONE = {
    "pipe_hello": 'parent: hello, child\nchild: hello, parent; you said "hello, child"\n',
    "semaphore_counter": "two processes added 1000 each: 2000\n",
    "redirect": (
        "before: to the terminal\n"
        "from the pipe: a line of this process\n"
        "from the pipe: a line of its child\n"
        "after: to the terminal\n"
    ),
    "zero_copy": (
        "borrowed message 1 of 1048576 bytes, and put it back\n"
        "message 1: 1048576 bytes, read in place\n"
        "message 2: 1048576 bytes, read in place\n"
        "message 3: 1048576 bytes, read in place\n"
        "the queue is empty\n"
    ),
    "connect2": "apple\nfig\npear\nthe first ended with 0, the second with 0\n",
    "popen_read": "line 1: one\nline 2: two\nit ended with 3\n",
    "pipeline_wordcount": "the: 4\ncat: 2\non: 2\nthe pipeline succeeded\n",
}
SENT = """\
sent with priority 1: tidy the desk
sent with priority 5: answer the letter
sent with priority 9: put out the fire
sent with priority 5: water the plants
"""
RECEIVED = """\
received with priority 9: put out the fire
received with priority 5: answer the letter
received with priority 5: water the plants
received with priority 1: tidy the desk
the queue is empty
"""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    for source in sorted((ROOT / "examples/c").glob("*.c")):
        compile_c(source, folder)
    return folder


@pytest.fixture
def start(compiled: Path) -> Iterator[Start]:
    """Starts an example; those that are still running at the end are ended."""
    running: list[subprocess.Popen[str]] = []

    def start(language: str, program: str, *arguments: str) -> subprocess.Popen[str]:
        command = {
            "c": [str(compiled / program)],
            "python": [sys.executable, str(ROOT / "examples/python" / f"{program}.py")],
            "rust": [str(RUST_BIN / program)],
            "demo": [sys.executable, str(ROOT / "examples/demo" / program)],
        }[language]
        running.append(
            subprocess.Popen(
                [*command, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()
        taken_from(process)


def taken_from(demo: subprocess.Popen[str]) -> list[str]:
    """Removes what a demo has left, and tells what that was."""
    left = []
    for unlink in (unipc.Queue.unlink, unipc.Memory.unlink):
        with contextlib.suppress(FileNotFoundError):
            unlink(f"/unipc-demo-{demo.pid}")
            left.append(unlink.__qualname__)
    return left


def output(process: subprocess.Popen[str]) -> str:
    """What a program printed, once it has ended well and without a complaint."""
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, "")
    return out


def left_behind() -> set[Path]:
    return {path for folder in ("/dev/shm", "/tmp") for path in Path(folder).glob("unipc-example*")}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = left_behind()
    yield
    # What another run of the examples has at this moment goes by itself.
    patience = time.monotonic() + 10
    while (left := left_behind() - before) and time.monotonic() < patience:
        time.sleep(0.1)
    assert not left


@pytest.fixture
def queue_name() -> Iterator[str]:
    """A name of nobody else, for a queue that the programs themselves have to remove."""
    name = f"/unipc-example-test-{os.getpid()}-{time.monotonic_ns()}"
    yield name
    libc = ctypes.CDLL(None, use_errno=True)
    left = libc.mq_unlink(name.encode()) == 0
    assert (left, ctypes.get_errno()) == (False, errno.ENOENT)


def test_the_languages_have_the_same_programs() -> None:
    folder = ROOT / "examples"
    c = {path.stem for path in folder.glob("c/*.c")}
    python = {path.stem for path in folder.glob("python/*.py")}
    rust = {path.stem for path in folder.glob("rust/src/bin/*.rs")}
    assert c == python == rust


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("program", ALONE)
def test_a_program_prints_the_same_in_each_language(
    start: Start, program: str, language: str
) -> None:
    assert output(start(language, program)) == ALONE[program]


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_shared_mappings_are_shared_with_child_and_file(
    start: Start, language: str, tmp_path: Path
) -> None:
    assert output(start(language, "memory_modes", str(tmp_path / "file"))) == MEMORY_MODES
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_programs_are_connected_and_their_ends_told_from_one_another(
    start: Start, language: str, tmp_path: Path
) -> None:
    early = output(start(language, "connect2", "yes", "--", "head", "-n", "1"))
    assert early == "y\nthe first ended with 141, the second with 0\n"  # 128 and SIGPIPE
    read = output(start(language, "popen_read", "printf 'no line feed'; kill -9 $$"))
    assert read == "line 1: no line feed\nit ended with 137\n"
    file = tmp_path / "file"
    file.write_text(
        "word\n" + "other\n" * 2 + "".join(f"{chr(97 + n % 26)}\n" for n in range(99999))
    )
    counted = output(start(language, "pipeline_wordcount", str(file)))
    assert counted == "a: 3847\nb: 3847\nc: 3847\nthe pipeline succeeded\n"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "programs", [("no-such-program", "--", "true"), ("true", "--", "no-such-program")]
)
def test_a_program_that_does_not_exist_is_told_in_a_sentence(
    start: Start, language: str, programs: tuple[str, ...]
) -> None:
    process = start(language, "connect2", *programs)
    said, complaint = process.communicate(timeout=SECONDS)
    assert (process.returncode, said) == (1, "")
    assert "no-such-program" in complaint


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_lines_go_through_a_fifo_between_any_two_languages(
    start: Start, writer: str, reader: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "fifo")
    reading = start(reader, "fifo_reader", path)
    writing = start(writer, "fifo_writer", path, "first line", "", "grüße")
    assert output(writing) == "sent: first line\nsent: \nsent: grüße\n"
    assert output(reading) == (
        "received: first line\nreceived: \nreceived: grüße\nthe last writer is gone\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("sender", "receiver"), PAIRS)
def test_the_most_urgent_message_comes_first_between_any_two_languages(
    start: Start, sender: str, receiver: str, queue_name: str
) -> None:
    assert output(start(sender, "queue_send", queue_name)) == SENT
    assert output(start(receiver, "queue_receive", queue_name)) == RECEIVED


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_server_serves_clients_of_every_language_until_quit(
    start: Start, language: str, queue_name: str
) -> None:
    server = start(language, "queue_server", queue_name)
    assert server.stdout is not None
    assert server.stdout.readline() == "waiting for clients\n"
    for client in LANGUAGES:
        sent = output(start(client, "queue_client", queue_name, f"this is {client}", "over"))
        assert sent == f"sent: this is {client}\nsent: over\n"
    assert output(start("python", "queue_client", queue_name, "quit")) == "sent: quit\n"
    served = "".join(f"received: this is {client}\nreceived: over\n" for client in LANGUAGES)
    assert output(server) == f"{served}told to quit\n"


@pytest.mark.parametrize(
    ("one", "other"), list(zip(LANGUAGES, LANGUAGES[1:] + LANGUAGES[:1], strict=True))
)
def test_without_arguments_two_languages_meet(start: Start, one: str, other: str) -> None:
    # The defaults are names that the whole machine shares, so one run at a time uses them.
    folder = os.open("/dev/shm", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        reading = start(other, "fifo_reader")
        assert output(start(one, "fifo_writer")) == "sent: hello, reader\nsent: goodbye\n"
        assert output(reading) == (
            "received: hello, reader\nreceived: goodbye\nthe last writer is gone\n"
        )
        assert output(start(one, "queue_send")) == SENT
        assert output(start(other, "queue_receive")) == RECEIVED
        server = start(other, "queue_server")
        assert server.stdout is not None
        assert server.stdout.readline() == "waiting for clients\n"
        assert output(start(one, "queue_client")) == "sent: hello, server\nsent: quit\n"
        assert output(server) == "received: hello, server\ntold to quit\n"
        assert output(start(one, "memory_modes")) == MEMORY_MODES
    finally:
        os.close(folder)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("program", ["queue_receive", "queue_client"])
def test_a_queue_that_is_not_there_is_told_in_a_sentence(
    start: Start, program: str, language: str, queue_name: str
) -> None:
    process = start(language, program, queue_name)
    _, complaint = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "it does not exist" in complaint
    assert queue_name in complaint


def test_the_demo_tells_the_same_story_each_time(start: Start) -> None:
    stories = set()
    for _ in range(2):
        demo = start("demo", "run")
        story = output(demo)
        assert taken_from(demo) == []
        for taken in ("9  house on fire", "9  house on fire: we are coming", "1  ABBEY ROAD"):
            assert taken in story
        assert re.search(r"together +300000$", story, re.MULTILINE)
        stories.add(re.sub(r"demo-\w+|pid \d+|  +", "…", story))
    assert len(stories) == 1


def test_a_demo_in_which_a_process_fails_says_so_and_leaves_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo_archivist").symlink_to("/bin/false")
    monkeypatch.setenv("UNIPC_RUST_BIN", str(tmp_path))
    demo = start("demo", "run")
    _, complaint = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 1
    assert "the Rust process ended with 1" in complaint
    assert taken_from(demo) == []


@pytest.mark.parametrize("moment", ["as_it_begins", "as_all_of_it_runs"])
def test_a_demo_that_is_ended_early_leaves_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    archivist = tmp_path / "demo_archivist"
    archivist.write_text('#!/bin/sh\ntouch "$0.runs"\nexec sleep 1000\n')
    archivist.chmod(0o700)
    monkeypatch.setenv("UNIPC_RUST_BIN", str(tmp_path))
    for _ in range(5):
        demo = start("demo", "run")
        sign = (
            Path(f"/dev/shm/unipc-demo-{demo.pid}")
            if moment == "as_it_begins"
            else tmp_path / "demo_archivist.runs"
        )
        while not sign.exists():
            assert demo.poll() is None
            time.sleep(0.001)
        demo.terminate()
        # The end of what it prints is also the end of the last process that it started.
        assert demo.communicate(timeout=SECONDS) == ("", "demo: told to stop\n")
        assert demo.returncode == 1
        assert taken_from(demo) == []
        sign.unlink(missing_ok=True)
