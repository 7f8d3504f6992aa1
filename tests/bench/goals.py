"""What the queue in shared memory was asked to reach, and what `unipc bench` measured of it.

usage: goals.py RESULTS      (the results.tsv of a run)

Prints a Markdown table. Ratios are theirs over unipc's, the medians of the rounds' own, with the
least and the greatest; "at most" is unipc's over theirs. Rows that were not measured are left out.
"""

import csv
import statistics
import sys
from pathlib import Path

SHM = ("unipc shm", "C")
IN_PLACE = ("unipc shm in place", "C")
PYTHON = ("unipc shm", "Python")
KERNEL = ("mqueue", "libc")
BOOST = ("boost", "C++")
VYUKOV = ("Vyukov ring", "C++")
ICEORYX2 = ("iceoryx2", "Rust")
LINE = ("cache line", "machine")
POSIX_IPC = ("posix_ipc", "Python")

# A row of the benchmark, whose figure, against whom, what is asked and what is aimed for.
STREAM = "64 B, one to one"
GOALS = [
    (STREAM, SHM, KERNEL, 12, 20),
    (STREAM, SHM, BOOST, 3, 5),
    (STREAM, SHM, VYUKOV, 0.8, 1),
    ("64 B, 10 slots", SHM, KERNEL, 5, 9),
    ("64 B, 10 slots", SHM, BOOST, 15, 40),
    ("64 B, 2 to 2", SHM, KERNEL, 6, 14),
    ("64 B, 2 to 2", SHM, BOOST, 4, 10),
    ("4 KiB, one to one", SHM, KERNEL, 3, 4),
    ("4 KiB, one to one", SHM, BOOST, 2, 2.5),
    ("4 KiB, one to one", IN_PLACE, KERNEL, 20, 70),
    ("4 KiB, one to one", IN_PLACE, BOOST, 20, 50),
    ("4 KiB, one to one", IN_PLACE, ICEORYX2, 1, 1),
    *(
        (f"eight priorities, {depth} deep", SHM, other, asked, aim)
        for depth in (10, 64, 256, 1024)
        for other, asked, aim in ((KERNEL, 2, 4), (BOOST, 1, 2))
    ),
    ("64 B, there and back", SHM, KERNEL, 40, 150),
    ("64 B, there and back", SHM, BOOST, 40, 150),
    ("64 B, there and back", SHM, LINE, -8, -3),
    ("64 B, the receiver asleep", SHM, KERNEL, 0.9, 1.1),
    ("64 B, send and receive", SHM, KERNEL, 30, 60),
    ("64 B, send and receive", SHM, BOOST, 0.8, 1.2),
    ("64 B, send and receive", PYTHON, POSIX_IPC, 3, 6),
]
CPU = (STREAM, SHM, KERNEL, 10, 20)


def main() -> None:
    with Path(sys.argv[1]).open() as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        measured = {(one["row"], one["contender"], one["language"]): one for one in table}

    def found(row: str, *whose: tuple[str, str]) -> list[dict[str, str]]:
        return [measured[row, *who] for who in whose if (row, *who) in measured]

    print("| work | unipc | ns | against | ns | times | asked (aim) | |")
    print("|---|---|---:|---|---:|---:|---:|---|")
    for row, ours, other, asked, aim in GOALS:
        pair = found(row, ours, other)
        if len(pair) < 2:
            continue
        mine, theirs = ([float(cost) for cost in one["rounds"].split(",")] for one in pair)
        rounds = zip(mine, theirs, strict=True)
        ratios = sorted(b / a if asked > 0 else a / b for a, b in rounds)
        middle = statistics.median(ratios)
        times = f"{middle:.2f} [{ratios[0]:.2f}-{ratios[-1]:.2f}]"
        if asked > 0:
            wanted, reached = f"{asked:g} ({aim:g})", middle >= asked
        else:
            wanted, reached = f"at most {-asked:g} ({-aim:g})", middle <= -asked
        show(row, ours, pair, [statistics.median(mine), statistics.median(theirs)], times, wanted)
        print(" |" if reached else " below |")
    row, ours, other, asked, aim = CPU
    pair = found(row, ours, other)
    if len(pair) == 2:
        mine, theirs = (float(one["cpu_ns"]) for one in pair)
        times = f"{theirs / mine:.2f}"
        show(f"{row}: CPU time", ours, pair, [mine, theirs], times, f"{asked:g} ({aim:g})")
        print(" |" if theirs / mine >= asked else " below |")


def shown(cost: float) -> str:
    return f"{cost:.1f}" if cost < 100 else f"{cost:.0f}"


def show(
    row: str,
    ours: tuple[str, str],
    pair: list[dict[str, str]],
    costs: list[float],
    times: str,
    wanted: str,
) -> None:
    who, other = f"{ours[0]}, {ours[1]}", pair[1]["contender"]
    if pair[0]["depth"] != pair[1]["depth"]:
        other += f", {pair[1]['depth']} deep"
    cells = [row, who, shown(costs[0]), other, shown(costs[1]), times, wanted]
    print(f"| {' | '.join(cells)} |", end="")


if __name__ == "__main__":
    main()
