"""Message queues: unipc and mq_overview(7) are the same thing."""

import errno

from conftest import Actor, fails_with, pairs

COUNT, SIZE = 6, 64


@pairs("libc")
def test_messages_go_both_ways_highest_priority_first(one: Actor, other: Actor, name: str) -> None:
    one.do("queue_create", name, COUNT, SIZE)
    other.do("queue_open", name)
    for sender, receiver in ((one, other), (other, one)):
        sender.do("queue_send", 5, "first of five")
        sender.do("queue_send", 0, "lowest")
        sender.do("queue_send", 32767, "highest")
        sender.do("queue_send", 5, "second of five")
        assert [receiver.do("queue_receive") for _ in range(4)] == [
            "32767 highest",
            "5 first of five",
            "5 second of five",
            "0 lowest",
        ]
        with fails_with(errno.EAGAIN):
            receiver.do("queue_try")
    other.do("queue_unlink", name)


@pairs("libc")
def test_messages_of_no_byte_and_of_all_bytes_arrive(one: Actor, other: Actor, name: str) -> None:
    one.do("queue_create", name, COUNT, SIZE)
    other.do("queue_open", name)
    one.do("queue_send", 1, "")
    one.do("queue_send", 0, "x" * SIZE)
    with fails_with(errno.EMSGSIZE):
        one.do("queue_send", 0, "x" * (SIZE + 1))
    assert other.do("queue_receive") == "1 "
    assert other.do("queue_receive") == f"0 {'x' * SIZE}"
    one.do("queue_unlink", name)


@pairs("libc")
def test_both_sides_see_the_same_attributes(one: Actor, other: Actor, name: str) -> None:
    one.do("queue_create", name, COUNT, SIZE)
    other.do("queue_open", name)
    one.do("queue_send", 0, "a")
    other.do("queue_send", 0, "b")
    for side in (one, other):
        assert side.do("queue_attributes") == f"{COUNT} {SIZE} 2"
    one.do("queue_unlink", name)


@pairs("libc")
def test_who_waits_for_a_message_is_woken(one: Actor, other: Actor, name: str) -> None:
    one.do("queue_create", name, COUNT, SIZE)
    other.do("queue_open", name)
    one.begin("queue_receive")
    assert one.still_waits()
    other.do("queue_send", 7, "wake up")
    assert one.answer() == "7 wake up"
    one.begin("queue_receive", 60_000)
    assert one.still_waits()
    other.do("queue_send", 7, "in time")
    assert one.answer() == "7 in time"
    with fails_with(errno.ETIMEDOUT):
        one.do("queue_receive", 10)
    one.do("queue_unlink", name)


@pairs("libc")
def test_who_waits_for_room_is_woken(one: Actor, other: Actor, name: str) -> None:
    one.do("queue_create", name, 1, SIZE)
    other.do("queue_open", name)
    one.do("queue_send", 0, "fills it")
    one.begin("queue_send", 0, "comes later")
    assert one.still_waits()
    assert other.do("queue_receive") == "0 fills it"
    one.answer()
    assert other.do("queue_receive") == "0 comes later"
    one.do("queue_unlink", name)


@pairs("libc")
def test_a_message_of_the_other_side_is_notified_once(one: Actor, other: Actor, name: str) -> None:
    one.do("queue_create", name, COUNT, SIZE)
    other.do("queue_open", name)
    one.do("queue_notify")
    with fails_with(errno.EBUSY):
        other.do("queue_notify")
    one.begin("queue_notified")
    assert one.still_waits()
    other.do("queue_send", 0, "news")
    one.answer()
    # The registration is used up, so anybody can make the next.
    assert other.do("queue_receive") == "0 news"
    other.do("queue_notify")
    one.do("queue_send", 0, "more news")
    other.do("queue_notified")
    one.do("queue_unlink", name)


@pairs("libc")
def test_a_queue_is_created_once_and_unlinked_once(one: Actor, other: Actor, name: str) -> None:
    one.do("queue_create", name, COUNT, SIZE)
    with fails_with(errno.EEXIST):
        other.do("queue_create", name, COUNT, SIZE)
    other.do("queue_unlink", name)
    for side in (one, other):
        with fails_with(errno.ENOENT):
            side.do("queue_open", name)
        with fails_with(errno.ENOENT):
            side.do("queue_unlink", name)
