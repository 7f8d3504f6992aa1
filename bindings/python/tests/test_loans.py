"""Messages in place: reserved and committed, borrowed and released, and how else a loan ends."""

import ctypes
import errno
import gc
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import unipc
from conftest import Engine
from support import Waiting, python, until, waits_for
from unipc import Borrowed, Queue, Reservation


@pytest.fixture
def engine() -> Engine:
    return "shm"


class Interrupted(Exception):
    """What a block raises."""


def reserved(queue: Queue) -> Reservation:
    message = queue.reserve(4)
    message.data[:] = b"text"
    return message


def borrowed(queue: Queue) -> Borrowed:
    queue.send(b"text", 3)
    return queue.borrow()


Lend = Callable[[Queue], Reservation | Borrowed]
every_loan = pytest.mark.parametrize("lend", [reserved, borrowed])


def well(loan: Reservation | Borrowed) -> None:
    loan.commit() if isinstance(loan, Reservation) else loan.release()


def badly(loan: Reservation | Borrowed) -> None:
    loan.abort() if isinstance(loan, Reservation) else loan.put_back()


Ends = Callable[[Reservation | Borrowed], None]
every_end = pytest.mark.parametrize("end", [well, badly])


def number(queue: Queue) -> int:
    """Of the file that the queue is."""
    return os.stat(f"/dev/shm/unipc.queue.{queue.name[1:]}").st_ino


def is_mapped(number: int) -> bool:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return any(line.split()[4] == str(number) for line in lines)


def test_a_message_is_written_in_place_and_sent_by_leaving_the_block(queue: Queue) -> None:
    with queue.reserve(11, 5) as message:
        assert isinstance(message, Reservation)
        assert (len(message.data), message.data.readonly, message.priority) == (11, False, 5)
        message.data[:6] = b"hello "
        message.data[6:] = b"world"
        assert len(queue) == 0
    assert message.ended
    assert queue.receive() == (b"hello world", 5)


def test_a_message_is_read_in_place_and_taken_by_leaving_the_block(queue: Queue) -> None:
    queue.send(b"hello", 7)
    with queue.borrow() as message:
        assert isinstance(message, Borrowed)
        assert (bytes(message.data), message.data.readonly, message.priority) == (b"hello", True, 7)
        with pytest.raises(TypeError, match="read-only"):
            message.data[0] = 1
        with pytest.raises(BlockingIOError):
            queue.receive(timeout=0)
    assert message.ended
    assert len(queue) == 0


def test_a_loan_is_a_buffer_itself(queue: Queue) -> None:
    with queue.reserve(4) as message:
        memoryview(message)[:] = b"text"
        ctypes.c_char.from_buffer(message, 0).value = b"T"
    with queue.borrow() as taken:
        assert bytes(taken) == b"Text"
        with pytest.raises(TypeError):
            ctypes.c_char.from_buffer(taken, 0)


def test_a_block_that_raises_sends_nothing(queue: Queue) -> None:
    for _ in range(10):
        with pytest.raises(Interrupted), queue.reserve(4):
            raise Interrupted
    assert len(queue) == 0
    for _ in range(4):
        queue.send(b"there is room for all", timeout=0)


def test_a_block_that_raises_puts_the_message_back_to_its_place(queue: Queue) -> None:
    queue.send_many([b"first", b"second"], 5)

    def fail() -> None:
        with queue.borrow() as message:
            assert bytes(message) == b"first"
            raise Interrupted

    for _ in range(10):
        with pytest.raises(Interrupted):
            fail()
    assert queue.receive_many(2) == [(b"first", 5), (b"second", 5)]


def test_a_loan_can_be_ended_without_a_block_and_inside_one(queue: Queue) -> None:
    reserved(queue).commit()
    queue.reserve(4).abort()
    assert len(queue) == 1
    queue.borrow().put_back()
    queue.borrow().release()
    assert len(queue) == 0
    with queue.reserve(4) as message:
        message.abort()
    with queue.reserve(4) as message:
        message.commit()
    with queue.borrow() as taken:
        taken.put_back()
    assert len(queue) == 1

    def fail() -> None:
        with queue.borrow() as taken:
            taken.release()
            raise Interrupted

    with pytest.raises(Interrupted):
        fail()
    assert len(queue) == 0


