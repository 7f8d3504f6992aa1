"""Pipelines: p1 | p2 | p3."""

import errno
import hashlib
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import unipc
from support import Waiting, has_keeper, leaving_nothing, pattern, until
from unipc import (
    NULL,
    PIPE,
    STDOUT,
    Command,
    File,
    Joint,
    Pipeline,
    RunningPipeline,
    Statuses,
    shell,
)

pytestmark = pytest.mark.usefixtures("no_traces")

MISSING = "no-such-program-of-unipc"


def piped(*stages: Any, **options: Any) -> Pipeline:
    """With a pipe of this process at both ends."""
    return Pipeline(*stages, **({"stdin": PIPE, "stdout": PIPE} | options))


def between(*stages: Any, **options: Any) -> Pipeline:
    """One that reads nothing and whose output is for nobody."""
    return Pipeline(*stages, **({"stdin": NULL, "stdout": NULL} | options))


def cats(count: int) -> list[Any]:
    return [["cat"]] * count


def codes(statuses: Statuses) -> list[int | None]:
    return [status.code for status in statuses]


def signals(statuses: Statuses) -> list[int | None]:
    return [status.signal for status in statuses]


def end(running: RunningPipeline) -> None:
    """Ends one that is left running, children of stages too, and what it has of pipes."""
    running.signal(signal.SIGKILL)
    with running:
        pass


def test_what_goes_in_comes_out_behind_all_stages() -> None:
    with piped(["sort"], ["uniq", "-c"], ["tr", "-d", " "]).spawn() as running:
        stdout, stderr, statuses = running.communicate(b"b\na\nb\n")
    assert stdout == b"1a\n2b\n"
    assert stderr == (b"", b"", b"")
    assert statuses.success
    assert codes(statuses) == [0, 0, 0]


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_any_amount_goes_through_any_number_of_stages(count: int) -> None:
    data = pattern(8 << 20)
    with piped(*cats(count)).spawn() as running:
        output = running.communicate(data)
    assert hashlib.sha256(output.stdout).digest() == hashlib.sha256(data).digest()
    assert output.statuses.success
    assert len(output.statuses) == count


def test_any_amount_comes_on_the_errors_of_all_stages_at_once() -> None:
    data = pattern(4 << 20)
    # Each stage fills its standard error before it reads: who drains one after the other hangs.
    line = shell("head -c 1000000 /dev/zero >&2; cat; head -c 1000000 /dev/zero >&2")
    with piped(*[line] * 5, stderr="apart").spawn() as running:
        output = running.communicate(data)
    assert output.stdout == data
    assert output.stderr == (bytes(2_000_000),) * 5
    with piped(*[line] * 5, stderr="merged").spawn() as running:
        output = running.communicate(data)
    assert output.stdout == data
    assert output.stderr == (bytes(10_000_000),)


def test_each_stages_error_is_as_its_command_says(tmp_path: Path) -> None:
    path = tmp_path / "errors"
    loud = Command(["sh", "-c", "echo one >&2; cat"], stderr=File(path, "w"))
    merged = Command(["sh", "-c", "echo two >&2; cat"], stderr=STDOUT)
    with piped(loud, merged, stdin=NULL).spawn() as running:
        assert running.stderr == (None, None)
        assert running.communicate().stdout == b"two\n"
    assert path.read_text() == "one\n"
    piping = Command(["sh", "-c", "echo three >&2"], stderr=PIPE)
    with between(piping, ["cat"]).spawn() as running:
        assert running.communicate().stderr == (b"three\n", b"")


def test_the_ends_are_bound_to_files_descriptors_and_pipes(tmp_path: Path) -> None:
    source, sink = tmp_path / "source", tmp_path / "sink"
    source.write_bytes(b"b\na\n")
    status = Pipeline(["cat"], ["sort"], stdin=File(source), stdout=File(sink, "w")).spawn().wait()
    assert status.success
    assert sink.read_bytes() == b"a\nb\n"
    with open(source, "rb") as file:
        reader, writer = unipc.pipe()
        with reader:
            running = Pipeline(["cat"], ["sort"], stdin=file, stdout=writer).spawn()
            assert writer.closed
            assert reader.read() == b"a\nb\n"
            assert running.wait().success
    # What the first and the last stage say for themselves holds where the pipeline says nothing.
    first = Command(["cat"], stdin=File(source))
    last = Command(["sort"], stdout=File(sink, "a"))
    assert Pipeline(first, last).spawn().wait().success
    assert sink.read_bytes() == b"a\nb\na\nb\n"


