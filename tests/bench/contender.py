"""What a contender of `unipc bench` in Python needs: docs/contenders.md's protocol, and its works.

A contender is a class. An object of it is one queue, or one semaphore, that the server has made;
the roles of a run are forked from the server, each opens what it needs of that object and does its
part. The server itself has one thread, and opens nothing.
"""

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import statistics
import sys
import time
import traceback
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, islice, pairwise, product, repeat
from typing import Any, ClassVar, NamedTuple, NoReturn, TypeVar

SAMPLES = 20_000
LAP, LAP_BYTES = 1_000, 1 << 20  # what is made beforehand, and sent again and again
BLOCKS = 200  # of messages, after each of which one of several consumers looks at the clocks
REST = 0.001
LIBC = ctypes.CDLL(None)

Send = Callable[..., object]
Receive = Callable[[], object]
StartLine = Callable[[], None]
Role = Callable[[StartLine], object]
Answer = dict[str, float | list[int]]


class Refused(Exception):
    """What was received is not what was sent."""


class Failed(Exception):
    """A sentence for whoever asked: what went wrong."""


class Cannot(Failed):
    """What this machine does not allow, and what decides that."""


@dataclass(frozen=True)
class Request:
    """A run that is asked for."""

    work: str
    size: int
    depth: int
    messages: int
    producers: int
    consumers: int
    priorities: int
    cpus: list[int]
    name: str

    @property
    def warm(self) -> int:
        """How many messages come before those that are measured."""
        return self.messages // 10

    def pin(self, side: int) -> None:
        if self.cpus:
            os.sched_setaffinity(0, {self.cpus[side % len(self.cpus)]})


# ---- Messages. They cost more to make than to send, so they are made beforehand, and go round.


class Parcel(NamedTuple):
    message: bytes
    priority: int
    word: int
    check: int


def parcel(word: int, priority: int, size: int) -> Parcel:
    check = word * 0x9E3779B97F4A7C15 % 2**64
    begin, end = (number.to_bytes(8, "little") for number in (word, check))
    message = begin.ljust(size - 8, b".") + end if size >= 16 else begin.ljust(size, b".")
    return Parcel(message, priority, word, check)


