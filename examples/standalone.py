"""A training loop that leaves Python: a C program trains the digits network.

`export` writes an object file, a shared library, a header and `main.c`. If there is a C compiler,
`main.c` is compiled, and trains on a data file written here. Its history is that of a run in this
process.
"""

import argparse
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim


@dataclass(frozen=True)
class Results:
    """The history of a run in this process, and what the C program printed, if there was one."""

    history: Mapping[str, tuple[float, ...]]
    printed: str


def write_data(path: Path, digits: datasets.Dataset) -> None:
    """The file that `main.c` reads: a header, the training data, the validation data."""
    with path.open("wb") as file:
        file.write(b"CHAINDAT")
        file.write(np.array([len(digits.train.y), len(digits.test.y), 0], "<i8").tobytes())
        for split in (digits.train, digits.test):
            file.write(split.x.astype("<f4").tobytes())
            file.write(split.y.astype("<i4").tobytes())


def run_in_c(folder: Path) -> str:
    """Compile `main.c`, and run it: what it prints. Nothing without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return ""
    sources = ("main.c", "digits.o", "-o", "digits")
    subprocess.run([compiler, "-std=c11", "-O2", *sources], cwd=folder, check=True)
    command = [str((folder / "digits").absolute()), "digits.data", "digits.state"]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(folder: Path) -> Results:
    """Export, and train in both ways; everything is written to `folder`."""
    digits = datasets.digits()
    x = cr.input("x", ("batch", 64))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    logits = model(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    accuracy = metrics.accuracy(logits, y)
    training = cr.training(step, epochs=20, batch_size=32, metrics={"accuracy": accuracy})
    program = cr.compile(training)

    # for this processor, so that the C program leaves the same bits as `run` does here
    files = program.export(folder, name="digits", predict=logits, processor="native")
    print("written:", ", ".join(path.name for path in files))
    write_data(folder / "digits.data", digits)

    printed = run_in_c(folder).strip()
    print(
        "the C program:",
        *(printed.splitlines()[-3:] or ["not run: there is no C compiler"]),
        sep="\n  ",
    )

    history = program.run(
        {x: digits.train.x, y: digits.train.y}, validation={x: digits.test.x, y: digits.test.y}
    ).history
    last = ", ".join(f"{name} {values[-1]:.6g}" for name, values in history.items())
    print(f"the last epoch of a run in Python:\n  {last}")
    return Results(history, printed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("standalone"))
    main(parser.parse_args().out)
