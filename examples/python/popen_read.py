"""Reads what a command line of the shell writes, line by line.

Run it: python3 popen_read.py 'ls | sort -r'
"""

import sys

import unipc


def main(line: str = "echo one; echo two; exit 3") -> None:
    with unipc.popen(unipc.shell(line)) as stream:
        for number, text in enumerate(stream, 1):
            print(f"line {number}:", text.removesuffix("\n"))
        print(f"it ended with {stream.close().shell_code}")


if __name__ == "__main__":
    main(*sys.argv[1:])
