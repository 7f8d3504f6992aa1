"""Message queues: order, bounds, waiting, attributes, notification."""

import array
import errno
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import unipc
from conftest import Engine, Namer
from support import Waiting
from unipc import Message, Queue, QueueAttributes


def test_the_highest_priority_comes_first_and_within_one_the_oldest(queue: Queue) -> None:
    queue.send(b"low")
    queue.send(b"high 1", 9)
    queue.send(b"middle", priority=5)
    queue.send(b"high 2", unipc.PRIORITY_MAX)
    assert [queue.receive().data for _ in range(4)] == [b"high 2", b"high 1", b"middle", b"low"]


def test_a_message_is_a_named_tuple(queue: Queue) -> None:
    queue.send(b"text", 3)
    message = queue.receive()
    assert message == (b"text", 3) == Message(b"text", 3)
    assert hash(message) == hash((b"text", 3))
    assert (message.data, message.priority) == (b"text", 3)
    data, priority = message
    assert (data, priority) == (b"text", 3)
    assert repr(message) == "Message(data=b'text', priority=3)"
    assert message._replace(priority=4).priority == 4


def test_messages_are_whole_and_may_be_empty(queue: Queue) -> None:
    queue.send(b"")
    queue.send(bytes(64))
    assert queue.receive() == (b"", 0)
    assert queue.receive() == (bytes(64), 0)


def test_what_does_not_fit_is_refused_with_the_size(queue: Queue) -> None:
    with pytest.raises(OSError, match="65 bytes exceeds the queue's message size of 64") as caught:
        queue.send(bytes(65))
    assert caught.value.errno == errno.EMSGSIZE
    with pytest.raises(OSError, match="priority 32768 exceeds 32767") as caught:
        queue.send(b"x", unipc.PRIORITY_MAX + 1)
    assert caught.value.errno == errno.EINVAL
    for priority in (-1, 2**32, 2**80):
        with pytest.raises(ValueError, match="priority must be 0 to 32767"):
            queue.send(b"x", priority)
    assert len(queue) == 0


def test_a_short_buffer_leaves_the_message_in_the_queue(queue: Queue) -> None:
    queue.send(b"stays", 7)
    with pytest.raises(OSError, match="64 bytes are needed") as caught:
        queue.receive_into(bytearray(63))
    assert caught.value.errno == errno.EMSGSIZE
    buffer = bytearray(70)
    assert queue.receive_into(buffer) == (5, 7)
    assert buffer[:6] == b"stays\0"


def test_long_messages_come_whole(name: str, engine: Engine) -> None:
    with Queue.create(name, 1, 5000, engine=engine) as queue:
        data = os.urandom(5000)
        queue.send(data)
        assert queue.receive().data == data


def test_a_timeout_of_zero_does_not_wait(queue: Queue) -> None:
    with pytest.raises(BlockingIOError, match="empty"):
        queue.receive(timeout=0)
    for _ in range(4):
        queue.send(b"x", timeout=0)
    with pytest.raises(BlockingIOError, match="full"):
        queue.send(b"x", timeout=0)


def test_timeouts_and_deadlines_end_a_wait_no_earlier(queue: Queue) -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        queue.receive(timeout=0.1)
    assert time.monotonic() - begin >= 0.1
    deadline = time.time() + 0.1
    with pytest.raises(TimeoutError):
        queue.receive(deadline=deadline)
    assert time.time() >= deadline
    for _ in range(4):
        queue.send(b"x")
    for past in (time.time() - 1, 0, -5):
        with pytest.raises(TimeoutError):
            queue.send(b"x", deadline=past)
        assert queue.receive(deadline=past).data == b"x"
        queue.send(b"x", deadline=past)


def test_a_timeout_and_a_deadline_exclude_each_other(queue: Queue) -> None:
    with pytest.raises(ValueError, match="not both"):
        queue.receive(timeout=1, deadline=1)
    with pytest.raises(ValueError, match="nan"):
        queue.receive(deadline=float("nan"))


def test_what_is_there_is_received_whatever_the_timeout(queue: Queue) -> None:
    for timeout in (None, 0, 1e-9, 1, 1e300, float("inf")):
        queue.send(b"x", timeout=timeout)
        assert queue.receive(timeout=timeout) == (b"x", 0)


