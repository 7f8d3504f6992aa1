"""What starting a program and waiting for it costs from Python, against the standard library.

Contenders run in this one process, in turn, round by round; a row is the median of the rounds, the
ratio the median of the ratios round by round. Prints a Markdown table. QUICK=1: few rounds.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import unipc

ROUNDS = 15 if os.environ.get("QUICK") else 201
STARTS = 10
TRUE = ["/bin/true"]


def plain_unipc() -> None:
    assert unipc.spawn(TRUE).wait().success


def plain_subprocess() -> None:
    assert subprocess.Popen(TRUE).wait() == 0


def plain_posix_spawn() -> None:
    child = os.posix_spawn(TRUE[0], TRUE, os.environ)
    assert os.waitpid(child, 0)[1] == 0


def piped_unipc() -> None:
    with unipc.spawn(TRUE, stdout=unipc.PIPE) as child:
        assert child.communicate().stdout == b""


def piped_subprocess() -> None:
    with subprocess.Popen(TRUE, stdout=subprocess.PIPE) as child:
        assert child.communicate()[0] == b""


def popen_unipc() -> None:
    with unipc.popen(TRUE) as stream:
        assert stream.read() == ""


def popen_subprocess() -> None:
    with subprocess.Popen(TRUE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.read() == ""


Call = Callable[[], None]
POPEN = "subprocess.Popen"
ROWS: list[tuple[str, Call, str, Call]] = [
    ("spawn `/bin/true` + wait", plain_unipc, POPEN, plain_subprocess),
    ("the same", plain_unipc, "os.posix_spawn, os.waitpid", plain_posix_spawn),
    ("with its output in a pipe, communicate()", piped_unipc, POPEN, piped_subprocess),
    ("as a file of text, read to the end", popen_unipc, POPEN, popen_subprocess),
]


def microseconds(call: Call) -> float:
    begin = time.perf_counter_ns()
    for _ in range(STARTS):
        call()
    return (time.perf_counter_ns() - begin) / STARTS / 1000


def main() -> None:
    results: dict[str, list[tuple[float, float]]] = {f"{row[0]}{row[2]}": [] for row in ROWS}
    for number in range(ROUNDS + 1):
        for what, ours, other, others in ROWS:
            first, second = (ours, others) if number % 2 else (others, ours)
            times = {first: microseconds(first), second: microseconds(second)}
            if number:  # the first round warms up
                results[what + other].append((times[ours], times[others]))

    version = ".".join(map(str, sys.version_info[:3]))
    head = f"Python {version}, one process, median of {ROUNDS} rounds of {STARTS}"
    print(f"| {head} | unipc us | other us | the other | unipc / other |")
    print("|---|---:|---:|---|---:|")
    for what, _, other, _ in ROWS:
        rounds = results[what + other]
        mine = statistics.median(ours for ours, _ in rounds)
        theirs = statistics.median(others for _, others in rounds)
        ratio = statistics.median(ours / others for ours, others in rounds)
        print(f"| {what} | {mine:.0f} | {theirs:.0f} | {other} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
