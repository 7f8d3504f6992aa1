"""How the programs under test talk with the tests: a line comes in, a verb and its arguments with
tabs in between; a line goes out, "ok" and a result, or "error" and an errno and a sentence.
"""

import sys


def talk(actor: object) -> None:
    """Lets each line call the method of its verb."""
    for line in sys.stdin:
        verb, *arguments = line.rstrip("\n").split("\t")
        try:
            result = getattr(actor, verb)(*arguments)
        except OSError as error:
            print("error", error.errno, error.strerror, sep="\t", flush=True)
        else:
            print("ok", "" if result is None else result, sep="\t", flush=True)