@pytest.mark.parametrize("keyword", [{}, {"timeout": 60.0}, {"deadline": time.time() + 3600}])
def test_a_waiting_receiver_gets_the_message(queue: Queue, keyword: dict[str, float]) -> None:
    with Waiting(lambda: queue.receive(**keyword)) as waiting:
        queue.send(b"at last")
    assert waiting.result == (b"at last", 0)


@pytest.mark.parametrize("keyword", [{}, {"timeout": 60.0}, {"deadline": time.time() + 3600}])
def test_a_waiting_sender_gets_the_room(queue: Queue, keyword: dict[str, float]) -> None:
    for _ in range(4):
        queue.send(b"first")
    with Waiting(lambda: queue.send(b"last", 0, **keyword)) as waiting:
        assert queue.receive().data == b"first"
    assert waiting.error is None
    assert len(queue) == 4


def test_creating_what_exists_is_refused(queue: Queue) -> None:
    with pytest.raises(FileExistsError):
        Queue.create(queue.name, engine=queue.engine)


def test_open_or_create_tells_which_it_did(name: str, engine: Engine) -> None:
    for expected in (True, False):
        queue, created = Queue.open_or_create(name, 2, 16, engine=engine)
        with queue:
            assert created is expected
            assert (queue.max_messages, queue.message_size) == (2, 16)


def test_another_handle_finds_the_queue_by_its_name(queue: Queue) -> None:
    queue.send(b"x")
    with Queue.open(queue.name, engine=queue.engine) as other:
        assert (other.max_messages, other.message_size) == (4, 64)
        assert other.receive().data == b"x"


def test_unlink_removes_the_name_and_not_the_handles(queue: Queue) -> None:
    Queue.unlink(queue.name)
    queue.send(b"x")
    assert queue.receive().data == b"x"
    with pytest.raises(FileNotFoundError):
        Queue.open(queue.name, engine=queue.engine)
    with pytest.raises(FileNotFoundError):
        Queue.unlink(queue.name)


def test_leaving_a_with_block_closes_and_does_not_unlink(name: str, engine: Engine) -> None:
    with Queue.create(name, 1, 16, engine=engine) as queue:
        queue.send(b"kept")
    assert queue.closed
    with Queue.open(name, engine=engine) as queue:
        assert queue.receive().data == b"kept"


def test_access_is_what_was_asked_for(queue: Queue) -> None:
    with Queue.open(queue.name, access="write-only", engine=queue.engine) as sender:
        sender.send(b"x")
        with pytest.raises(OSError, match="sending only") as caught:
            sender.receive()
        assert caught.value.errno == errno.EBADF
    with Queue.open(queue.name, access="read-only", engine=queue.engine) as receiver:
        assert receiver.receive().data == b"x"
        with pytest.raises(OSError, match="receiving only"):
            receiver.send(b"x")


def test_unknown_words_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="access must be 'read-write' or 'read-only'"):
        Queue.create(name, access="rw")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'kernel' is no engine; there is: posix, shm"):
        Queue.create(name, engine="kernel")  # type: ignore[arg-type]


def test_a_refused_size_names_the_limit(name: str, engine: Engine) -> None:
    with pytest.raises(ValueError, match="from 0 to"):
        Queue.create(name, -1, engine=engine)
    with pytest.raises(OSError, match="0 messages holds nothing") as caught:
        Queue.create(name, 0, 64, engine=engine)
    assert caught.value.errno == errno.EINVAL
    if engine == "posix":
        with pytest.raises(OSError, match=r"fs\.mqueue\.msg_max|RLIMIT_MSGQUEUE") as caught:
            Queue.create(name, 1000, 8192)
        assert caught.value.errno in (errno.EMFILE, errno.EINVAL)
    else:
        with pytest.raises(OSError, match=r"need \d+ bytes of /dev/shm") as caught:
            Queue.create(name, 1 << 20, 1 << 24, engine=engine)
        assert caught.value.errno in (errno.ENOSPC, errno.ENOMEM)
    with pytest.raises(FileNotFoundError):
        Queue.open(name, engine=engine)