@every_end
@every_loan
def test_what_has_ended_can_be_used_no_more(lend: Lend, end: Ends, queue: Queue) -> None:
    loan = lend(queue)
    data = loan.data
    again = loan.data
    assert again is data
    end(loan)
    assert loan.ended
    assert repr(loan) == f"<unipc.{type(loan).__name__}, ended>"
    uses: list[Callable[[], object]] = [
        lambda: data[0],
        lambda: bytes(data),
        lambda: loan.data,
        lambda: well(loan),
        lambda: badly(loan),
        loan.__enter__,
    ]
    for use in uses:
        with pytest.raises(ValueError, match=r"released|has ended"):
            use()
    with pytest.raises(BufferError, match="has ended"):
        memoryview(loan)
    assert loan.priority in (0, 3)


VIEWS: dict[str, Callable[[memoryview], object]] = {
    "a slice": lambda data: data[1:3],
    "a view of the view": memoryview,
    "a cast": lambda data: data.cast("B", (2, 2)),
    "a view of the loan": lambda data: memoryview(data.obj),
    "an array": lambda data: (
        (ctypes.c_char * 4).from_buffer(data) if not data.readonly else memoryview(data.obj)
    ),
}


@every_end
@every_loan
@pytest.mark.parametrize("kind", VIEWS)
def test_a_view_keeps_a_loan_from_ending(kind: str, lend: Lend, end: Ends, queue: Queue) -> None:
    loan = lend(queue)
    data = loan.data
    view = VIEWS[kind](data)
    for _ in range(2):
        with pytest.raises(BufferError, match="release"):
            end(loan)
        assert not loan.ended
        assert bytes(loan.data) == b"text"
        assert bytes(memoryview(loan)) == b"text"
    del data, view
    gc.collect()
    end(loan)
    assert loan.ended


@every_loan
def test_a_block_cannot_end_well_while_there_is_a_view(lend: Lend, queue: Queue) -> None:
    with pytest.raises(BufferError), lend(queue) as loan:
        view = loan.data[1:]
    assert not loan.ended
    assert bytes(view) == b"ext"
    view.release()
    well(loan)


@every_loan
def test_a_view_does_not_hide_what_a_block_raises_and_ends_the_loan_as_it_goes(
    lend: Lend, queue: Queue
) -> None:
    views: list[memoryview] = []
    loan = lend(queue)

    def fail() -> None:
        with loan:
            views.append(loan.data[1:])
            raise Interrupted

    with pytest.raises(Interrupted):
        fail()
    assert not loan.ended
    views.pop().release()
    assert loan.ended
    assert len(queue) == (lend is borrowed)


@every_loan
def test_a_view_that_was_released_by_hand_can_be_had_again(lend: Lend, queue: Queue) -> None:
    loan = lend(queue)
    data = loan.data
    data.release()
    assert bytes(loan.data) == b"text"
    badly(loan)


@every_loan
def test_a_loan_that_is_dropped_is_undone_with_a_warning(lend: Lend, queue: Queue) -> None:
    gc.collect()
    kind = "Reservation" if lend is reserved else "Borrowed"
    words = f'unclosed <unipc.{kind} of 4 bytes in "{queue.name}">'
    with pytest.warns(ResourceWarning) as warned:
        lend(queue)
    assert [str(warning.message) for warning in warned] == [words]
    views = [lend(queue).data]
    assert bytes(views[0]) == b"text"  # the view keeps it
    with pytest.warns(ResourceWarning, match=words):
        views.clear()
    if lend is borrowed:
        assert queue.receive_many(4) == [(b"text", 3)] * 2
    for _ in range(4):
        queue.send(b"there is room for all", timeout=0)


