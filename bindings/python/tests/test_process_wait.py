"""Waiting for children, signalling them, ending them, letting them go."""

import asyncio
import os
import pickle
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

import unipc
from support import Waiting, children, leaving_nothing, python, until
from unipc import NULL, PIPE, Child, Status, shell, spawn

pytestmark = pytest.mark.usefixtures("no_traces")


def sleeper(**options: Any) -> Child:
    return spawn(["sleep", "60"], **options)


def ready(line: str, **options: Any) -> Child:
    """One that runs `line`, has said that it is ready, and goes on for ever."""
    child = spawn(shell(f"{line}; echo ready; while :; do sleep 60; done"), stdout=PIPE, **options)
    assert child.stdout is not None
    assert child.stdout.read_full(6) == b"ready\n"
    child.stdout.close()
    return child


def has_ended(child: Child) -> bool:
    with selectors.PollSelector() as selector:
        selector.register(child, selectors.EVENT_READ)
        return bool(selector.select(0))


def state(pid: int) -> str | None:
    """What the kernel says of a process: R, S, T (stopped), Z; None of none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ")[1][0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def test_an_exit_and_a_signal_are_told_apart() -> None:
    status = spawn(shell("exit 143")).wait()
    assert (status.code, status.signal, status.success) == (143, None, False)
    assert (str(status), repr(status)) == ("exited with 143", "<unipc.Status exited with 143>")
    assert (status.returncode, status.shell_code) == (143, 143)
    status = spawn(shell("kill -TERM $$")).wait()
    assert (status.code, status.signal, status.success) == (None, 15, False)
    assert (str(status), status.returncode, status.shell_code) == ("killed by SIGTERM", -15, 143)
    assert status.signal == signal.SIGTERM
    assert spawn(["true"]).wait().success
    assert str(spawn(shell("kill -40 $$")).wait()) == "killed by signal 40"


@pytest.mark.parametrize("line", ["exit 0", "exit 1", "exit 255", "kill -KILL $$", "kill -HUP $$"])
def test_a_status_says_what_subprocess_and_waitpid_say(line: str) -> None:
    status = spawn(shell(line)).wait()
    assert status.returncode == subprocess.run(line, shell=True).returncode
    assert os.waitstatus_to_exitcode(status.raw) == int(status) == status.returncode
    assert Status.from_raw(status.raw) == status
    assert pickle.loads(pickle.dumps(status)) == status


def test_a_status_equals_what_says_the_same() -> None:
    three, killed = Status.from_raw(0x300), Status.from_raw(9)
    assert three == 3 == three
    assert killed == -9
    assert three != killed
    assert three != "3"
    assert {three, Status.from_raw(0x300), 3} == {3}
    assert hash(killed) == hash(-9)
    dumped = Status.from_raw(0x86)
    assert (dumped.core_dumped, dumped.signal) == (True, 6)
    assert str(dumped) == "killed by SIGABRT (core dumped)"


def test_a_status_is_neither_true_nor_false() -> None:
    for raw in (0, 0x300):
        with pytest.raises(TypeError, match="success or its returncode"):
            bool(Status.from_raw(raw))


def test_a_status_stays_known_and_every_waiter_gets_it() -> None:
    child = spawn(shell("sleep 0.1; exit 5"))
    assert child.status is None
    with Waiting(child.wait) as one, Waiting(lambda: child.wait(30)) as other:
        assert child.wait().code == 5
    assert one.result == other.result == child.wait(0) == child.poll() == child.status == 5


def test_a_wait_ends_with_its_timeout_and_the_child_runs_on() -> None:
    with sleeper() as child:
        begin = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            child.wait(0.05)
        assert time.monotonic() - begin >= 0.05
        assert caught.value.filename == "sleep"
        with pytest.raises(TimeoutError):
            child.wait(timeout=1e-9)
        with pytest.raises(BlockingIOError):
            child.wait(0)
        assert child.poll() is None
        assert child.status is None
        child.kill()
        assert child.wait(60) == -9


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_is_a_time(timeout: float) -> None:
    with spawn(["true"]) as child:
        with pytest.raises(ValueError, match="timeout must be None or a number of seconds"):
            child.wait(timeout)


def test_a_timeout_that_is_over_still_finds_who_has_ended() -> None:
    child = spawn(shell("exit 4"))
    until(lambda: has_ended(child))
    assert child.wait(0).code == 4


def test_a_child_is_polled_beside_other_descriptors() -> None:
    reader, writer = unipc.pipe()
    with sleeper() as child, reader, writer, selectors.DefaultSelector() as selector:
        selector.register(child, selectors.EVENT_READ)
        selector.register(reader, selectors.EVENT_READ)
        assert selector.select(0.01) == []
        child.kill()
        assert [key.fileobj for key, _ in selector.select()] == [child]
        child.wait()
        assert [key.fileobj for key, _ in selector.select()] == [child]


def test_an_event_loop_waits_for_a_child() -> None:
    async def main() -> Status:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Status] = loop.create_future()
        child = spawn(shell("sleep 0.05; exit 3"))

        def tell() -> None:
            loop.remove_reader(child)
            ended.set_result(child.wait())

        loop.add_reader(child, tell)
        assert not ended.done()
        return await ended

    assert asyncio.run(main()).code == 3


def test_an_event_loop_communicates_in_a_thread_of_its_own() -> None:
    async def main() -> unipc.Output:
        with spawn(["cat"], stdin=PIPE, stdout=PIPE) as child:
            return await asyncio.to_thread(child.communicate, b"hello")

    assert asyncio.run(main()).stdout == b"hello"


def test_a_signal_reaches_the_child_and_after_the_wait_nobody() -> None:
    child = sleeper()
    child.signal(0)
    with pytest.raises(OSError, match="there is no signal 1000"):
        child.signal(1000)
    with pytest.raises(ValueError, match="signal must be 1 to 64"):
        child.signal(1 << 40)
    child.signal(signal.SIGUSR1)
    until(lambda: has_ended(child))
    child.signal(signal.SIGTERM)  # to a zombie: without effect
    assert child.wait().signal == signal.SIGUSR1
    with pytest.raises(ProcessLookupError, match="it has ended, and was waited for"):
        child.signal(signal.SIGTERM)
    child.kill()


def test_a_group_is_signalled_whole() -> None:
    reader, writer = unipc.pipe()
    with reader:
        child = spawn(shell("sleep 60 | sleep 60"), stderr=writer, group="own")
        child.signal_group(signal.SIGKILL)
        assert child.wait() == -9
        assert reader.read() == b""  # nobody holds the other end
    with sleeper() as alone:
        with pytest.raises(OSError, match="it leads no group of its own"):
            alone.signal_group(signal.SIGTERM)
        alone.kill()


def test_who_ends_when_asked_is_not_killed() -> None:
    child = spawn(
        shell("trap 'exit 3' TERM; echo ready; while read word; do :; done"),
        stdin=PIPE,
        stdout=PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.read_full(6) == b"ready\n"
        assert child.terminate(60).code == 3
        assert child.terminate(0).code == 3
    child = spawn(["true"])
    until(lambda: has_ended(child))
    assert child.terminate(60).success


def test_who_does_not_end_when_asked_is_killed_after_the_grace() -> None:
    child = ready("trap '' TERM", group="own")
    begin = time.monotonic()
    assert child.terminate(0.05) == -9
    assert time.monotonic() - begin >= 0.05
    assert ready("trap '' TERM", group="own").terminate(0) == -9
    with spawn(["true"]) as child:
        for grace in (-1, float("nan")):
            with pytest.raises(ValueError, match="from 0 on"):
                child.terminate(grace)


def test_a_handler_that_returns_does_not_shorten_the_grace() -> None:
    child = ready("trap '' TERM", group="own")
    count = 0

    def handler(number: int, frame: object) -> None:
        nonlocal count
        count += 1

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        begin = time.monotonic()
        assert child.terminate(0.2) == -9
        assert time.monotonic() - begin >= 0.2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert count >= 2


def test_who_is_stopped_is_asked_as_well() -> None:
    child = sleeper()
    child.signal(signal.SIGSTOP)
    until(lambda: state(child.pid) == "T")
    assert child.terminate(60) == -15


def test_a_block_waits_and_closes_the_pipes() -> None:
    with spawn(["cat"], stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:
        ends = (child.stdin, child.stdout, child.stderr)
    assert child.status == 0
    assert all(end is not None and end.closed for end in ends)
    with pytest.raises(ZeroDivisionError), spawn(shell("sleep 0.05; exit 3")) as child:
        raise ZeroDivisionError
    assert child.status is not None
    assert child.status.code == 3


def test_a_block_that_ctrl_c_ends_does_not_wait_for_ever() -> None:
    with pytest.raises(KeyboardInterrupt), sleeper() as child:
        raise KeyboardInterrupt
    assert child.status is None
    assert child.poll() is None
    child.kill()
    child.wait()
    child = spawn(["true"])
    until(lambda: has_ended(child))
    with pytest.raises(KeyboardInterrupt), child:
        raise KeyboardInterrupt
    assert child.status == 0


def test_a_child_that_is_dropped_runs_on_with_a_warning_and_is_no_zombie_afterwards() -> None:
    reader, writer = unipc.pipe()
    theirs, hold = unipc.pipe()
    with reader, hold:
        child = spawn(shell("read word; echo lived $word"), stdin=theirs, stdout=writer)
        pid = child.pid
        with pytest.warns(ResourceWarning, match=f"nobody waited for <unipc.Child .*{pid}>"):
            del child
        assert state(pid) not in (None, "Z")
        hold.write(b"on\n")
        assert reader.read() == b"lived on\n"
        until(lambda: state(pid) is None)


def test_a_child_that_had_ended_is_reaped_by_the_drop() -> None:
    child = spawn(["true"])
    pid = child.pid
    until(lambda: state(pid) == "Z")
    with pytest.warns(ResourceWarning, match="nobody waited"):
        del child
    assert state(pid) is None


def test_a_detached_child_runs_on_without_a_warning() -> None:
    reader, writer = unipc.pipe()
    with reader:
        spawn(shell("sleep 0.05; echo lived"), stdout=writer).detach()
        assert reader.read() == b"lived\n"


def test_a_program_may_end_while_detached_children_run() -> None:
    code = """if True:
        import unipc
        for _ in range(3):
            unipc.spawn(unipc.shell("sleep 0.3; echo lived")).detach()
        print("ended", flush=True)
    """
    with python(code) as program:
        out, errors = program.communicate()
    assert (program.returncode, errors) == (0, "")
    assert out == "ended\n" + "lived\n" * 3


def test_a_child_that_was_waited_for_warns_of_nothing() -> None:
    for wait in (Child.wait, Child.communicate, lambda child: child.terminate(0)):
        wait(spawn(["true"]))
    child = spawn(["true"])
    until(lambda: child.poll() is not None)


def test_a_forked_process_has_no_duty_to_wait() -> None:
    with sleeper() as child:
        forked = os.fork()
        if forked == 0:
            try:
                held = [child]
                del child
                with pytest.raises(ChildProcessError):
                    held[0].wait()
                held.clear()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
        assert child.poll() is None
        child.kill()


HOST = """if True:
    import errno, os, signal, sys, unipc
    def lost(call):
        try:
            call()
        except ChildProcessError as error:
            assert error.errno == errno.ECHILD
            return str(error)
        raise AssertionError("the status is known")
    if sys.argv[1] == "ignores":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for _ in range(20):
            children = [unipc.spawn(["true"]) for _ in range(4)]
            lost(children[0].wait)
            lost(lambda: children[1].wait(30))
            lost(children[2].communicate)
            try:
                with children[3]:
                    pass
            except ChildProcessError:
                pass
        running = unipc.spawn(["sleep", "60"])
        lost(lambda: running.terminate(30))
        print(lost(unipc.spawn(["true"]).wait))
    else:
        child = unipc.spawn(unipc.shell("exit 3"))
        assert os.wait() == (child.pid, 0x300)
        lost(lambda: child.wait(30))
        lost(child.poll)
        print(lost(child.wait))
