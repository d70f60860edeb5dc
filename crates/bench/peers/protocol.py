"""The child's end of the line protocol: one JSON object a line in, one out. See src/side.rs."""
import contextlib
import json
import os
import sys


def peak_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not say VmHWM")


def serve(side):
    """Calls the method of `side` that is named by each request's `op`, with the other keys as arguments."""
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        try:
            answer = {"bytes": peak_bytes()} if op == "peak" else getattr(side, op)(**request)
        except Exception as error:  # the parent shows it and stops
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def lines(path):
    """The lines of a text file, and nothing but \\n between them."""
    with open(path, encoding="utf-8", newline="\n") as file:
        return file.read().removesuffix("\n").split("\n")


@contextlib.contextmanager
def silence():
    """What a library shows of its progress goes nowhere."""
    shown = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(shown, 2)
        os.dup2(shown, 1)
        os.close(shown)
        os.close(nowhere)