@every_loan
def test_a_loan_outlives_the_handle_that_it_was_made_by(lend: Lend, queue: Queue) -> None:
    with Queue.open(queue.name, engine="shm") as handle:
        loan = lend(handle)
        data = loan.data
    assert handle.closed
    assert bytes(data) == b"text"
    well(loan)
    assert len(queue) == (lend is reserved)


def test_a_view_keeps_the_queue_mapped(queue: Queue) -> None:
    file = number(queue)
    queue.send(b"text")
    data = queue.borrow().data
    Queue.unlink(queue.name)
    queue.close()
    gc.collect()
    assert is_mapped(file)
    assert bytes(data) == b"text"
    with pytest.warns(ResourceWarning, match="unclosed <unipc.Borrowed"):
        del data
    assert not is_mapped(file)


def test_a_closed_queue_is_not_mapped_any_more(queue: Queue) -> None:
    with queue.reserve(4) as message:
        message.data[:] = b"text"
    file = number(queue)
    assert is_mapped(file)
    queue.close()
    assert not is_mapped(file)


def test_what_cannot_be_reserved_is_refused(queue: Queue) -> None:
    with pytest.raises(OSError, match="65 bytes exceeds the queue's message size of 64") as caught:
        queue.reserve(65)
    assert caught.value.errno == errno.EMSGSIZE
    with pytest.raises(OSError, match="priority 32768 exceeds 32767"):
        queue.reserve(1, unipc.PRIORITY_MAX + 1)
    with pytest.raises(ValueError, match="from 0 to"):
        queue.reserve(-1)
    with Queue.open(queue.name, access="read-only", engine="shm") as receiver:
        with pytest.raises(OSError, match="receiving only"):
            receiver.reserve(1)
    with Queue.open(queue.name, access="write-only", engine="shm") as sender:
        with pytest.raises(OSError, match="sending only"):
            sender.borrow()


def test_reserving_and_borrowing_wait_as_sending_and_receiving_do(queue: Queue) -> None:
    with pytest.raises(BlockingIOError, match="empty"):
        queue.borrow(timeout=0)
    with pytest.raises(TimeoutError):
        queue.borrow(timeout=0.01)

    def take() -> bytes:
        with queue.borrow() as message:
            return bytes(message)

    with Waiting(take) as waiting:
        queue.send(b"text")
    assert waiting.result == b"text"
    loans = [queue.reserve(1) for _ in range(4)]
    with pytest.raises(BlockingIOError, match="full"):
        queue.reserve(1, timeout=0)
    with pytest.raises(TimeoutError):
        queue.reserve(1, 0, deadline=time.time() + 0.01)
    with Waiting(lambda: queue.reserve(2, 7).commit()) as waiting:
        loans.pop().abort()
    assert waiting.error is None
    assert queue.receive().priority == 7
    for loan in loans:
        loan.abort()


def test_a_message_may_be_empty_in_place(queue: Queue) -> None:
    with queue.reserve(0, 9) as message:
        assert len(message.data) == 0
    with queue.borrow() as taken:
        assert (bytes(taken), taken.priority) == (b"", 9)


def test_priorities_and_order_are_those_of_the_commits(queue: Queue) -> None:
    early, late, urgent = queue.reserve(5), queue.reserve(4), queue.reserve(6, 9)
    for message, text in ((late, b"late "), (early, b"early"), (urgent, b"urgent")):
        message.data[:] = text[: len(message.data)]
        message.commit()
    assert queue.receive().data == b"urgent"
    assert sorted(queue.receive_many(2)) == [(b"early", 0), (b"late", 0)]


def test_a_loan_may_be_ended_by_another_thread(queue: Queue) -> None:
    for lend, left in ((reserved, 1), (Queue.borrow, 0)):
        loan = lend(queue)
        thread = threading.Thread(target=well, args=(loan,))
        thread.start()
        thread.join()
        assert len(queue) == left


