"""Semaphores: counting, waiting, names, inside a Memory, glibc on the other side."""

import contextlib
import ctypes
import errno
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

import unipc
from conftest import Namer
from support import Waiting
from unipc import Memory, Semaphore


def test_permits_are_counted(semaphore: Semaphore) -> None:
    assert semaphore.value == 0
    semaphore.post()
    semaphore.post(3)
    assert semaphore.value == 4
    semaphore.wait()
    semaphore.wait(timeout=0)
    assert semaphore.value == 2


def test_a_timeout_of_zero_does_not_wait(semaphore: Semaphore) -> None:
    with pytest.raises(BlockingIOError, match="its value is 0"):
        semaphore.wait(0)
    assert semaphore.acquire(blocking=False) is False
    assert semaphore.acquire(timeout=0) is False


def test_timeouts_and_deadlines_end_a_wait_no_earlier(semaphore: Semaphore) -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        semaphore.wait(0.1)
    assert semaphore.acquire(timeout=0.1) is False
    assert time.monotonic() - begin >= 0.2
    deadline = time.time() + 0.1
    with pytest.raises(TimeoutError):
        semaphore.wait(deadline=deadline)
    assert time.time() >= deadline


@pytest.mark.parametrize("keyword", [{}, {"timeout": 60.0}, {"deadline": time.time() + 3600}])
def test_a_post_wakes_one_who_waits(semaphore: Semaphore, keyword: dict[str, float]) -> None:
    with Waiting(lambda: semaphore.wait(**keyword)) as waiting:
        semaphore.post()
    assert waiting.error is None
    assert semaphore.value == 0


def test_a_with_block_takes_a_permit_and_gives_it_back(semaphore: Semaphore) -> None:
    semaphore.post()
    with semaphore as held:
        assert held is semaphore
        assert semaphore.value == 0
    with contextlib.suppress(ZeroDivisionError), semaphore:
        raise ZeroDivisionError
    assert semaphore.value == 1
    assert not semaphore.closed


def test_it_stands_in_for_a_lock_of_threading(semaphore: Semaphore) -> None:
    semaphore.release()
    assert semaphore.acquire() is True
    assert semaphore.acquire(False) is False
    semaphore.release(2)
    assert semaphore.acquire(True, 10) is True
    with pytest.raises(ValueError, match="has no timeout"):
        semaphore.acquire(False, 1)


def test_the_value_has_a_limit(new_name: Namer) -> None:
    name = new_name()
    with contextlib.closing(Semaphore.create(name, Semaphore.MAX)) as semaphore:
        with pytest.raises(OSError, match="would exceed 2147483647") as caught:
            semaphore.post()
        assert caught.value.errno == errno.EOVERFLOW
        semaphore.wait()
        with pytest.raises(OSError, match="would exceed") as caught:
            semaphore.post(2)
        assert getattr(caught.value, "transferred") == 0  # noqa: B009
        assert semaphore.value == Semaphore.MAX - 1
    with pytest.raises(OSError, match="exceeds 2147483647") as caught:
        Semaphore.create(new_name(), Semaphore.MAX + 1)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(ValueError, match="value must be 0 to"):
        Semaphore.create(new_name(), -1)


def test_another_handle_finds_it_by_its_name(semaphore: Semaphore) -> None:
    name = semaphore.name
    assert name is not None
    with contextlib.closing(Semaphore.open(name)) as other:
        other.post()
    semaphore.wait()
    assert semaphore.engine == "posix"


def test_create_is_exclusive_and_open_or_create_tells_which_it_did(name: str) -> None:
    for expected in (True, False):
        semaphore, created = Semaphore.open_or_create(name, 5)
        with contextlib.closing(semaphore):
            assert created is expected
            assert semaphore.value == 5
    with pytest.raises(FileExistsError):
        Semaphore.create(name, 1)
    Semaphore.unlink(name)
    for call in (Semaphore.open, Semaphore.unlink):
        with pytest.raises(FileNotFoundError):
            call(name)