"""


@pytest.mark.parametrize("kind", ["ignores", "reaps"])
def test_a_host_that_loses_the_status_is_told_so_and_hangs_nowhere(kind: str) -> None:
    with spawn([sys.executable, "-W", "error", "-c", HOST, kind], stdout=PIPE) as host:
        output = host.communicate()
    assert output.status.success
    assert b"its status is lost: this process ignores SIGCHLD, or waited for it" in output.stdout


def test_a_child_says_what_it_is() -> None:
    with spawn(["true"]) as child:
        assert repr(child).startswith(f"<unipc.Child true, process {child.pid}")
        child.wait()
        assert repr(child) == f"<unipc.Child true, process {child.pid}, exited with 0>"
        assert weakref.ref(child)() is child


def test_what_belongs_to_this_process_cannot_be_pickled() -> None:
    with spawn(["true"]) as child, unipc.Pipeline(["true"]).spawn() as running:
        for thing in (child, running, shell("true"), unipc.Pipeline(["true"])):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(thing)


def test_what_is_spawned_is_made_by_spawn_alone() -> None:
    for kind in (Child, Status, unipc.RunningPipeline, unipc.Statuses):
        make: Any = kind
        with pytest.raises(TypeError):
            make()


def test_dropping_while_others_are_dropped_loses_nobody() -> None:
    def start() -> None:
        for number in range(100):
            child = spawn(["true"], stdin=NULL)
            if number % 3 == 0:
                child.wait()
            else:
                child.detach()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_counting_of_children_sees_one() -> None:
    living = children()
    with pytest.raises(AssertionError), leaving_nothing():
        unseen = os.open("/dev/null", os.O_RDONLY)
    os.close(unseen)
    with sleeper() as child:
        assert children() - living == {str(child.pid)}
        child.kill()