def test_a_pipeline_says_what_it_is() -> None:
    pipeline = between(["echo", "hello"], shell("cat"))
    assert repr(pipeline) == "unipc.Pipeline(['echo', 'hello'], unipc.shell('cat'))"
    with pipeline.spawn() as running:
        one, _ = running.stages
        words = f"<unipc.RunningPipeline echo, process {one.pid}"
        assert repr(running).startswith(words)
        assert running.statuses is None or running.statuses.success
    assert running.statuses is not None
    assert repr(running.statuses) == "<unipc.Statuses exited with 0 | exited with 0>"
    assert str(running.statuses) == "exited with 0 | exited with 0"


def test_success_is_the_last_stages_or_with_pipefail_all_stages() -> None:
    stages = shell("exit 3"), shell("exit 4"), ["true"]
    statuses = between(*stages).spawn().wait()
    assert (statuses.success, statuses.failed) == (True, None)
    statuses = between(*stages, pipefail=True).spawn().wait()
    assert (statuses.success, statuses.failed) == (False, 1)
    assert codes(statuses) == [3, 4, 0]
    statuses = between(["true"], ["false"]).spawn().wait()
    assert (statuses.success, statuses.failed) == (False, 1)


def test_statuses_are_a_sequence() -> None:
    statuses = between(shell("exit 3"), ["true"]).spawn().wait()
    assert len(statuses) == 2
    assert [statuses[index].code for index in (0, 1, -1, -2)] == [3, 0, 0, 3]
    for index in (2, -3, 1 << 40):
        with pytest.raises(IndexError):
            statuses[index]
    assert list(statuses) == [3, 0]
    assert statuses == between(shell("exit 3"), ["true"]).spawn().wait()
    assert statuses != between(["true"], ["true"]).spawn().wait()
    assert len({statuses, between(shell("exit 3"), ["true"]).spawn().wait()}) == 1
    with pytest.raises(TypeError, match="success"):
        bool(statuses)


@pytest.mark.parametrize("pipefail", [False, True])
def test_yes_to_head_succeeds_though_sigpipe_killed_yes(pipefail: bool) -> None:
    with piped(["yes"], ["head", "-1"], pipefail=pipefail, stdin=NULL).spawn() as running:
        output = running.communicate()
    assert output.stdout == b"y\n"
    assert signals(output.statuses) == [signal.SIGPIPE, None]
    assert output.statuses.success


def test_a_sigpipe_of_the_last_stage_is_a_failure() -> None:
    reader, writer = unipc.pipe()
    reader.close()
    statuses = between(["true"], ["yes"], stdout=writer).spawn().wait()
    assert (signals(statuses)[1], statuses.success) == (signal.SIGPIPE, False)


def test_no_stages_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="it has no stages"):
        Pipeline().spawn()


@pytest.mark.parametrize("place", [0, 1, 2, 4])
def test_a_stage_that_does_not_exist_is_told_with_its_place_and_nothing_runs(place: int) -> None:
    stages = [["yes"], *cats(4)]
    stages[place] = [MISSING]
    with pytest.raises(FileNotFoundError) as caught:
        piped(*stages, stderr="apart").spawn()
    assert caught.value.filename == MISSING
    assert caught.value.strerror == (
        f"spawn: there is no such program in PATH (stage {place + 1} of 5)"
    )


@pytest.mark.parametrize(
    ("stage", "kind", "words"),
    [
        (["/tmp"], PermissionError, "it is a directory"),
        ([], ValueError, "the argument vector is empty"),
        (["cat", "a\0b"], ValueError, "an argument has a NUL"),
        (Command(["cat"], directory="/no/such"), FileNotFoundError, "enter directory"),
        (Command(["cat"], descriptors={7: 399}), OSError, "descriptor 399"),
    ],
)
def test_a_stage_that_cannot_be_started_leaves_nothing(
    stage: Any, kind: type[Exception], words: str
) -> None:
    for stages in ([["yes"], stage, ["cat"]], [["yes"], ["cat"], stage], [stage, ["cat"]]):
        with leaving_nothing(), pytest.raises(kind, match=words) as caught:
            piped(*stages).spawn()
        del caught


