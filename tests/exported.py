"""A program exported for this processor, and its library called from here, for several tests."""

from __future__ import annotations

import ctypes
import re
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainc.backends.c.file import FLAGS
from chainc.ir.types import Array
from chainrule import losses, metrics, nn, optim

CC = shutil.which("cc")
ROWS, BATCH, EPOCHS, SEED = 203, 32, 3, 5
OK, BAD_ARGUMENT, BAD_INDEX, BAD_ARENA = range(4)


@dataclass(frozen=True)
class Exported:
    """The program, what it predicts, and the folder of its files."""

    program: cr.TrainingProgram
    logits: cr.Node
    folder: Path
    name: str = "digits"

    @property
    def header(self) -> str:
        return (self.folder / f"{self.name}.h").read_text()

    def number(self, name: str) -> int:
        """A constant of the header."""
        found = re.search(rf"#define {self.name.upper()}_{name} (?:INT64_C\()?(-?\d+)", self.header)
        assert found is not None, name
        return int(found[1])

    def tensor(self, name: str) -> int:
        constants = rf"^    {self.name.upper()}_TENSOR_(\w+),"
        return re.findall(constants, self.header, re.M).index(name)

    @property
    def tensors(self) -> list[str]:
        """What they are called in Python, in the order of the header."""
        return re.findall(r"^    \w+_TENSOR_\w+, /\* (.+): ", self.header, re.M)

    def state_bytes(self, state: cr.State, lr: float = 0.1) -> bytes:
        """Every tensor in the order of the header; the hyperparameters come last."""
        told = self.tensors
        names = told[: len(state)]
        assert (set(names), told[len(state) :]) == (set(state), ["lr", "momentum"])
        return b"".join(state[name].tobytes() for name in names) + struct.pack("<2f", lr, 0.9)


def exported_digits(folder: Path, target: str = "llvm") -> Exported:
    """64-32-10 with momentum, a metric, and a prediction; of C source the library is built here."""
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    logits = model(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    measured = {"accuracy": metrics.accuracy(logits, y)}
    declared = cr.training(step, epochs=EPOCHS, batch_size=BATCH, seed=SEED, metrics=measured)
    program = cr.compile(declared)
    processor = "native" if target == "llvm" else None
    made = cr.compile(declared, target=target)
    made.export(folder, name="digits", predict=logits, processor=processor)
    if target == "c":
        build(folder, "digits.c", "-shared", "-fPIC", "-o", "libdigits.so")
    return Exported(program, logits, folder)


def build(folder: Path, *words: str) -> None:
    """By the C compiler that is there, which has nothing to complain of."""
    flags = ["-O0" if flag == "-O2" else flag for flag in FLAGS]  # it is compiled, not timed
    strict = ("-Wall", "-Wextra", "-Werror", "-Wno-psabi")
    assert CC is not None
    subprocess.run([CC, *flags, *strict, *words, "-lm"], cwd=folder, check=True)


def data(rows: int = ROWS, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 64)).astype(np.float32)
    return {"x": x, "y": rng.integers(0, 10, rows).astype(np.int32)}


class Library:
    """The shared library, with an arena of its own."""

    def __init__(self, exported: Exported, seed: int | None = SEED) -> None:
        self.exported = exported
        self.api = ctypes.CDLL(str(exported.folder / f"lib{exported.name}.so"))
        self._function("version").restype = ctypes.c_char_p
        self._function("records").restype = ctypes.c_int64
        size = exported.number("ARENA_BYTES")
        space = np.full(size + 64, 0xA5, np.uint8)  # what malloc gives is not zero
        self.arena = space[-space.ctypes.data % 64 :][:size]
        if seed is not None:
            assert self.call("init", ctypes.c_int64(seed)) == OK

    def call(self, function: str, *arguments: object) -> int:
        """With the arena before the arguments; an array is passed by its address."""
        return self.call_with(self.arena, function, *arguments)

    def train_together(self, job: Array) -> Sequence[int]:
        """What two threads find that do a job which has begun."""
        two = ctypes.c_int64(2)
        with ThreadPoolExecutor(2) as threads:
            done = [threads.submit(self.call, "train_thread", job, ctypes.c_int64(thread), two)
                    for thread in range(2)]  # fmt: skip
        return [each.result() for each in done]

    def call_with(self, *given: object) -> int:
        arena, function, *arguments = given
        result: int = self._function(str(function))(*map(_passed, (arena, *arguments)))
        return result

    def _function(self, name: str) -> Any:
        return getattr(self.api, f"{self.exported.name}_{name}")

    def get(self, name: str, shape: tuple[int, ...] = (), dtype: str = "float32") -> Array:
        values = np.zeros(shape, dtype)
        assert self.call("get", self.exported.tensor(name), values) == OK
        return values

    def state(self) -> bytes:
        """Every tensor, in the order of the header."""
        name = self.exported.name.upper()
        sizes = re.findall(rf"#define {name}_BYTES_\w+ (\d+)", self.exported.header)
        parts = [np.zeros(int(size), np.uint8) for size in sizes]
        for tensor, part in enumerate(parts):
            assert self.call("get", tensor, part) == OK
        return b"".join(part.tobytes() for part in parts)


def _passed(argument: object) -> object:
    if argument is None:
        return ctypes.c_void_p()
    return ctypes.c_void_p(argument.ctypes.data) if isinstance(argument, np.ndarray) else argument


def data_words(values: Mapping[str, Array], flags: int = 0) -> list[int]:
    """The words of the struct of a data set."""
    return [len(values["y"]), values["x"].ctypes.data, values["y"].ctypes.data, flags]


def data_struct(values: Mapping[str, Array]) -> Array:
    return struct_of(data_words(values))


def struct_of(words: Sequence[int]) -> Array:
    return np.array(words, np.int64)


def job_struct(training: Mapping[str, Array], epochs: int, history: Array) -> Array:
    return struct_of([*data_words(training), 0, 0, 0, 0, epochs, history.ctypes.data])