def lap(request: Request, producer: int) -> list[Parcel]:
    """One producer's messages, once round."""
    parcels = []
    for i in range(max(4, min(LAP, LAP_BYTES // request.size))):
        priority = (i * 2654435761 % 2**32 >> 16) % request.priorities
        parcels.append(parcel(priority << 56 | producer << 48 | i, priority, request.size))
    return parcels


def last_parcel(request: Request) -> Parcel:
    return parcel(2**64 - 1, 0, request.size)


def checks(parcels: Sequence[Parcel], count: int) -> int:
    """The sum of the checks of the first so many messages."""
    laps, rest = divmod(count, len(parcels))
    once = sum(parcel.check for parcel in parcels)
    return laps * once + sum(parcel.check for parcel in parcels[:rest])


# ---- Contenders.


class Contender:
    """One object of a contender, and what there is to say of all of them.

    It is made by the server, which calls close() when the run is over. What is opened is opened in
    a role: the receiver first, which waits for nobody, and then the sender.
    """

    NAME: ClassVar[str]
    PACKAGE: ClassVar[str] = ""  # what pip installs, unless Python has it
    KIND: ClassVar[str] = "messages"
    WAITS: ClassVar[str] = "blocks"
    ABILITIES: ClassVar[tuple[str, ...]]
    GONE: ClassVar[tuple[type[Exception], ...]] = (FileNotFoundError,)  # from unlink()

    def __init__(self, name: str, request: Request) -> None:
        self.name = name
        self.size = request.size
        self.depth = self.fit(request)

    @classmethod
    def fit(cls, request: Request) -> int:
        """How deep it can be, or raises Cannot."""
        return request.depth

    @classmethod
    def unlink(cls, name: str) -> None:
        """Removes what was made under the name, or raises one of GONE. It is called as soon as all
        have opened it, and once more when the run is over."""

    def close(self) -> None:
        pass

    def reopen(self) -> None:
        """Opens and closes it, as a program that knows the name only."""
        raise NotImplementedError


class Messages(Contender):
    def sender(self) -> Send:
        raise NotImplementedError

    def receiver(self) -> Receive:
        raise NotImplementedError

    def goods(self, parcel: Parcel) -> object:
        """What sender() takes."""
        return parcel.message

    def arguments(self, parcel: Parcel) -> tuple[object, ...]:
        """What sender() takes where there are several priorities."""
        return (self.goods(parcel), parcel.priority)

    def due(self, parcel: Parcel) -> object:
        """What receiver() then gives, to be compared and to be looked up."""
        return parcel.message

    def settle(self) -> None:
        """Waits until whatever is sent from now on comes after all that any process has sent."""

    def flush(self) -> None:
        """Waits until what was sent has left this process, which sends no more."""


class Semaphore(Contender):
    KIND = "semaphore"
    ABILITIES = ("pair", "ping-pong")

    def post(self) -> Callable[[], object]:
        raise NotImplementedError

    def wait(self) -> Callable[[], object]:
        raise NotImplementedError

    def value(self) -> int:
        raise NotImplementedError


Kind = TypeVar("Kind", bound=Contender)


@contextlib.contextmanager
def made(kind: type[Kind], request: Request, count: int = 1) -> Iterator[list[Kind]]:
    """So many objects of a contender, of which nothing is left afterwards."""
    with contextlib.ExitStack() as stack:
        objects = []
        for name in names(request.name)[:count]:
            stack.callback(remove, kind, name)
            objects.append(kind(name, request))
            stack.callback(objects[-1].close)
        yield objects


def names(name: str) -> list[str]:
    return [name, name + ".back"]


def remove(kind: type[Contender], name: str) -> None:
    with contextlib.suppress(*kind.GONE):
        kind.unlink(name)


# ---- Processes at work together.


@dataclass
class Member:
    role: str
    pid: int
    ear: int
    said: bytearray

    def result(self) -> Any:
        """What it returned, when it has said all."""
        with contextlib.suppress(ValueError):
            verdict, what = json.loads(self.said)
            if verdict == "ok":
                return what
            raise Failed(f"{self.role} failed: {what}")
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        if os.WIFSIGNALED(status):
            raise Failed(f"{self.role} was killed by {signal.Signals(os.WTERMSIG(status)).name}")
        raise Failed(f"{self.role} failed: it was ended without a word")


class Team:
    """The roles of a run. What one of them writes to its pipe is an empty line when it is ready,
    and then what it returns, or why it failed. None leaves before all are done: what is still on
    its way may go with who has sent it."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.go, self.start = os.pipe()
        self.leave, self.end = os.pipe()

    def enlist(self, role: str, play: Role) -> None:
        ear, mouth = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(self.start)
            os.close(self.end)
            self.play(play, mouth, parent)
        os.close(mouth)
        self.members.append(Member(role, pid, ear, bytearray()))

    def play(self, play: Role, mouth: int, parent: int) -> NoReturn:
        try:
            try:
                LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
                if os.getppid() != parent:
                    os._exit(1)
                gc.disable()
                verdict = ["ok", play(lambda: self.start_line(mouth))]
            except BaseException as error:
                verdict = ["failed", described(error)]
            rest = json.dumps(verdict).encode()
            while rest:
                rest = rest[os.write(mouth, rest) :]
            os.close(mouth)
            os.read(self.leave, 1)
        finally:
            os._exit(0)

    def start_line(self, mouth: int) -> None:
        """Waits until all are ready."""
        os.write(mouth, b"\n")
        os.read(self.go, 1)

    def results(self) -> list[Any]:
        """What each returned. If one of them failed, that is raised."""
        ears = select.poll()
        working = {member.ear: member for member in self.members}
        for ear in working:
            ears.register(ear, select.POLLIN)
        ears.register(sys.stdout, 0)
        while working:
            for ear, _ in ears.poll():
                if ear not in working:
                    sys.exit("nobody listens")
                if chunk := os.read(ear, 1 << 16):
                    working[ear].said += chunk
                    continue
                ears.unregister(ear)
                working.pop(ear).result()
            if self.start >= 0 and all(member.said for member in self.members):
                os.close(self.start)
                self.start = -1
        return [member.result() for member in self.members]

    def disband(self) -> None:
        for member in self.members:
            os.close(member.ear)
            if member.pid:
                os.kill(member.pid, signal.SIGKILL)
        for member in self.members:
            if member.pid:
                os.waitpid(member.pid, 0)
        for fd in (self.go, self.start, self.leave, self.end):
            if fd >= 0:
                os.close(fd)


def described(error: BaseException) -> str:
    ours = isinstance(error, Failed | Refused)
    return str(error) if ours else traceback.format_exception_only(error)[-1]


def together(roles: Iterable[tuple[str, Role]]) -> list[Any]:
    """What the roles return, each of which has a process of its own, and none is left."""
    team = Team()
    try:
        for role, play in roles:
            team.enlist(role, play)
        return team.results()
    finally:
        team.disband()


def cpu_of(pid: int) -> int:
    """The nanoseconds that another process has computed."""
    clock = ctypes.c_int()
    if LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
        raise Refused("who was to wait did not: more came than was sent, or more than its depth")
    return time.clock_gettime_ns(clock.value)


# ---- Stream.


class Stamp(NamedTuple):
    """When so many messages had come, and what they had cost of the processor."""

    came: int
    time: int
    cpu: int

    @staticmethod
    def now(came: int) -> "Stamp":
        return Stamp(came, time.monotonic_ns(), time.process_time_ns())


def send_all(send: Send, goods: Iterator[Any], count: int, priorities: int) -> None:
    if priorities > 1:
        for arguments in islice(goods, count):
            send(*arguments)
    else:
        for message in islice(goods, count):
            send(message)


def goods_of(here: Messages, parcels: Sequence[Parcel], priorities: int) -> Iterator[Any]:
    return cycle([(here.arguments if priorities > 1 else here.goods)(parcel) for parcel in parcels])


def receive_all(receive: Receive, due: Iterator[object], count: int) -> None:
    for message in islice(due, count):
        if receive() != message:
            raise Refused("another message than the one that is due")


class Arrivals:
    """What has come, where it is not known what comes next: the number of each message, in the
    order in which they came. It is looked at when the race is over."""

    def __init__(self, here: Messages, request: Request, producers: int) -> None:
        laps = [lap(request, producer) for producer in range(producers)]
        self.parcels = [parcel for one in laps for parcel in one]
        self.round = len(laps[0])
        self.number = {here.due(parcel): i for i, parcel in enumerate(self.parcels)}
        self.seen = array("I")

    def checks(self, shares: Sequence[int]) -> int:
        """The sum of the checks of what came, if it can be what each producer sent so many of.

        A producer's numbers go up in each round, so those of one priority fall only where another
        round begins; to who is the only consumer, that is as strict as it can be.
        """
        rounds = [-(-share // self.round) for share in shares]
        lanes = [(i // self.round, parcel.priority) for i, parcel in enumerate(self.parcels)]
        latest = dict.fromkeys(lanes, -1)
        begun = dict.fromkeys(lanes, 1)
        for i in self.seen:
            lane = lanes[i]
            if i <= latest[lane]:
                begun[lane] += 1
            latest[lane] = i
        if any(count > rounds[producer] for (producer, _), count in begun.items()):
            raise Refused("a message twice, or out of order")
        return sum(count * self.parcels[i].check for i, count in Counter(self.seen).items())


def unknown() -> Refused:
    return Refused("a message that nobody sent, or of another priority")


def produce(
    here: Messages, request: Request, me: int, tokens: int, start_line: StartLine
) -> object:
    share = shares(request)[me]
    parcels = lap(request, me)
    goods = goods_of(here, parcels, request.priorities)
    end = last_parcel(request)
    send = here.sender()
    filled = 0
    if request.priorities > 1:
        filled = min(share, here.depth // request.producers)
        send_all(send, goods, filled, request.priorities)
    start_line()
    if me == 0:
        remove(type(here), here.name)
    warm = max(filled, share // 10)
    send_all(send, goods, warm - filled, request.priorities)
    before = time.process_time_ns()
    send_all(send, goods, share - warm, request.priorities)
    if not os.read(tokens, 1):
        here.settle()
        for _ in range(request.consumers):
            send(here.goods(end))
    here.flush()
    return checks(parcels, share), share - warm, time.process_time_ns() - before


def consume_in_order(here: Messages, request: Request, start_line: StartLine) -> object:
    """The only consumer of one producer and one priority."""
    parcels = lap(request, 0)
    due = cycle([here.due(parcel) for parcel in parcels])
    receive = here.receiver()
    start_line()
    receive_all(receive, due, request.warm)
    stamps = [Stamp.now(request.warm)]
    receive_all(receive, due, request.messages - request.warm)
    stamps.append(Stamp.now(request.messages))
    receive_all(receive, iter([here.due(last_parcel(request))]), 1)
    return checks(parcels, request.messages), stamps


def consume(here: Messages, request: Request, start_line: StartLine) -> object:
    arrivals = Arrivals(here, request, request.producers)
    number, seen, note = arrivals.number, arrivals.seen, arrivals.seen.append
    receive = here.receiver()
    messages = iter(receive, here.due(last_parcel(request)))
    block = max(1, request.messages // BLOCKS)
    start_line()
    stamps = [Stamp.now(0)]
    try:
        while len(seen) == block * (len(stamps) - 1):
            for message in islice(messages, block):
                note(number[message])
            stamps.append(Stamp.now(len(seen)))
    except KeyError:
        raise unknown() from None
    return arrivals.checks(shares(request)), stamps


def shares(request: Request) -> list[int]:
    """How many of the messages each producer sends."""
    ends = [i * request.messages // request.producers for i in range(request.producers + 1)]
    return [end - begin for begin, end in pairwise(ends)]


def numbered(role: str, count: int) -> list[str]:
    return [f"the {role}"] if count == 1 else [f"{role} {i + 1}" for i in range(count)]


def stream(kind: type[Messages], request: Request) -> Answer:
    alone = request.producers == request.consumers == 1
    tokens, writer = os.pipe()  # a producer that is done takes one; who finds none is the last
    os.write(writer, bytes(request.producers - 1))
    os.close(writer)

    def producer(here: Messages, me: int) -> Role:
        def play(start_line: StartLine) -> object:
            if alone:
                request.pin(0)
            return produce(here, request, me, tokens, start_line)

        return play

    def consumer(here: Messages) -> Role:
        def play(start_line: StartLine) -> object:
            if alone:
                request.pin(1)
            if alone and request.priorities == 1:
                return consume_in_order(here, request, start_line)
            return consume(here, request, start_line)

        return play

    with contextlib.closing(os.fdopen(tokens)), made(kind, request) as [here]:
        producers = numbered("producer", request.producers)
        consumers = numbered("consumer", request.consumers)
        results = together(
            [(role, producer(here, i)) for i, role in enumerate(producers)]
            + [(role, consumer(here)) for role in consumers]
        )
    sent, received = results[: request.producers], results[request.producers :]
    if sum(result[0] for result in sent) != sum(result[0] for result in received):
        raise Failed("the sums of the checks differ: messages were lost")
    return finish(
        request,
        sum(cpu for _, _, cpu in sent) / max(1, sum(count for _, count, _ in sent)),
        [[Stamp(*stamp) for stamp in stamps] for _, stamps in received],
    )


def finish(request: Request, sending: float, consumers: list[list[Stamp]]) -> Answer:
    """What a message took, from when a tenth of all had come, and what it cost both sides."""
    steps = sorted(
        (later.time, later.came - earlier.came)
        for stamps in consumers
        for earlier, later in pairwise([Stamp(0, 0, 0), *stamps])
    )
    came = accumulate(count for _, count in steps)
    begin, warm = next(
        (when, came) for (when, _), came in zip(steps, came, strict=True) if came >= request.warm
    )
    end = max(stamps[-1].time for stamps in consumers)
    cpu = counted = 0
    for stamps in consumers:
        first = next((stamp for stamp in stamps if stamp.time >= begin), stamps[-1])
        cpu += stamps[-1].cpu - first.cpu
        counted += stamps[-1].came - first.came
    return {
        "ns": (end - begin) / max(1, request.messages - warm),
        "cpu": sending + cpu / max(1, counted),
    }


# ---- One process, and two.


def pair(kind: type[Messages], request: Request) -> Answer:
    def in_order(here: Messages, send: Send, receive: Receive) -> float:
        parcels = lap(request, 0)
        both = cycle([(here.goods(parcel), here.due(parcel)) for parcel in parcels])

        def pairs(count: int) -> None:
            for message, due in islice(both, count):
                send(message)
                if receive() != due:
                    raise Refused("another message than was sent")

        pairs(request.warm)
        begin = time.monotonic_ns()
        pairs(request.messages - request.warm)
        return time.monotonic_ns() - begin

    def by_priority(here: Messages, send: Send, receive: Receive) -> float:
        parcels = lap(request, 0)
        goods = goods_of(here, parcels, request.priorities)
        arrivals = Arrivals(here, request, 1)
        number, note = arrivals.number, arrivals.seen.append

        def pairs(count: int) -> None:
            for arguments in islice(goods, count):
                send(*arguments)
                note(number[receive()])

        waiting = here.depth - 1
        send_all(send, goods, waiting, request.priorities)
        try:
            pairs(request.warm)
            begin = time.monotonic_ns()
            pairs(request.messages - request.warm)
            taken = time.monotonic_ns() - begin
            rest = [number[receive()] for _ in range(waiting)]
        except KeyError:
            raise unknown() from None
        priorities = [parcels[i].priority for i in rest]
        if priorities != sorted(priorities, reverse=True):
            raise Refused("a message before one of a higher priority")
        arrivals.seen.extend(rest)
        count = request.messages + waiting
        if arrivals.checks([count]) != checks(parcels, count):
            raise Refused("the sums of the checks differ: messages were lost")
        return taken

    with made(kind, request) as [here]:

        def play(start_line: StartLine) -> float:
            request.pin(0)
            receive = here.receiver()
            send = here.sender()
            remove(kind, here.name)
            start_line()
            return (by_priority if request.priorities > 1 else in_order)(here, send, receive)

        [taken] = together([("the process", play)])
    return {"ns": taken / (request.messages - request.warm)}


Way = Callable[[Send, Receive, Iterator[tuple[Any, Any]]], object]


def two_ways(kind: type[Messages], request: Request, first: Way, second: Way) -> list[Any]:
    """Two processes, and an object in each direction. Each way is given what its process sends,
    with what it receives for it, or before it."""

    def side(me: int, way: Way, out: Messages, back: Messages) -> Role:
        def play(start_line: StartLine) -> object:
            request.pin(me)
            goods = [out.goods(parcel) for parcel in lap(request, me)]
            due = [back.due(parcel) for parcel in lap(request, 1 - me)]
            receive = back.receiver()
            send = out.sender()
            start_line()
            if me == 0:
                remove(kind, out.name)
                remove(kind, back.name)
            result = way(send, receive, cycle(list(zip(goods, due, strict=True))))
            out.flush()
            return result

        return play

    with made(kind, request, 2) as [here, there]:
        return together(
            [
                ("the first process", side(0, first, here, there)),
                ("the second process", side(1, second, there, here)),
            ]
        )


def ping_pong(kind: type[Messages], request: Request) -> Answer:
    timed, untimed = min(SAMPLES, request.messages), request.messages - request.warm

    def rounds(send: Send, receive: Receive, both: Iterator[tuple[Any, Any]], count: int) -> None:
        for message, due in islice(both, count):
            send(message)
            if receive() != due:
                raise Refused("another answer than was sent")

    def first(send: Send, receive: Receive, both: Iterator[tuple[Any, Any]]) -> object:
        clock = time.monotonic_ns
        rounds(send, receive, both, request.warm)
        begin = clock()
        rounds(send, receive, both, untimed)
        taken = clock() - begin
        samples = []
        for message, due in islice(both, timed):
            begin = clock()
            send(message)
            answer = receive()
            samples.append(clock() - begin)
            if answer != due:
                raise Refused("another answer than was sent")
        return taken, samples

    def second(send: Send, receive: Receive, both: Iterator[tuple[Any, Any]]) -> None:
        for message, due in islice(both, request.warm + untimed + timed):
            if receive() != due:
                raise Refused("another message than was sent")
            send(message)

    taken, samples = two_ways(kind, request, first, second)[0]
    return {"ns": taken / untimed, "samples": samples}


def asleep(kind: type[Messages], request: Request) -> Answer:
    clock, rest = time.monotonic_ns, time.sleep

    def times() -> "deque[int]":
        return deque(maxlen=SAMPLES // 2)

    def first(send: Send, receive: Receive, both: Iterator[tuple[Any, Any]]) -> object:
        sent, received = times(), times()
        for message, due in islice(both, request.messages):
            rest(REST)
            sent.append(clock())
            send(message)
            answer = receive()
            received.append(clock())
            if answer != due:
                raise Refused("another answer than was sent")
        return list(sent), list(received)

    def second(send: Send, receive: Receive, both: Iterator[tuple[Any, Any]]) -> object:
        sent, received = times(), times()
        for message, due in islice(both, request.messages):
            came = receive()
            received.append(clock())
            if came != due:
                raise Refused("another message than was sent")
            rest(REST)
            sent.append(clock())
            send(message)
        return list(sent), list(received)

    [(sent, answered), (answers, received)] = two_ways(kind, request, first, second)
    samples = [
        end - begin
        for begins, ends in ((sent, received), (answers, answered))
        for begin, end in islice(zip(begins, ends, strict=True), request.warm, None)
    ]
    return {"ns": statistics.median(samples), "samples": samples}


def reopened(kind: type[Messages], request: Request) -> Answer:
    """One process has it open, another opens and closes it."""
    done, end = os.pipe()
    with open(done, "rb"), open(end, "wb"), made(kind, request) as [here]:

        def keep(start_line: StartLine) -> None:
            _kept = here.receiver()
            start_line()
            os.read(done, 1)

        def play(start_line: StartLine) -> float:
            request.pin(0)
            reopen = here.reopen
            start_line()
            for _ in repeat(None, request.warm):
                reopen()
            begin = time.monotonic_ns()
            for _ in repeat(None, request.messages - request.warm):
                reopen()
            taken = time.monotonic_ns() - begin
            os.write(end, b".")
            return taken

        taken = together([("the keeper", keep), ("the process", play)])[1]
    return {"ns": taken / (request.messages - request.warm)}


def idle(kind: type[Messages], request: Request) -> Answer:
    both = "depth" in kind.ABILITIES
    parcels = lap(request, 0)

    def take(here: Messages, receive: Receive, parcel: Parcel) -> None:
        receive_all(receive, iter([here.due(parcel)]), 1)

    with made(kind, request, 2 if both else 1) as objects:
        here, there = objects[0], objects[-1]

        def receiver(start_line: StartLine) -> None:
            receive = here.receiver()
            start_line()
            take(here, receive, parcels[0])

        def sender(start_line: StartLine) -> None:
            send = there.sender()
            send_all(send, goods_of(there, parcels, 1), there.depth, 1)
            start_line()
            send(there.goods(parcels[0]))

        def observer(start_line: StartLine) -> object:
            receive = there.receiver() if both else None
            send = here.sender()
            start_line()
            for name in names(request.name)[: len(objects)]:
                remove(kind, name)
            time.sleep(1.5)  # until they sleep for good: unipc looks once more after a second
            before = sum(map(cpu_of, waiting))
            time.sleep(1)
            spent = sum(map(cpu_of, waiting)) - before
            send(here.goods(parcels[0]))
            here.flush()
            if receive:
                take(there, receive, parcels[0])
            return spent

        team = Team()
        waiting: list[int] = []
        try:
            team.enlist("the waiting consumer", receiver)
            if both:
                team.enlist("the waiting producer", sender)
            waiting += [member.pid for member in team.members]
            team.enlist("the observer", observer)
            spent = team.results()[-1]
        finally:
            team.disband()
    return {"cpu": spent}


# ---- Semaphores.


def semaphore_pair(kind: type[Semaphore], request: Request) -> Answer:
    with made(kind, request) as [here]:

        def play(start_line: StartLine) -> float:
            request.pin(0)
            post, wait = here.post(), here.wait()
            remove(kind, here.name)
            start_line()

            def pairs(count: int) -> None:
                for _ in repeat(None, count):
                    post()
                    wait()

            pairs(request.warm)
            begin = time.monotonic_ns()
            pairs(request.messages - request.warm)
            taken = time.monotonic_ns() - begin
            if here.value() != 0:
                raise Refused("a post more than waits")
            return taken

        [taken] = together([("the process", play)])
    return {"ns": taken / (request.messages - request.warm)}


def semaphore_ping_pong(kind: type[Semaphore], request: Request) -> Answer:
    timed, untimed = min(SAMPLES, request.messages), request.messages - request.warm
    with made(kind, request, 2) as [here, there]:

        def opened(me: int, start_line: StartLine) -> tuple[Callable[[], object], ...]:
            request.pin(me)
            out, back = (here, there) if me == 0 else (there, here)
            post, wait = out.post(), back.wait()
            start_line()
            if me == 0:
                remove(kind, here.name)
                remove(kind, there.name)
            return post, wait

        def first(start_line: StartLine) -> object:
            post, wait = opened(0, start_line)

            def rounds(count: int) -> None:
                for _ in repeat(None, count):
                    post()
                    wait()

            clock = time.monotonic_ns
            rounds(request.warm)
            begin = clock()
            rounds(untimed)
            taken = clock() - begin
            samples = []
            for _ in repeat(None, timed):
                begin = clock()
                post()
                wait()
                samples.append(clock() - begin)
            if here.value() != 0 or there.value() != 0:
                raise Refused("a post more than waits")
            return taken, samples

        def second(start_line: StartLine) -> None:
            post, wait = opened(1, start_line)
            for _ in repeat(None, request.warm + untimed + timed):
                wait()
                post()

        roles = [("the first process", first), ("the second process", second)]
        taken, samples = together(roles)[0]
    return {"ns": taken / untimed, "samples": samples}


# ---- The server.

WORKS: dict[tuple[str, str], Callable[[Any, Request], Answer]] = {
    ("messages", "stream"): stream,
    ("messages", "pair"): pair,
    ("messages", "ping-pong"): ping_pong,
    ("messages", "asleep"): asleep,
    ("messages", "open"): reopened,
    ("messages", "idle"): idle,
    ("semaphore", "pair"): semaphore_pair,
    ("semaphore", "ping-pong"): semaphore_ping_pong,
}


def perform(line: str, contenders: Sequence[type[Contender]]) -> Answer:
    verb, *rest = line.split("\t")
    fields = dict(field.partition("=")[::2] for field in rest)
    if verb != "run":
        raise Failed(f"the request is none: {verb[:40]!r} instead of run")
    try:
        name, language = fields["contender"], fields["language"]
        request = Request(
            work=fields["work"],
            name=fields["name"],
            cpus=[int(cpu) for cpu in fields["cpus"].split(",") if cpu],
            **{
                key: int(fields[key])
                for key in ("size", "depth", "messages", "producers", "consumers", "priorities")
            },
        )
    except KeyError as missing:
        raise Failed(f"the request has no field {missing}") from None
    except ValueError as error:
        raise Failed(f"the request has no number where one belongs: {error}") from None
    for kind in contenders:
        if (kind.NAME, language) == (name, "Python"):
            check(kind, request)
            result = WORKS[kind.KIND, request.work](kind, request)
            depth = kind.fit(request)
            return result if depth == request.depth else result | {"depth": depth}
    raise Failed(f"{name} of {language} is no contender here")


def check(kind: type[Contender], request: Request) -> None:
    """What cannot be done is refused, before anything is made."""
    wanted = [request.work]
    if (request.producers, request.consumers) != (1, 1):
        wanted.append("many")
    if request.priorities != 1:
        wanted.append("priorities")
    for ability in wanted:
        if ability not in kind.ABILITIES:
            raise Failed(f"{kind.NAME} of Python does not do {ability}")
    if "many" in wanted and request.work != "stream":
        raise Failed(f"{request.work} has no several producers and consumers")
    if "priorities" in wanted and request.work not in ("stream", "pair"):
        raise Failed(f"{request.work} has no priorities")
    least = dict.fromkeys(["messages", "producers", "consumers", "priorities"], 1)
    if kind.KIND == "messages":
        least |= {"size": 8, "depth": 1}
    for key, number in least.items():
        if getattr(request, key) < number:
            raise Failed(f"{key} is {getattr(request, key)}, and at least {number}")
    for key in ("priorities", "producers"):
        if getattr(request, key) > 255:
            raise Failed(f"there are more than 255 {key}: a word has 8 bits for them")


def answer(line: str, contenders: Sequence[type[Contender]]) -> str:
    try:
        result = perform(line, contenders)
    except Exception as error:
        word = "cannot" if isinstance(error, Cannot) else "failed"
        return f"{word}\t" + " ".join(described(error).split())[:400]
    return "\t".join(["ok"] + [f"{key}={figures(value)}" for key, value in result.items()])


def figures(value: float | list[int]) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, int) else f"{value:.1f}"


def serve(contenders: Sequence[type[Contender]], absent: Sequence[type[Contender]]) -> None:
    """Says what there is, and does what is asked until nothing is; or removes what a run left."""
    if sys.argv[1:2] == ["clean"]:
        for kind, name in product(contenders, sys.argv[2:]):
            for each in names(name):
                with contextlib.suppress(OSError, ValueError):
                    remove(kind, each)
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for kind in contenders:
        abilities = ",".join(kind.ABILITIES)
        print("contender", kind.NAME, "Python", kind.KIND, kind.WAITS, abilities, sep="\t")
    for kind in absent:
        print("absent", kind.NAME, "Python", f"pip install {kind.PACKAGE}", sep="\t")
    print("ready", flush=True)
    for line in sys.stdin:
        print(answer(line.rstrip("\n"), contenders), flush=True)
