"""Counts words with a pipeline of six programs, and prints the three that are most frequent.

Run it: python3 pipeline_wordcount.py [FILE]
"""

import sys

import unipc

TEXT = b"the cat sat on the mat and the dog sat on the cat"


def main(path: str | None = None) -> None:
    count = unipc.Pipeline(
        ["tr", "-cs", "a-z", "\\n"],
        ["sort"],
        ["uniq", "-c"],
        ["sort", "-k1,1nr", "-k2"],
        ["head", "-n", "3"],
        ["awk", '{ print $2 ": " $1 }'],
        stdin=unipc.File(path) if path else unipc.PIPE,
        stdout=unipc.PIPE,
        pipefail=True,
    )
    with count.spawn() as running:
        # Feeds the text and collects the output at the same time: however long they are, nobody
        # waits for ever.
        output = running.communicate(None if path else TEXT)

    print(output.stdout.decode(), end="")
    # Also where `head` left early and SIGPIPE ended `sort`.
    print("the pipeline", "succeeded" if output.statuses.success else "failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