def test_what_is_no_stage_is_refused_when_it_is_given() -> None:
    for stage in ("cat", None, 7, [7]):
        wrong: Any = stage
        with pytest.raises(TypeError):
            Pipeline(["true"], wrong)
    options: list[tuple[str, Any]] = [
        ("stderr", "both"),
        ("stderr", PIPE),
        ("group", "new"),
        ("stdin", "path"),
        ("stdout", object()),
    ]
    for keyword, value in options:
        with pytest.raises((ValueError, TypeError)):
            Pipeline(["true"], **{keyword: value})
    for keyword in ("stdin", "stdout"):
        binding: Any = {keyword: STDOUT}
        with pytest.raises(ValueError, match="for standard error alone"):
            Pipeline(["true"], **binding).spawn()
        binding = {keyword: 399}
        with pytest.raises(OSError, match="descriptor 399") as caught:
            Pipeline(["true"], **binding).spawn()
        assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("place", range(4))
def test_a_stage_that_dies_at_once_is_no_hang(place: int) -> None:
    stages = cats(4)
    stages[place] = shell("exit 7")
    with piped(*stages, pipefail=True).spawn() as running:
        output = running.communicate(bytes(4 << 20))
    assert output.stdout == b""
    assert output.statuses[place] == 7
    assert output.statuses.failed == place


def test_a_stage_that_never_reads_stops_what_is_before_it_until_it_is_cancelled() -> None:
    with between(["yes"], ["sleep", "1000"], ["cat"]).spawn() as running:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            running.wait(0.05)
        assert time.monotonic() - begin >= 0.05
        with pytest.raises(BlockingIOError):
            running.wait(0)
        assert running.poll() is None
        assert running.statuses is None
        assert signals(running.cancel(60))[1] == signal.SIGTERM


