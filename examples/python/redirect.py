"""Sends standard output, this process's and its child's, into a pipe for a while.

Run it: python3 redirect.py
"""

import subprocess

import unipc


def main() -> None:
    print("before: to the terminal")

    reader, writer = unipc.pipe()
    with writer, writer.redirect("stdout"):  # dup2(2)
        print("a line of this process", flush=True)
        subprocess.run(["echo", "a line of its child"], check=True)
    # Both writers are gone, the duplicate and the original: the reader comes to an end.

    with reader:
        for line in reader.read().decode().splitlines():
            print(f"from the pipe: {line}")
    print("after: to the terminal")


if __name__ == "__main__":
    main()