def test_the_umask_applies_to_a_mode_and_not_to_an_exact_one(
    new_name: Namer, engine: Engine
) -> None:
    before = os.umask(0o027)
    try:
        masked = Queue.create(new_name(), 1, 16, mode=0o666, engine=engine)
        exact = Queue.create(new_name(), 1, 16, exact_mode=0o666, engine=engine)
    finally:
        os.umask(before)
    with masked, exact:
        for queue, mode in ((masked, 0o640), (exact, 0o666)):
            file = f"/dev/shm/unipc.queue.{queue.name[1:]}" if engine == "shm" else queue.fileno()
            assert stat.S_IMODE(os.stat(file).st_mode) == mode


def test_the_length_is_the_number_of_messages_and_an_empty_queue_is_true(queue: Queue) -> None:
    assert len(queue) == 0
    assert queue
    queue.send(b"x")
    assert len(queue) == 1


def test_attributes_are_those_of_now(queue: Queue, engine: Engine) -> None:
    assert queue.engine == engine
    queue.send(b"x")
    assert queue.attributes == QueueAttributes(4, 64, 1, False)
    queue.nonblocking = True
    assert queue.attributes.nonblocking
    assert queue.name.startswith("/unipc-py-")


def test_a_nonblocking_queue_does_not_wait(queue: Queue) -> None:
    with Queue.open(queue.name, nonblocking=True, engine=queue.engine) as handle:
        for timeout in (None, 10):
            with pytest.raises(BlockingIOError):
                handle.receive(timeout=timeout)
        assert not queue.nonblocking


def test_the_descriptor_is_readable_while_messages_are_there(queue: Queue) -> None:
    assert select.select([queue], [queue], [], 0) == ([], [queue], [])
    for _ in range(4):
        queue.send(b"x")
    assert select.select([queue], [queue], [], 0) == ([queue], [], [])


def test_a_callback_is_called_once_on_another_thread(queue: Queue) -> None:
    called = threading.Event()
    threads: list[int] = []

    def callback() -> None:
        threads.append(threading.get_ident())
        called.set()

    queue.notify(callback)
    with pytest.raises(OSError, match="registered") as caught:
        queue.notify(callback)
    assert caught.value.errno == errno.EBUSY
    queue.send(b"one")
    queue.send(b"two")
    called.wait()
    assert threads != [threading.get_ident()]
    while queue.attributes.queued:
        queue.receive()
    queue.send(b"three")
    assert len(threads) == 1


def test_a_callback_may_register_itself_anew(queue: Queue) -> None:
    received: list[bytes] = []
    done = threading.Event()

    def callback() -> None:
        queue.notify(callback)
        received.append(queue.receive().data)
        if len(received) == 3:
            queue.cancel_notify()
            done.set()

    queue.notify(callback)
    for number in range(3):
        while len(received) < number:
            time.sleep(0.001)
        queue.send(b"%d" % number)
    done.wait()
    assert received == [b"0", b"1", b"2"]


def test_no_callback_runs_once_the_cancellation_has_returned(queue: Queue) -> None:
    for _ in range(50):
        begun, ended = threading.Event(), threading.Event()

        def callback(begun: threading.Event = begun, ended: threading.Event = ended) -> None:
            begun.set()
            time.sleep(0.001)  # the GIL is free, and the cancellation could return
            ended.set()

        queue.notify(callback)
        queue.send(b"x")
        queue.cancel_notify()
        assert ended.is_set() == begun.is_set()
        queue.receive()


def test_a_cancelled_callback_is_not_called(queue: Queue) -> None:
    calls: list[str] = []
    queue.notify(lambda: calls.append("cancelled"))
    queue.cancel_notify()
    queue.cancel_notify()
    called = threading.Event()
    queue.notify(called.set)
    queue.send(b"x")
    called.wait()
    assert calls == []


