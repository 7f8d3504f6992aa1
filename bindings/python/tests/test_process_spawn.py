"""Starting: what a child gets, what it does not get, and why one cannot be started."""

import errno
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import unipc
from support import leaving_nothing
from unipc import NULL, PIPE, STDOUT, Command, File, shell, spawn

pytestmark = pytest.mark.usefixtures("no_traces")

MISSING = "no-such-program-of-unipc"
Way = dict[str, Any]


@pytest.fixture(params=["plain", "tied"])
def way(request: pytest.FixtureRequest) -> Way:
    """The two ways in which a child is started: posix_spawn(3), and what does more than it can."""
    return {"dies_with_parent": signal.SIGKILL} if request.param == "tied" else {}


def said(command: Any, **options: Any) -> str:
    """What a command that succeeds says on its standard output."""
    with spawn(command, **({"stdout": PIPE} | options)) as child:
        output = child.communicate()
    assert output.status.success, output
    return output.stdout.decode(errors="surrogateescape")


def refusal(kind: type[Exception], command: Any, **options: Any) -> Any:
    with pytest.raises(kind) as caught:
        spawn(command, **options)
    assert type(caught.value) is kind
    return caught.value


def test_arguments_arrive_as_they_are_and_no_shell_sees_them(way: Way) -> None:
    words = ["two words", "$HOME", "*", "", "a\nb", b"\xff", Path("/a/path"), "ü"]
    expected = "two words|$HOME|*||a\nb|\udcff|/a/path|ü|"
    assert said(["printf", "%s|", *words], **way) == expected
    assert said(("printf", "%s|", *words), **way) == expected
    assert said(["/bin/sh", "-c", "echo $0"], name="another name", **way) == "another name\n"


def test_a_shell_is_there_when_it_is_asked_for(way: Way) -> None:
    assert said(shell("x=1; echo $((x + 1)) | tr 2 3"), **way) == "3\n"
    assert said(shell(b"echo $0"), **way) == "sh\n"
    assert said(shell("echo $0"), name="other", **way) == "other\n"


@pytest.mark.parametrize("line", ["ls -l", b"ls -l", bytearray(b"ls"), Path("ls")])
def test_a_line_is_no_command_and_the_error_names_the_way_out(line: Any) -> None:
    for call in (spawn, Command, unipc.Pipeline, unipc.popen):
        with pytest.raises(TypeError, match=r'\["ls", "-l"\].*shell\("ls -l"\)'):
            call(line)