def test_the_umask_applies_to_a_mode_and_not_to_an_exact_one(new_name: Namer) -> None:
    masked, exact = new_name(), new_name()
    before = os.umask(0o027)
    try:
        Semaphore.create(masked, 0, mode=0o666).close()
        Semaphore.create(exact, 0, exact_mode=0o666).close()
    finally:
        os.umask(before)
    for name, mode in ((masked, 0o640), (exact, 0o666)):
        assert stat.S_IMODE(Path(f"/dev/shm/sem.{name[1:]}").stat().st_mode) == mode


def test_one_in_memory_is_shared_by_all_who_map_it(name: str) -> None:
    with Memory.create(name, 4096) as memory, Memory.open(name) as other:
        with contextlib.closing(Semaphore.init_in(memory, 64, 1)) as here:
            with contextlib.closing(Semaphore.open_in(other, 64)) as there:
                there.wait()
                assert here.value == 0
                assert here.name is None
                here.post()
                assert there.acquire(blocking=False)


def test_a_place_that_cannot_hold_one_is_refused(name: str) -> None:
    with Memory.create(name, 4096) as memory, Memory.open(name, read_only=True) as read_only:
        for place, number, words in (
            ((memory, 4), errno.EINVAL, "no multiple of 8"),
            ((memory, 4096 - Semaphore.SIZE + 8), errno.ERANGE, "do not lie within"),
            ((read_only, 0), errno.EACCES, "may not be written"),
        ):
            for call in (Semaphore.init_in, Semaphore.open_in):
                with pytest.raises(OSError, match=words) as caught:
                    call(*place)
                assert caught.value.errno == number
    assert Semaphore.SIZE % Semaphore.ALIGN == 0


def test_one_in_memory_keeps_its_bytes_when_the_memory_is_closed() -> None:
    memory = Memory.anonymous(4096)
    with contextlib.closing(Semaphore.init_in(memory, value=1)) as semaphore:
        memory.close()
        semaphore.wait()
        semaphore.post()
        assert semaphore.value == 1


def test_it_is_glibcs_own_semaphore(semaphore: Semaphore) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sem_open.restype = ctypes.c_void_p
    name = semaphore.name
    assert name is not None
    stranger = ctypes.c_void_p(libc.sem_open(name.encode(), 0))
    assert stranger.value
    try:
        assert libc.sem_post(stranger) == 0
        semaphore.wait()
        with Waiting(lambda: semaphore.wait(60)) as waiting:
            assert libc.sem_post(stranger) == 0
        assert waiting.error is None
        semaphore.post()
        assert libc.sem_trywait(stranger) == 0
    finally:
        libc.sem_close(stranger)


def test_it_excludes_threads(semaphore: Semaphore) -> None:
    semaphore.post()
    inside = most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            with semaphore:
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert semaphore.value == 1


def test_it_excludes_processes() -> None:
    with Memory.anonymous(4096) as memory:
        with contextlib.closing(Semaphore.init_in(memory, 64, 1)) as semaphore:
            children = []
            for _ in range(2):
                child = os.fork()
                if child == 0:
                    with contextlib.suppress(BaseException):
                        for _ in range(1000):
                            with semaphore:
                                count = int.from_bytes(memory.read(0, 8), "little")
                                memory.write(0, (count + 1).to_bytes(8, "little"))
                        os._exit(0)
                    os._exit(1)
                children.append(child)
            assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        assert int.from_bytes(memory.read(0, 8), "little") == 2000


def test_a_semaphore_of_another_kind_of_file_is_refused(name: str) -> None:
    path = Path(f"/dev/shm/sem.{name[1:]}")
    path.write_bytes(b"")
    try:
        with pytest.raises(OSError, match="open semaphore") as caught:
            unipc.Semaphore.open(name)
        assert caught.value.errno == errno.EINVAL
    finally:
        path.unlink()


def test_posting_many_permits_lets_handlers_and_others_run(semaphore: Semaphore) -> None:
    class Interrupted(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(Interrupted) as caught:
            semaphore.post(Semaphore.MAX)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert 0 < semaphore.value < Semaphore.MAX
    assert getattr(caught.value, "transferred") == semaphore.value  # noqa: B009