def test_what_a_callback_raises_is_reported(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = threading.Event()
    errors: list[BaseException | None] = []

    def hook(unraisable: object) -> None:
        errors.append(getattr(unraisable, "exc_value"))  # noqa: B009
        reported.set()

    monkeypatch.setattr("sys.unraisablehook", hook)
    queue.notify(lambda: 1 / 0)
    queue.send(b"x")
    reported.wait()
    assert isinstance(errors[0], ZeroDivisionError)


EXIT = """if True:
    import sys, time, unipc
    queue = unipc.Queue.open(sys.argv[1], engine=sys.argv[4])
    running = unipc.pipe()

    def naps():
        for _ in range(100):
            time.sleep(0.001)

    def naps_for_ever():
        while True:
            time.sleep(0.001)

    def computes_for_ever():
        while True:
            pass

    def waits_in_short():
        while True:
            try:
                reader.read(1, timeout=0.001)
            except TimeoutError:
                pass

    def waits_for_ever():
        reader.read(1)

    def callback():
        running[1].write(b"x")
        globals()[sys.argv[2]]()

    reader, writer = unipc.pipe()
    queue.notify(callback)
    if sys.argv[2] != "is_not_called":
        queue.send(b"x")
        running[0].read(1)
    if sys.argv[3] == "late":
        time.sleep(0.05)

    class Slow:
        def __del__(self):
            time.sleep(0.2)  # the interpreter is ending, and other threads want it

    sys.slow = Slow()
"""


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize(
    "callback",
    [
        "is_not_called",
        "naps",
        "naps_for_ever",
        "computes_for_ever",
        "waits_in_short",
        "waits_for_ever",
    ],
)
def test_a_program_may_end_while_a_callback_runs(queue: Queue, callback: str, when: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", EXIT, queue.name, callback, when, queue.engine]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_handler_ends_the_wait_for_a_callback(queue: Queue) -> None:
    class Interrupted(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise Interrupted

    begun, end, ended = threading.Event(), threading.Event(), threading.Event()

    def callback() -> None:
        begun.set()
        end.wait()
        ended.set()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        queue.notify(callback)
        queue.send(b"x")
        begun.wait()
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(Interrupted):
            queue.cancel_notify()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        end.set()
    queue.cancel_notify()
    assert ended.is_set()


def test_callbacks_that_cancel_do_not_wait_for_each_other(queue: Queue) -> None:
    meeting = threading.Barrier(2)
    done: list[int] = []

    def second() -> None:
        meeting.wait()
        queue.cancel_notify()
        done.append(2)

    def first() -> None:
        queue.receive()
        queue.notify(second)
        queue.send(b"x")
        meeting.wait()
        queue.cancel_notify()
        done.append(1)

    queue.notify(first)
    queue.send(b"x")
    while len(done) < 2:
        time.sleep(0.001)
    queue.cancel_notify()


def test_signals_do_not_go_to_the_thread_of_a_callback(queue: Queue) -> None:
    masks: list[set[int]] = []
    called = threading.Event()

    def callback() -> None:
        masks.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
        called.set()

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    queue.notify(callback)
    queue.send(b"x")
    called.wait()
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1} <= masks[0]
    assert signal.SIGSEGV not in masks[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_made_by_fork_waits_for_no_callback_of_its_parent(queue: Queue) -> None:
    begun, end = threading.Event(), threading.Event()

    def callback() -> None:
        begun.set()
        end.wait()

    queue.notify(callback)
    queue.send(b"x")
    begun.wait()
    try:
        child = os.fork()
        if child == 0:
            queue.cancel_notify()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        end.set()


def test_only_callables_are_called_back(queue: Queue) -> None:
    with pytest.raises(TypeError, match="callable"):
        queue.notify("no function")  # type: ignore[arg-type]


def test_a_signal_tells_of_a_message(queue: Queue) -> None:
    # In a process with one thread, for a signal to a process goes to whichever does not block it.
    code = """if True:
        import signal, sys, unipc
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        with unipc.Queue.open(sys.argv[1], engine=sys.argv[2]) as queue:
            queue.notify_signal(signal.SIGUSR1, 42)
            queue.send(b"x")
            assert signal.sigwaitinfo([signal.SIGUSR1]).si_code == -3  # SI_MESGQ
    """
    subprocess.run([sys.executable, "-c", code, queue.name, queue.engine], check=True, timeout=60)
    assert queue.receive().data == b"x"
    with pytest.raises(OSError, match="1000 is no signal") as caught:
        queue.notify_signal(1000)
    assert caught.value.errno == errno.EINVAL


def test_receivers_that_compete_get_each_message_once(queue: Queue) -> None:
    received: list[bytes] = []

    def receive() -> None:
        while data := queue.receive().data:
            received.append(data)

    threads = [threading.Thread(target=receive) for _ in range(4)]
    for thread in threads:
        thread.start()
    sent = [b"%d" % number for number in range(500)]
    for data in sent:
        queue.send(data, 1)
    for _ in threads:
        queue.send(b"")
    for thread in threads:
        thread.join()
    assert sorted(received) == sorted(sent)


def test_a_waiting_receiver_in_the_kernel_takes_the_message_before_a_notification(
    queue: Queue,
) -> None:
    calls: list[int] = []
    with Waiting(queue.receive) as waiting:
        queue.notify(lambda: calls.append(1))
        queue.send(b"for the waiter")
    assert waiting.result == (b"for the waiter", 0)
    assert calls == []
    queue.cancel_notify()


def test_a_message_can_be_received_into_shared_memory(queue: Queue) -> None:
    with unipc.Memory.anonymous(4096) as memory:
        queue.send(array.array("d", [1.5, 2.5]))
        with memoryview(memory) as view:
            assert queue.receive_into(view[64:128]) == (16, 0)
            assert view[64:80].cast("d").tolist() == [1.5, 2.5]


def test_a_queue_is_in_dev_shm_as_long_as_it_has_a_name(queue: Queue) -> None:
    def files() -> list[str]:
        return [path.name for path in Path("/dev/shm").glob(f"*unipc-py-{os.getpid()}-*")]

    assert files() == ([f"unipc.queue.{queue.name[1:]}"] if queue.engine == "shm" else [])
    Queue.unlink(queue.name)
    assert files() == []


def test_a_name_is_that_of_one_queue_whatever_the_engine(queue: Queue) -> None:
    other: Engine = "posix" if queue.engine == "shm" else "shm"
    with pytest.raises(FileExistsError, match=f"on engine {queue.engine}"):
        Queue.create(queue.name, 1, 16, engine=other)
    for call in (Queue.open, Queue.open_or_create):
        with pytest.raises(OSError, match=f"open it with engine {queue.engine}") as caught:
            call(queue.name, engine=other)
        assert caught.value.errno == errno.EINVAL


def test_many_are_sent_as_far_as_there_is_room(queue: Queue) -> None:
    sent = [b"%d" % number for number in range(7)]
    assert queue.send_many(sent[:3]) == 3
    assert queue.send_many(iter(sent[3:]), 0, timeout=3600) == 1
    with pytest.raises(BlockingIOError, match="full"):
        queue.send_many(sent[4:], timeout=0)
    with pytest.raises(TimeoutError):
        queue.send_many(sent[4:], deadline=time.time())
    assert [queue.receive().data for _ in range(4)] == sent[:4]
    assert queue.send_many([], timeout=0) == 0


def test_many_are_received_as_far_as_there_are(queue: Queue) -> None:
    assert queue.send_many([b"low", bytearray(b"lower")]) == 2
    assert queue.send_many([memoryview(b"high")], priority=9) == 1
    messages = queue.receive_many(2)
    assert messages == [Message(b"high", 9), Message(b"low", 0)]
    assert isinstance(messages[0], Message)
    assert queue.receive_many(10, timeout=3600) == [(b"lower", 0)]
    assert queue.receive_many(0) == []
    with pytest.raises(BlockingIOError, match="empty"):
        queue.receive_many(10, timeout=0)
    with pytest.raises(TimeoutError):
        queue.receive_many(10, timeout=0.01)


def test_many_wait_for_the_first_alone(queue: Queue) -> None:
    with Waiting(lambda: queue.receive_many(4)) as waiting:
        queue.send(b"the first")
    assert waiting.result == [(b"the first", 0)]
    for _ in range(4):
        queue.send(b"x")
    with Waiting(lambda: queue.send_many([b"1", b"2"])) as waiting:
        queue.receive()
    assert waiting.result == 1


def test_what_cannot_be_sent_stops_the_others_behind_it(queue: Queue) -> None:
    with pytest.raises(TypeError):
        queue.send_many([b"fits", "text"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        queue.send_many(None)  # type: ignore[arg-type]
    assert len(queue) == 0
    assert queue.send_many([b"fits", bytes(65), b"fits"]) == 1
    with pytest.raises(OSError, match="65 bytes") as caught:
        queue.send_many([bytes(65), b"fits"])
    assert caught.value.errno == errno.EMSGSIZE
    with pytest.raises(OSError, match="priority 32768"):
        queue.send_many([b"fits"], unipc.PRIORITY_MAX + 1)
    with pytest.raises(ValueError, match="from 0 to"):
        queue.receive_many(-1)
    assert queue.receive_many(9) == [(b"fits", 0)]