@every_loan
def test_a_loan_ends_with_the_thread_that_took_it(lend: Lend, queue: Queue) -> None:
    loans: list[Reservation | Borrowed] = []
    thread = threading.Thread(target=lambda: loans.append(lend(queue)))
    thread.start()
    thread.join()
    # Python says that a thread has ended before the system does.
    until(lambda: not os.path.exists(f"/proc/self/task/{thread.native_id}"))
    if lend is borrowed:
        assert queue.receive(timeout=3600) == (b"text", 3)
    with pytest.raises(BlockingIOError):
        queue.receive(timeout=0)
    with pytest.raises(OSError, match="the thread that held it has ended") as caught:
        well(loans[0])
    assert caught.value.errno == errno.EOWNERDEAD
    for _ in range(4):
        queue.send(b"there is room for all", timeout=3600)


@every_loan
def test_a_child_made_by_fork_cannot_end_the_loan_of_its_parent(lend: Lend, queue: Queue) -> None:
    loan = lend(queue)
    child = os.fork()
    if child == 0:
        refused = 0
        for end in (well, badly):
            try:
                end(loan)
            except ValueError as error:
                refused += "forked" in str(error)
        with loan:
            pass  # leaves it as it is
        if isinstance(loan, Reservation):
            loan.data[:] = b"TEXT"
        loan.__class__  # noqa: B018
        del loan
        os._exit(refused != 2)
    assert os.waitpid(child, 0)[1] == 0
    well(loan)
    if lend is reserved:
        assert queue.receive().data == b"TEXT"
    assert len(queue) == 0


def test_loans_and_their_owners_cannot_be_pickled(queue: Queue) -> None:
    with queue.reserve(1) as message, pytest.raises(TypeError, match="pickle"):
        pickle.dumps(message)


def test_loans_are_not_made_by_calling_their_class() -> None:
    for kind in (Reservation, Borrowed):
        with pytest.raises(TypeError, match=kind.__name__):
            kind()


def test_the_kernels_queues_have_no_messages_in_place(name: str) -> None:
    with Queue.create(name, 1, 16) as queue:
        for call in (lambda: queue.reserve(1), queue.borrow, queue.shutdown):
            with pytest.raises(OSError, match="make it with engine shm") as caught:
                call()
            assert caught.value.errno == errno.EOPNOTSUPP


PEER = """if True:
    import os, signal, sys, unipc
    queue = unipc.Queue.open(sys.argv[1], engine="shm")
    what = sys.argv[2]
    if what == "waits":
        print("ready", flush=True)
        queue.receive()
    if what == "borrows":
        loan = queue.borrow()
    if what == "reserves":
        loans = [queue.reserve(1) for _ in range(4)]
    print("ready", flush=True)
    signal.pause()
"""


def kill_when(queue: Queue, what: str) -> None:
    with python(PEER, queue.name, what) as peer:
        assert peer.stdout is not None
        assert peer.stdout.readline() == "ready\n"
        if what == "waits":
            until(lambda: waits_for(peer.pid, queue))
        peer.send_signal(signal.SIGKILL)
        peer.communicate()


@pytest.mark.parametrize("priorities", [(0, 0), (5, 1)])
def test_a_message_comes_back_to_its_place_when_its_borrower_is_killed(
    queue: Queue, priorities: tuple[int, int]
) -> None:
    for text, priority in zip((b"first", b"second"), priorities, strict=True):
        queue.send(text, priority)
    for _ in range(3):
        kill_when(queue, "borrows")
    received = [queue.receive(timeout=3600).data for _ in range(2)]
    if priorities[0] == priorities[1]:
        assert received == [b"first", b"second"]
    else:
        # In an index the message of a dead one is looked for when there is no other.
        assert sorted(received) == [b"first", b"second"]