def test_a_stage_that_closes_its_output_early_is_the_end_of_file_for_the_next(
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    line = shell(f"echo all; exec >&-; until [ -e {gate} ]; do sleep 0.01; done")
    with piped(line, ["cat"], ["cat"], stdin=NULL).spawn() as running:
        assert running.stdout is not None
        assert running.stdout.read() == b"all\n"
        assert running.poll() is None  # and lives on
        gate.touch()
        assert running.wait().success


def test_of_ten_stages_the_fifth_is_killed_and_all_end() -> None:
    stages = cats(10)
    stages[4] = ["sleep", "1000"]  # so that all before it are full
    data = bytes(4 << 20)
    with piped(*stages, pipefail=True).spawn() as running:
        with pytest.raises(TimeoutError):
            running.communicate(data, timeout=0.1)
        running.stages[4].kill()
        output = running.communicate(data)
    assert output.stdout == b""
    assert signals(output.statuses)[:5] == [signal.SIGPIPE] * 4 + [signal.SIGKILL]
    assert codes(output.statuses)[5:] == [0] * 5
    assert output.statuses.failed == 4


def test_a_stage_is_a_child_of_which_the_pipeline_keeps_the_status() -> None:
    with between(["sleep", "1000"], ["cat"]).spawn() as running:
        first, second = running.stages
        os.kill(first.pid, 0)
        first.signal(signal.SIGTERM)
        assert first.wait() == -15
        assert second.wait().success
        with pytest.raises(ValueError, match="the pipeline has the pipes of its stages"):
            first.communicate()
        statuses = running.poll()
        assert statuses is not None
        assert list(statuses) == [-15, 0]
    del running
    assert first.status == -15


def test_a_timeout_keeps_what_was_read_and_writes_nothing_twice(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    data = pattern(300_000)
    line = f"echo first; echo complaint >&2; until [ -e {gate} ]; do sleep 0.01; done; cat"
    with piped(shell(line), ["cat"], stderr="apart").spawn() as running:
        told: Any = None
        while told is None or not (told.stdout and told.stderr[0]):
            with pytest.raises(TimeoutError) as caught:
                running.communicate(data, timeout=0.05)
            told = caught.value
            assert told.transferred == 65536
        assert (told.stdout, told.stderr) == (b"first\n", (b"complaint\n", b""))
        gate.touch()
        output = running.communicate(data)
    assert output.stdout == b"first\n" + data
    assert output.stderr == (b"complaint\n", b"")


def test_output_beyond_the_limit_is_an_error_that_keeps_it() -> None:
    with piped(["yes"], ["cat"], stdin=NULL).spawn() as running:
        with pytest.raises(OSError, match="limit") as caught:
            running.communicate(limit=1000)
        told: Any = caught.value
        assert told.errno == errno.EMSGSIZE
        assert len(told.stdout) > 1000


def test_an_open_joint_lets_this_process_see_what_goes_through() -> None:
    data = pattern(4 << 20)
    with piped(*cats(3), open_joints=[1, 0]).spawn() as running:
        assert [joint.number for joint in running.joints] == [0, 1]
        counts = [0, 0]

        def pass_on(joint: Joint) -> None:
            with joint.reader, joint.writer:
                while count := joint.reader.splice_to(joint.writer, 1 << 20):
                    counts[joint.number] += count

        threads = [threading.Thread(target=pass_on, args=(joint,)) for joint in running.joints]
        for thread in threads:
            thread.start()
        assert running.communicate(data).stdout == data
        for thread in threads:
            thread.join()
    assert counts == [len(data)] * 2


def test_who_leaves_an_open_joint_tells_both_sides() -> None:
    with piped(["yes"], ["wc", "-c"], stdin=NULL, open_joints=(0,)).spawn() as running:
        (joint,) = running.joints
        with pytest.raises(TimeoutError):  # nobody passes anything on
            running.communicate(timeout=0.05)
        joint.reader.close()
        joint.writer.close()
        output = running.communicate()
    assert output.stdout == b"0\n"
    assert output.statuses[0].signal == signal.SIGPIPE
    with piped(["yes"], ["wc", "-c"], stdin=NULL, open_joints=(0,)).spawn() as running:
        pass  # leaving the block closes it
    assert running.joints[0].reader.closed


def test_a_joint_that_is_none_is_a_value_error() -> None:
    for number in (1, 7, -1, 1 << 70):
        with pytest.raises(ValueError, match=r"joint|whole number"):
            piped(*cats(2), open_joints=[number]).spawn()
    assert piped(["true"]).spawn().communicate().statuses.success


def test_cancelling_ends_politely_first_and_by_force_after_the_grace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    polite, stubborn = "trap 'exit 5' TERM", f"trap '' TERM; touch {ready}"
    loop = "while :; do sleep 0.01; done"
    stages = ["sleep", "1000"], shell(f"{stubborn}; {loop}"), shell(f"{polite}; {loop}")
    with between(*stages).spawn() as running:
        until(ready.exists)
        time.sleep(0.05)  # for the other trap; without it SIGTERM ends that stage as well
        begin = time.monotonic()
        statuses = running.cancel(0.1)
        assert time.monotonic() - begin >= 0.1
        assert signals(statuses)[:2] == [signal.SIGTERM, signal.SIGKILL]
        assert running.cancel(0.1) == running.wait() == running.statuses == statuses


def test_cancelling_what_has_ended_reports_how_it_ended() -> None:
    running = between(shell("exit 1"), shell("exit 2")).spawn()
    until(lambda: running.poll() is not None)
    assert codes(running.cancel(60)) == [1, 2]


def test_cancelling_reaches_who_communicates_in_another_thread() -> None:
    running = piped(["cat"], ["sleep", "1000"], ["cat"]).spawn()
    with Waiting(lambda: running.communicate(bytes(1 << 20))) as talking:
        with Waiting(running.wait) as waiting:
            statuses = running.cancel(60)
    assert isinstance(talking.result, unipc.PipelineOutput)
    assert talking.result.statuses == waiting.result == statuses
    assert signals(statuses)[1] == signal.SIGTERM


def test_a_stopped_stage_is_cancelled_too() -> None:
    with between(*cats(3), stdin=PIPE).spawn() as running:
        running.signal(signal.SIGSTOP)
        assert signals(running.cancel(60)) == [signal.SIGTERM] * 3


def test_cancelling_a_group_ends_the_children_of_the_stages() -> None:
    # The end of file comes when the last process that has the pipe is gone, the sleepers too.
    stages = shell("echo; sleep 1000 2>&1 & wait"), shell("sleep 1000 & cat; wait")
    with piped(*stages, stdin=NULL, group="own").spawn() as running:
        assert running.stdout is not None
        assert running.stdout.read(1) == b"\n"
        running.cancel(60)
        assert running.stdout.read() == b""


def test_all_stages_of_a_group_are_in_it_and_the_host_is_not() -> None:
    line = shell("exec cut -d ' ' -f 5 /proc/self/stat >&2")
    with piped(*[line] * 4, stderr="apart", group="own").spawn() as running:
        first = running.stages[0].pid
        output = running.communicate()
    assert [int(group) for group in output.stderr] == [first] * 4
    assert os.getpgrp() != first


def test_no_stage_has_an_end_that_is_another_ones() -> None:
    line = shell("ls /proc/self/fd >&2; cat")
    with piped(*[line] * 4, stderr="apart").spawn() as running:
        output = running.communicate()
    assert [errors.split() for errors in output.stderr] == [[b"0", b"1", b"2", b"3"]] * 4


def test_a_block_closes_the_pipes_and_waits() -> None:
    with piped(*cats(3), stderr="apart").spawn() as running:
        ends = (running.stdin, running.stdout, *running.stderr)
    assert len(ends) == 5
    assert all(end is not None and end.closed for end in ends)
    assert running.statuses is not None
    with pytest.raises(KeyboardInterrupt):
        with between(["sleep", "1000"], ["cat"]).spawn() as running:
            raise KeyboardInterrupt
    assert running.poll() is None
    running.cancel(60)


def test_dropping_a_running_pipeline_warns_and_kills_nobody(tmp_path: Path) -> None:
    path = tmp_path / "file"
    line = shell(f"cat; sleep 0.05; echo done > {path}")
    running = between(["cat"], line).spawn()
    with pytest.warns(ResourceWarning, match="nobody waited for <unipc.RunningPipeline cat"):
        del running
    until(lambda: path.exists() and path.read_text() == "done\n")
    until(lambda: not has_keeper())
    between(["true"], ["true"]).spawn().detach()


def test_a_pipeline_is_started_as_often_as_is_wanted() -> None:
    pipeline = piped(shell("cat; echo one"), shell("cat; echo two"))
    for _ in range(3):
        with pipeline.spawn() as running:
            assert running.communicate(b"zero\n").stdout == b"zero\none\ntwo\n"
    one = pipeline.spawn()
    with pipeline.spawn() as other, one:
        assert other.communicate().stdout == b"one\ntwo\n"


def test_where_the_host_ignores_sigchld_the_output_comes_and_the_statuses_are_an_error() -> None:
    code = """if True:
        import signal, unipc
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        pipeline = unipc.Pipeline(["echo", "kept"], ["cat"], stdout=unipc.PIPE)
        running = pipeline.spawn()
        try:
            running.communicate()
        except ChildProcessError as error:
            print(error.stdout)
    """
    with unipc.spawn([sys.executable, "-W", "error", "-c", code], stdout=PIPE) as host:
        output = host.communicate()
    assert output.status.success
    assert output.stdout == b"b'kept\\n'\n"


def test_no_descriptor_to_be_had_is_an_error_and_leaves_nothing() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(number) for number in os.listdir("/proc/self/fd")}
    free = [number for number in range(200) if number not in used]
    refused = []
    for room in range(0, 40, 3):
        with leaving_nothing():
            resource.setrlimit(resource.RLIMIT_NOFILE, (free[room], limits[1]))
            try:
                running = piped(*cats(4), stderr="merged").spawn()
            except OSError as error:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                refused.append(error.errno)
            else:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                with running:
                    del running
    assert set(refused) == {errno.EMFILE}
    assert len(refused) < 14


def test_a_thousand_stages_leak_nothing() -> None:
    for _ in range(250):
        with piped(*cats(4), stderr="apart").spawn() as running:
            assert running.communicate(b"x").stdout == b"x"
