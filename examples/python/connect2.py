"""Connects two programs by a pipe: the output of the first is the input of the second.

By hand, to show what happens; a Pipeline does it for any number of programs, and ends those before
one that cannot be started.

Run it: python3 connect2.py ls -l -- wc -l
"""

import sys

import unipc


def main(*words: str) -> None:
    words = words or ("printf", "%s\n", "pear", "apple", "fig", "--", "sort")
    if "--" not in words:
        sys.exit("usage: connect2 PROGRAM [ARG...] -- PROGRAM [ARG...]")
    dashes = words.index("--")

    reader, writer = unipc.pipe()
    # Each end goes with its program and is closed here: or the second would never see the end of
    # file.
    first = unipc.spawn(words[:dashes], stdout=writer)
    second = unipc.spawn(words[dashes + 1 :], stdin=reader)

    codes = first.wait().shell_code, second.wait().shell_code
    print("the first ended with {}, the second with {}".format(*codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