def test_the_environment_is_this_ones_or_the_one_that_is_given(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIPC_TEST", "set here")
    assert said(shell("echo $UNIPC_TEST"), **way) == "set here\n"
    added = os.environ | {"UNIPC_MORE": "and more"}
    assert said(shell("echo $UNIPC_TEST $UNIPC_MORE"), env=added, **way) == "set here and more\n"
    assert said(["env"], env={"A": "1", "C": ""}, **way) == "A=1\nC=\n"
    assert said(["env"], env={b"A": b"\xff"}, **way) == "A=\udcff\n"
    assert said(["env"], env={}, **way) == ""


def test_a_program_is_searched_in_the_childs_own_path(way: Way, tmp_path: Path) -> None:
    program = tmp_path / "unipc-test-program"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    refusal(FileNotFoundError, [program.name], **way)
    assert said([program.name], env={"PATH": f"/no-such::{tmp_path}:/bin"}, **way) == "found\n"
    assert said(["./" + program.name], directory=tmp_path, **way) == "found\n"
    assert said([program], **way) == "found\n"
    refusal(FileNotFoundError, ["true"], env={"PATH": "/no-such-directory"}, **way)


def test_a_child_starts_in_its_directory(way: Way, tmp_path: Path) -> None:
    for directory in (tmp_path, str(tmp_path), os.fsencode(tmp_path)):
        assert said(["pwd"], directory=directory, **way).strip() == str(tmp_path.resolve())


def test_streams_are_bound_to_null_pipes_and_each_other(way: Way) -> None:
    line = shell("cat; echo lost; echo lost >&2")
    assert spawn(line, stdin=NULL, stdout=NULL, stderr=NULL, **way).wait().success
    line = shell("read word; echo out $word; echo err $word >&2")
    with spawn(line, stdin=PIPE, stdout=PIPE, stderr=PIPE, **way) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(b"x\n")
        assert (child.stdout.read(), child.stderr.read()) == (b"out x\n", b"err x\n")
    assert said(shell("echo one; echo two >&2; echo three"), stderr=STDOUT, **way) == (
        "one\ntwo\nthree\n"
    )


def test_what_is_no_pipe_is_no_attribute(way: Way) -> None:
    with spawn(["true"], stdout=NULL, **way) as child:
        assert (child.stdin, child.stdout, child.stderr) == (None, None, None)


def test_streams_are_bound_to_files_that_spawn_opens(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "file"

    def text(line: str, file: File) -> str:
        assert spawn(shell(line), stdout=file, **way).wait().success
        return path.read_text()

    assert text("echo one", File(path, "w")) == "one\n"
    assert text("echo two", File(str(path), "a")) == "one\ntwo\n"
    assert text("echo three", File(os.fsencode(path), "w")) == "three\n"
    assert said(["cat"], stdin=File(path), **way) == "three\n"


def test_a_file_says_what_it_is() -> None:
    file = File(Path("/a"), "w")
    assert (file.path, file.mode, repr(file)) == ("/a", "w", "unipc.File('/a', 'w')")
    assert file == File("/a", "w")
    assert file != File("/a", "a")
    assert len({file, File("/a", "w")}) == 1
    mode: Any = "r+"
    with pytest.raises(ValueError, match="mode must be 'r' or 'w' or 'a', not 'r\\+'"):
        File("/a", mode)


def test_a_descriptor_or_an_open_file_stays_the_callers(way: Way, tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b", buffering=0) as file:
        spawn(["echo", "one"], stdout=file, **way).wait()
        spawn(["echo", "two"], stdout=file.fileno(), **way).wait()
        file.seek(0)
        assert file.read() == b"one\ntwo\n"
        file.seek(4)
        assert said(["cat"], stdin=file, **way) == "two\n"


def test_an_end_of_a_pipe_goes_with_the_child_so_that_the_end_comes(way: Way) -> None:
    reader, writer = unipc.pipe()
    with reader:
        child = spawn(["echo", "hello"], stdout=writer, **way)
        assert writer.closed
        assert reader.read() == b"hello\n"
        assert child.wait().success
    reader, writer = unipc.pipe()
    with reader, writer:
        spawn(["echo", "hello"], stdout=writer.dup(), **way).wait()
        writer.write(b"and more")
        assert reader.read(100) == b"hello\nand more"


def test_an_end_stays_when_there_is_no_child(way: Way) -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        refusal(FileNotFoundError, [MISSING], stdout=writer, **way)
        assert not writer.closed
        with pytest.raises(BlockingIOError):  # not the end of file
            reader.read(1, timeout=0)
        writer.close()
        refusal(ValueError, ["true"], stdout=writer, **way)


def test_an_end_of_a_fifo_is_bound(way: Way, tmp_path: Path) -> None:
    with unipc.Fifo.create(tmp_path / "fifo") as fifo:
        reader = fifo.open_reader(timeout=0)
        with fifo.open_writer() as writer:
            writer.write(b"through a fifo")
        assert said(["cat"], stdin=reader, **way) == "through a fifo"


def test_a_fifo_as_a_file_is_waited_for(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    with unipc.Fifo.create(path) as fifo:

        def write() -> None:
            with fifo.open_writer() as writer:
                writer.write(b"at last")

        thread = threading.Thread(target=write)
        thread.start()
        assert said(["cat"], stdin=File(path), **way) == "at last"
        thread.join()


def saying(text: bytes) -> unipc.PipeReader:
    reader, writer = unipc.pipe()
    with writer:
        writer.write(text)
    return reader


def test_descriptors_arrive_under_the_numbers_that_were_chosen(way: Way) -> None:
    given = {9: saying(b"nine "), 3: saying(b"three "), 200: saying(b"many ")}
    line = shell("cat <&3; cat <&9; cat /dev/fd/200")
    assert said(line, descriptors=given, **way) == "three nine many "
    assert all(end.closed for end in given.values())


def test_descriptors_change_places_without_losing_one(way: Way) -> None:
    ends = [saying(b"a"), saying(b"b"), saying(b"c")]
    a, b, c = (end.fileno() for end in ends)
    line = shell(f"cat /dev/fd/{a}; cat /dev/fd/{b}; cat /dev/fd/{c}")
    assert said(line, descriptors={a: ends[1], b: ends[2], c: ends[0]}, **way) == "bca"


def test_nothing_else_is_inherited(way: Way, tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file:
        number = os.dup2(file.fileno(), 400, inheritable=True)
        os.set_inheritable(file.fileno(), True)
        # The listing has a descriptor of its own, the lowest that is free.
        assert said(["ls", "/proc/self/fd"], stdin=NULL, **way).split() == ["0", "1", "2", "3"]
        given = {5: file, 8: file}
        with_more = said(["ls", "/proc/self/fd"], stdin=NULL, descriptors=given, **way)
        assert with_more.split() == ["0", "1", "2", "3", "5", "8"]
        os.close(number)


def test_the_ends_that_the_caller_keeps_are_not_in_another_child(way: Way) -> None:
    one = spawn(["cat"], stdin=PIPE, stdout=NULL, **way)
    with spawn(["cat"], stdin=PIPE, stdout=NULL, **way):
        assert one.stdin is not None
        one.stdin.close()  # the other child has no copy of it
        assert one.wait().success


def test_a_command_starts_as_many_children_as_are_wanted(way: Way) -> None:
    command = Command(["sh", "-c", "echo $A; exit 7"], stdout=PIPE, env={"A": "1"}, **way)
    for _ in range(3):
        output = spawn(command).communicate()
        assert (output.stdout, output.status.code) == (b"1\n", 7)


def test_what_is_said_at_spawn_comes_before_what_the_command_says(way: Way) -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        command = Command(["sh", "-c", "echo $A"], stdout=writer, env={"A": "1"}, **way)
        assert said(command, env={"A": "2"}) == "2\n"
        assert not writer.closed
        assert spawn(command).wait().success
        assert writer.closed
        assert reader.read() == b"1\n"


def test_a_command_says_what_it_is() -> None:
    command = Command(["ls", Path("-l"), b"\xff"])
    assert command.arguments == ("ls", "-l", "\udcff")
    assert repr(command) == "unipc.Command(['ls', '-l', '\\udcff'])"
    assert repr(shell("a | b")) == "unipc.shell('a | b')"
    assert shell("a | b").arguments == ("/bin/sh", "-c", "a | b")


def test_a_group_is_led_or_joined(way: Way) -> None:
    leader = spawn(["sleep", "60"], group="own", **way)
    second = spawn(["sleep", "60"], group=leader.pid, **way)
    inheriting = spawn(["sleep", "60"], **way)
    assert os.getpgid(leader.pid) == os.getpgid(second.pid) == leader.pid
    assert os.getpgid(inheriting.pid) == os.getpgrp()
    leader.signal_group(signal.SIGKILL)
    inheriting.kill()
    assert [child.wait().signal for child in (leader, second, inheriting)] == [9, 9, 9]
    error = refusal(PermissionError, ["true"], group=leader.pid, **way)
    assert "there is no process group" in str(error)


def test_a_program_that_does_not_exist_is_file_not_found(way: Way) -> None:
    error = refusal(FileNotFoundError, [MISSING], **way)
    assert (error.errno, error.filename) == (errno.ENOENT, MISSING)
    assert error.strerror == "spawn: there is no such program in PATH"
    error = refusal(FileNotFoundError, ["/no/such/program"], **way)
    assert (error.strerror, error.filename) == ("spawn: it does not exist", "/no/such/program")
    assert refusal(FileNotFoundError, [""], **way).strerror == "spawn: its name is empty"
    refusal(NotADirectoryError, ["/etc/passwd/program"], **way)


def test_a_program_that_is_not_executable_is_a_permission_error(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n")
    error = refusal(PermissionError, [path], **way)
    assert (error.errno, error.filename) == (errno.EACCES, str(path))
    assert error.strerror.startswith("spawn: it is not executable")
    assert refusal(PermissionError, ["/tmp/"], **way).strerror == "spawn: it is a directory"


def test_what_is_executable_and_no_program_is_told_apart(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("echo without a first line\n")
    path.chmod(0o755)
    error = refusal(OSError, [path], **way)
    assert (error.errno, error.filename) == (errno.ENOEXEC, str(path))
    path.write_text("#!/no/such/interpreter\n")
    assert "interpreter" in str(refusal(FileNotFoundError, [path], **way))


def test_an_empty_vector_is_a_value_error(way: Way) -> None:
    nothings: list[Any] = [[], (), iter([])]
    for nothing in nothings:
        assert "the argument vector is empty" in str(refusal(ValueError, nothing, **way))


def test_a_nul_is_a_value_error_wherever_it_is(way: Way) -> None:
    assert str(refusal(ValueError, ["echo", "a\0b"], **way)) == (
        "spawn echo: an argument has a NUL in it"
    )
    assert "NUL" in str(refusal(ValueError, ["ec\0ho"], **way))
    assert "NUL" in str(refusal(ValueError, shell("echo \0"), **way))
    assert "NUL" in str(refusal(ValueError, ["echo"], env={"A": "\0"}, **way))
    assert "NUL" in str(refusal(ValueError, ["echo"], directory="/\0", **way))
    assert "NUL" in str(refusal(ValueError, ["echo"], stdout=File("/\0", "w"), **way))
    for key in ("", "A=B"):
        error = refusal(ValueError, ["echo"], env={key: "1"}, **way)
        assert "is no name of an environment variable" in str(error)


@pytest.mark.parametrize(
    "arguments", [None, 7, [7], ["ls", None], [["ls"]], [bytearray(b"ls")], [object()]]
)
def test_what_is_no_vector_of_words_is_a_type_error(arguments: Any) -> None:
    refusal(TypeError, arguments)


@pytest.mark.parametrize(
    ("keyword", "value", "kind"),
    [
        ("stdin", "/a/path", TypeError),
        ("stdout", True, TypeError),
        ("stdout", 1.5, TypeError),
        ("stdout", -1, ValueError),
        ("stdout", 1 << 40, OverflowError),
        ("stdin", object(), TypeError),
        ("stdin", STDOUT, ValueError),
        ("stdout", STDOUT, ValueError),
        ("env", "A=1", TypeError),
        ("env", ["A=1"], TypeError),
        ("env", {1: "1"}, TypeError),
        ("env", {"A": 1}, TypeError),
        ("directory", 7, TypeError),
        ("descriptors", {7: PIPE}, TypeError),
        ("descriptors", {7: None}, TypeError),
        ("descriptors", {7: File("/dev/null")}, TypeError),
        ("descriptors", {"7": 0}, TypeError),
        ("descriptors", {1 << 40: 0}, ValueError),
        ("descriptors", [7], TypeError),
        ("group", "new", ValueError),
        ("group", 0, ValueError),
        ("group", -5, ValueError),
        ("group", 1 << 40, ValueError),
        ("dies_with_parent", True, TypeError),
        ("dies_with_parent", 1000, ValueError),
        ("dies_with_parent", 1 << 40, ValueError),
        ("name", 7, TypeError),
        ("name", "\0", ValueError),
        ("cwd", "/", TypeError),
    ],
)
def test_an_option_that_cannot_be_is_refused(keyword: str, value: Any, kind: Any) -> None:
    refusal(kind, ["true"], **{keyword: value})


def test_an_unknown_option_names_the_function() -> None:
    options: Any = {"cwd": "/"}
    calls: list[Any] = [spawn, Command, shell]
    for call in calls:
        words = rf"{call.__name__}\(\) got an unexpected keyword argument 'cwd'"
        with pytest.raises(TypeError, match=words):
            call("true" if call is shell else ["true"], **options)


def test_a_directory_that_cannot_be_entered_is_named_and_not_the_program(way: Way) -> None:
    error = refusal(FileNotFoundError, ["true"], directory="/no/such/directory", **way)
    assert error.filename == "/no/such/directory"
    assert error.strerror == "enter directory: it does not exist; true was to start in it"
    error = refusal(NotADirectoryError, ["true"], directory="/etc/passwd", **way)
    assert error.filename == "/etc/passwd"


def test_a_file_that_cannot_be_opened_is_named_and_not_the_program(way: Way) -> None:
    error = refusal(FileNotFoundError, ["true"], stdin=File("/no/such/file"), **way)
    assert (error.strerror, error.filename) == ("open: it does not exist", "/no/such/file")
    refusal(IsADirectoryError, ["true"], stdout=File("/tmp", "w"), **way)


def test_a_closed_descriptor_is_told_with_its_number_and_place(way: Way) -> None:
    for options, place in (
        ({"stdin": 399}, "stdin"),
        ({"stderr": 399}, "stderr"),
        ({"descriptors": {7: 399}}, "7"),
    ):
        error = refusal(OSError, ["true"], **options, **way)
        assert (error.errno, error.filename) == (errno.EBADF, "true")
        assert error.strerror == f"spawn: descriptor 399, which was to be its {place}, is closed"
    with open("/dev/null") as file:
        pass
    refusal(ValueError, ["true"], stdin=file, **way)


def test_a_number_that_no_descriptor_can_have_is_refused(way: Way) -> None:
    for number in (-1, 1 << 30, (1 << 31) - 1):
        error = refusal(OSError, ["true"], descriptors={number: 0}, **way)
        assert error.errno == errno.EBADF
        assert f"{number} is no descriptor" in str(error)


def test_more_arguments_than_the_kernel_takes_are_refused(way: Way) -> None:
    assert refusal(OSError, ["echo", "x" * (1 << 20)], **way).errno == errno.E2BIG


def test_a_child_has_every_signal_unblocked_and_at_its_default(way: Way) -> None:
    # Python ignores SIGPIPE; the rest is blocked here.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        text = said(["grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"], **way)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert text == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"


def test_a_child_that_is_tied_dies_when_its_parent_is_killed() -> None:
    code = """if True:
        import signal, time, unipc
        children = [
            unipc.spawn(["sleep", "1000"], dies_with_parent=signal.SIGTERM) for _ in range(2)
        ]
        print("tied", flush=True)
        time.sleep(1000)
    """
    with spawn([sys.executable, "-c", code], stdout=PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.read_full(5) == b"tied\n"
        with pytest.raises(TimeoutError):  # all of them live
            parent.stdout.read(1, timeout=0.1)
        parent.kill()
        parent.wait()
        assert parent.stdout.read() == b""  # none of them does


def test_ten_thousand_rounds_leak_nothing() -> None:
    for _ in range(10_000):
        assert spawn(["/bin/true"], stdin=NULL).wait().success


def test_a_thousand_failures_leak_nothing(way: Way) -> None:
    for _ in range(1000):
        with pytest.raises(FileNotFoundError):
            spawn(["/no/such/program"], stdin=PIPE, stdout=PIPE, stderr=NULL, **way)


def test_memory_does_not_grow_with_the_children() -> None:
    def rounds() -> int:
        for _ in range(300):
            with spawn(["/bin/true"], stdin=NULL, stdout=PIPE) as child:
                child.communicate()
        fields = Path("/proc/self/statm").read_text().split()
        return int(fields[1]) * resource.getpagesize()

    first = rounds()
    for _ in range(3):
        last = rounds()
    assert last - first < 2 << 20


def test_many_threads_start_children_at_once_and_no_end_goes_astray(way: Way) -> None:
    errors: list[BaseException] = []

    def start(thread: int) -> None:
        try:
            for number in range(20):
                word = b"%d.%d" % (thread, number)
                with spawn(["cat"], stdin=PIPE, stdout=PIPE, **way) as child:
                    # It ends only if nobody else has the writing ends.
                    assert child.communicate(word).stdout == word
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_no_descriptor_to_be_had_is_an_error_and_leaves_nothing(way: Way) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(number) for number in os.listdir("/proc/self/fd")}
    free = [number for number in range(100) if number not in used]
    failures = []
    for room in range(12):
        with leaving_nothing():
            resource.setrlimit(resource.RLIMIT_NOFILE, (free[room], hard))
            try:
                child = spawn(["true"], stdin=PIPE, stdout=PIPE, **way)
            except OSError as error:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                failures.append(error.errno)
            else:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                with child:
                    del child
    assert set(failures) == {errno.EMFILE}
    assert len(failures) < 12


def test_a_forked_process_starts_children_of_its_own(way: Way) -> None:
    with spawn(["sleep", "60"], dies_with_parent=signal.SIGKILL) as held:
        child = os.fork()
        if child == 0:
            try:
                good = spawn(["true"], **way).wait(30).success
                with pytest.raises(ChildProcessError):
                    held.wait(30)
                os._exit(0 if good else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert held.poll() is None
        held.kill()


def test_a_host_without_standard_streams_starts_what_others_start(way: Way, tmp_path: Path) -> None:
    code = """if True:
        import os, sys, unipc
        for number in range(3):
            os.close(number)
        options = {"dies_with_parent": 9} if sys.argv[2] == "tied" else {}
        line = "for n in 0 1 2; do test -e /proc/$$/fd/$n && exit 1; done; exit 0"
        inherited = unipc.spawn(unipc.shell(line), **options).wait()
        cat = unipc.shell("cat; echo oh >&2")
        child = unipc.spawn(
            cat, stdin=unipc.PIPE, stdout=unipc.PIPE, stderr=unipc.STDOUT, **options
        )
        with child:
            output = child.communicate(b"through ")
        with open(sys.argv[1], "w") as report:
            report.write(f"{inherited}, {output.stdout}, {output.status}")
    """
    report = tmp_path / "report"
    kind = "tied" if way else "plain"
    assert spawn([sys.executable, "-c", code, report, kind]).wait().success
    assert report.read_text() == "exited with 0, b'through oh\\n', exited with 0"


def test_a_handler_runs_while_spawn_waits_for_the_other_end_of_a_fifo(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)

    def handler(number: int, frame: object) -> None:
        raise KeyError("the handler's own")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        with pytest.raises(KeyError, match="the handler's own"):
            spawn(["cat"], stdin=File(path))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