def test_who_waits_gets_the_message_of_a_borrower_that_is_killed(queue: Queue) -> None:
    queue.send(b"text")
    with python(PEER, queue.name, "borrows") as peer:
        assert peer.stdout is not None
        assert peer.stdout.readline() == "ready\n"
        with Waiting(lambda: queue.receive(timeout=3600)) as waiting:
            peer.send_signal(signal.SIGKILL)
            peer.communicate()
    assert waiting.result == (b"text", 0)


def test_the_room_of_a_sender_that_is_killed_is_free_again(queue: Queue) -> None:
    for _ in range(3):
        kill_when(queue, "reserves")
    for _ in range(4):
        queue.send(b"x", timeout=3600)
    assert len(queue) == 4


def test_a_receiver_that_is_killed_as_it_waits_takes_nothing_with_it(queue: Queue) -> None:
    for _ in range(3):
        kill_when(queue, "waits")
        queue.send(b"for the next")
        assert queue.receive(timeout=3600).data == b"for the next"


def test_a_shutdown_ends_all_waits_on_the_handle_and_no_others(queue: Queue) -> None:
    with Queue.open(queue.name, engine="shm") as other, Waiting(other.receive) as elsewhere:
        with Waiting(queue.receive) as first, Waiting(lambda: queue.borrow(timeout=60)) as second:
            queue.shutdown()
        for waiting in (first, second):
            assert isinstance(waiting.error, BrokenPipeError)
            assert waiting.error.errno == errno.ESHUTDOWN
            assert waiting.error.filename == queue.name
        with pytest.raises(BrokenPipeError):
            queue.receive(timeout=3600)
        with pytest.raises(BlockingIOError):
            queue.receive(timeout=0)
        queue.send(b"goes on")
    assert elsewhere.result == (b"goes on", 0)
    queue.send(b"x")
    assert queue.receive() == (b"x", 0)


def test_none_of_the_kernels_limits_holds(name: str) -> None:
    depth = 100_000
    with Queue.create(name, depth, 8, engine="shm") as queue:
        sent = [b"%d" % number for number in range(depth)]
        assert queue.send_many(sent) == len(queue) == depth
        assert [data for data, _ in queue.receive_many(depth + 1)] == sent


@pytest.mark.parametrize("size", [256, 257, 65_536, 65_537, 16 << 20])
def test_messages_of_any_size_come_whole(size: int, name: str) -> None:
    with Queue.create(name, 2, size, engine="shm") as queue:
        data = os.urandom(4096) * (size // 4096 + 1)
        for length in (size, 1, 0, size - 1):
            queue.send(data[:length], 1)
            queue.send(memoryview(data)[-length:] if length else b"", 1)
            assert queue.receive() == (data[:length], 1)
            with queue.borrow() as message:
                assert message.data == data[len(data) - length :]


def test_a_file_that_is_no_queue_is_refused(name: str) -> None:
    path = Path(f"/dev/shm/unipc.queue.{name[1:]}")
    for contents in (b"", b"short", os.urandom(1 << 16), bytes(1 << 16)):
        path.write_bytes(contents)
        with pytest.raises(OSError, match="open queue") as caught:
            Queue.open(name, engine="shm")
        assert caught.value.errno in (errno.EBADMSG, errno.EPROTO)


def test_threads_that_lend_and_give_back_lose_nothing(queue: Queue) -> None:
    received: list[bytes] = []

    def receive() -> None:
        while True:
            with queue.borrow() as message:
                data = bytes(message)
            if not data:
                break
            received.append(data)

    def send(first: int) -> None:
        for number in range(first, first + 300):
            text = b"%d" % number
            with queue.reserve(len(text)) as message:
                message.data[:] = text

    receivers = [threading.Thread(target=receive) for _ in range(2)]
    senders = [threading.Thread(target=send, args=(first,)) for first in (0, 300)]
    for thread in (*receivers, *senders):
        thread.start()
    for thread in senders:
        thread.join()
    for _ in receivers:
        queue.send(b"")
    for thread in receivers:
        thread.join()
    assert sorted(received, key=int) == [b"%d" % number for number in range(600)]
