"""Semaphores: unipc and sem_overview(7) are the same thing, named and in shared memory."""

import errno

from conftest import Actor, fails_with, pairs

ROUNDS = 30_000
OFFSET = 64


@pairs("libc")
def test_both_sides_count_on_one_value(one: Actor, other: Actor, name: str) -> None:
    one.do("semaphore_create", name, 2)
    other.do("semaphore_open", name)
    assert other.do("semaphore_value") == "2"
    other.do("semaphore_wait")
    assert one.do("semaphore_value") == "1"
    one.do("semaphore_try")
    for side in (one, other):
        with fails_with(errno.EAGAIN):
            side.do("semaphore_try")
    other.do("semaphore_post")
    one.do("semaphore_post")
    assert other.do("semaphore_value") == "2"
    other.do("semaphore_unlink", name)


@pairs("libc")
def test_who_waits_is_woken_when_the_holder_posts(one: Actor, other: Actor, name: str) -> None:
    one.do("semaphore_create", name, 1)
    other.do("semaphore_open", name)
    one.do("semaphore_wait")
    other.begin("semaphore_wait")
    assert other.still_waits()
    one.do("semaphore_post")
    other.answer()
    assert one.do("semaphore_value") == "0"
    other.begin("semaphore_wait", 60_000)
    assert other.still_waits()
    one.do("semaphore_post")
    other.answer()
    with fails_with(errno.ETIMEDOUT):
        other.do("semaphore_wait", 10)
    one.do("semaphore_unlink", name)


@pairs("libc")
def test_a_semaphore_is_created_once_and_unlinked_once(one: Actor, other: Actor, name: str) -> None:
    one.do("semaphore_create", name, 0)
    with fails_with(errno.EEXIST):
        other.do("semaphore_create", name, 0)
    other.do("semaphore_unlink", name)
    for side in (one, other):
        with fails_with(errno.ENOENT):
            side.do("semaphore_open", name)


@pairs("libc")
def test_the_highest_value_is_not_exceeded(one: Actor, other: Actor, name: str) -> None:
    highest = 2**31 - 1
    one.do("semaphore_create", name, highest)
    other.do("semaphore_open", name)
    for side in (one, other):
        with fails_with(errno.EOVERFLOW):
            side.do("semaphore_post")
        assert side.do("semaphore_value") == str(highest)
    one.do("semaphore_unlink", name)


@pairs("libc")
def test_an_unnamed_semaphore_in_memory_is_shared(one: Actor, other: Actor, name: str) -> None:
    one.do("memory_create", name, 4096)
    one.do("semaphore_init", OFFSET, 1)
    other.do("memory_open", name)
    other.do("semaphore_at", OFFSET)
    for holder, waiter in ((one, other), (other, one)):
        holder.do("semaphore_wait")
        assert waiter.do("semaphore_value") == "0"
        waiter.begin("semaphore_wait")
        assert waiter.still_waits()
        holder.do("semaphore_post")
        waiter.answer()
        waiter.do("semaphore_post")
    one.do("memory_unlink", name)


@pairs("libc")
def test_no_count_is_lost_under_one_semaphore(one: Actor, other: Actor, name: str) -> None:
    one.do("memory_create", name, 4096)
    one.do("semaphore_init", OFFSET, 0)
    other.do("memory_open", name)
    other.do("semaphore_at", OFFSET)
    other.begin("count", ROUNDS)
    assert other.still_waits()
    one.do("semaphore_post")  # and off they go, both
    one.begin("count", ROUNDS)
    one.answer()
    other.answer()
    for side in (one, other):
        assert side.do("counted") == str(2 * ROUNDS)
        assert side.do("semaphore_value") == "1"
    one.do("memory_unlink", name)
