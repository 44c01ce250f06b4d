"""Programs exported for processors that are not this machine's, run by an emulator of them."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.emulated import COMPILERS, EMULATORS, linked, need, need_emulated, run
from tests.other_targets import HereAs

import chainrule as cr
from chainc.backends.llvm.processors.by_name import FAT, processor_named
from chainc.backends.llvm.processors.native import host
from chainc.backends.standalone.objects.sizes import code_bytes
from chainc.ir.errors import GraphError
from chainc.ir.types import Array
from chainc.schedules.layout.machine import AVX512
from chainrule import losses, metrics, nn, optim

EPOCHS, BATCH, ROWS = 2, 4, 11


def dense(x: cr.Node) -> cr.Node:
    return nn.Linear(6, 3)(cr.tanh(nn.Linear(12, 6)(x)))


def convolutional(x: cr.Node) -> cr.Node:
    images = cr.reshape(x, ("batch", 1, 4, 3))
    convolved = cr.relu(nn.Conv2d(1, 3, 2)(images))
    return nn.Linear(18, 3)(nn.Flatten()(convolved))


def recurrent(x: cr.Node) -> cr.Node:
    return nn.Linear(4, 3)(nn.LSTM(3, 4)(cr.reshape(x, ("batch", 4, 3)))[:, -1])


Network = Callable[[cr.Node], cr.Node]
NETWORKS: list[Network] = [dense, convolutional, recurrent]


def small_training(network: Network = dense) -> cr.TrainingProgram:
    """From twelve numbers to three classes, with an optimizer that has slots."""
    x, y = cr.input("x", ("batch", 12)), cr.input("y", ("batch",), dtype="int32")
    step = optim.Adam(lr=0.1).minimize(losses.cross_entropy(network(x), y))
    return cr.compile(cr.training(step, epochs=EPOCHS, batch_size=BATCH), target="llvm")


def data() -> dict[str, Array]:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((ROWS, 12)).astype(np.float32)
    return {"x": x, "y": rng.integers(0, 3, ROWS).astype(np.int32)}


def trained_here(name: str, network: Network = dense) -> bytes:
    """The state that this processor leaves with another one's vectors and registers."""
    target = HereAs(name, processor_named(name))
    program = cr.compile(small_training(network)._training, target=target)
    result = program.run(data(), progress=False)
    return b"".join(array.tobytes() for array in result.state.values())


@pytest.mark.nightly
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", [name for name in EMULATORS if name != "cortex-m4"])
def test_an_emulated_processor_leaves_the_bits_of_this_one(
    name: str, network: Network, tmp_path: Path
) -> None:
    need_emulated(name)
    small_training(network).export(tmp_path, name="small", processor=name)
    told = (tmp_path / "README.md").read_text()
    assert f"as machine code for {processor_named(name).meaning},\n" in told
    assert f"{COMPILERS[name]} main.c small.o -o small" in told
    assert ("there are no vectors" in told) == (name == "riscv64")
    command = linked(name, tmp_path, "main.c", "small.o")
    expected = trained_here(name, network)
    assert on_data(tmp_path, command)[: len(expected)] == expected


def on_data(folder: Path, command: list[str | Path]) -> bytes:
    """The state that a program of main.c leaves."""
    given = data()
    content = b"CHAINDAT" + struct.pack("<3q", ROWS, 0, 0)
    (folder / "data").write_bytes(content + given["x"].tobytes() + given["y"].tobytes())
    run([*command, "data", "state"], folder)
    return (folder / "state").read_bytes()


@pytest.mark.nightly
def test_a_fat_library_chooses_by_what_the_processor_has(tmp_path: Path) -> None:
    emulator = "qemu-x86_64"
    need("cc", emulator)
    small_training().export(tmp_path, name="small", processor=FAT)
    run(["cc", "-std=c11", "main.c", "libsmall.a", "-o", "small"], tmp_path)
    run(["cc", "-std=c11", "main.c", "libsmall.so", "-Wl,-rpath,.", "-o", "shared"], tmp_path)
    plain, fused = trained_here("x86-64"), trained_here("x86-64-v3")
    for program in ("./small", "./shared"):
        least = on_data(tmp_path, [emulator, "-cpu", "qemu64", program])
        more = on_data(tmp_path, [emulator, "-cpu", "max", program])  # it has no AVX-512
        assert least[: len(plain)] == plain
        assert more[: len(fused)] == fused
    if host().machine == AVX512:
        most = trained_here("x86-64-v4")
        assert on_data(tmp_path, ["./small"])[: len(most)] == most


ON_A_BOARD = """\
#include <stdio.h>
#include "small.h"

static const float x[] = {%s};
static const int32_t y[] = {%s};
static double history[2 * SMALL_EPOCHS * SMALL_HISTORY_COLUMNS];

int main(void) {
    static const size_t sizes[SMALL_TENSORS] = {%s};
    static char values[4096];
    small_job job = {.epochs = SMALL_EPOCHS, .history = history};
    job.training = (small_data){.rows = %d, .x_data = x, .y_data = y};
    if (small_init(small_memory, SMALL_SEED)) return 1;
    if (small_train(small_memory, &job)) return 2;
    for (int i = 0; i < SMALL_TENSORS; i++) {
        if (small_get(small_memory, i, values)) return 3;
        fwrite(values, 1, sizes[i], stdout);
    }
    return 0;
}
"""


@pytest.mark.nightly
@pytest.mark.parametrize("network", NETWORKS)
def test_a_board_leaves_the_bits_of_a_processor_that_fuses_nothing(
    network: Network, tmp_path: Path
) -> None:
    """Its code is run by an emulator of a larger processor of the same instructions."""
    need_emulated("cortex-m4")
    small_training(network).export(tmp_path, name="small", processor="cortex-m4")
    names = re.findall(r"#define (SMALL_BYTES_\w+)", (tmp_path / "small.h").read_text())
    given = data()
    numbers = [", ".join(map(repr, given[name].ravel().tolist())) for name in ("x", "y")]
    (tmp_path / "main.c").write_text(ON_A_BOARD % (*numbers, ", ".join(names), ROWS))
    command = linked("cortex-m4", tmp_path, "main.c", "small.o")
    expected = trained_here("cortex-m4", network)
    assert run(command, tmp_path)[: len(expected)] == expected


def small_function() -> cr.Function[Array]:
    return cr.compile(cr.exp(cr.input("x", (2,))))


def training_without_data() -> cr.TrainingProgram:
    w = cr.parameter("w", (3,), 1.0)
    step = optim.SGD(lr=0.1).minimize(cr.mean(cr.square(cr.normal((4, 3)) @ w)))
    return cr.compile(cr.training(step, epochs=EPOCHS), target="numpy")


@pytest.mark.parametrize("declare", [small_training, training_without_data, small_function])
def test_the_firmware_of_a_readme_fits_its_header(
    declare: Callable[[], cr.TrainingProgram | cr.Function[Array]], tmp_path: Path
) -> None:
    compiler = COMPILERS["cortex-m4"]
    need(compiler)
    program = declare()
    program.export(tmp_path, name="small", processor="cortex-m4")
    told = (tmp_path / "README.md").read_text()
    (firmware,) = re.findall(r"^```c\n(.*?)^```$", told, re.MULTILINE | re.DOTALL)
    (tmp_path / "firmware.c").write_text(firmware)
    run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-c", "firmware.c"], tmp_path)
    bits = told.partition("## Bits")[2]
    assert "threads" not in bits
    assert "there are no vectors\n" in bits


def network(units: int = 3000) -> cr.TrainingProgram:
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(64, units), nn.Linear(units, 10))(x)
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(logits, y))
    return cr.compile(cr.training(step, epochs=1, batch_size=32), target="numpy")


def in_double_precision() -> cr.TrainingProgram:
    x = cr.input("x", ("batch", 3), "float64")
    w = cr.parameter("w", (3,), 1.0, dtype="float64")
    step = optim.SGD(lr=0.1).minimize(cr.mean(cr.square(x @ w)))
    return cr.compile(cr.training(step, epochs=1, batch_size=4), target="numpy")


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (
            network,
            r"takes [\d,]+ bytes of memory, [\d,]+ more than the 262,144 of an ARM Cortex-M4 .*; "
            r"most take sequential/linear1/weight \(768,000\), [^§]*\n  try: declare fewer units",
        ),
        (in_double_precision, r"is f64\[.*computes with 32 bits\n[^§]*\n  try: declare inputs"),
    ],
)
def test_what_a_board_does_not_have_is_refused(
    declare: Callable[[], cr.TrainingProgram], message: str, tmp_path: Path
) -> None:
    with pytest.raises(GraphError, match=message):
        declare().export(tmp_path / "new", name="large", processor="cortex-m4")
    assert not (tmp_path / "new").exists()


def test_what_an_epoch_decides_has_numbers_of_64_bits_on_a_board_too(tmp_path: Path) -> None:
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch",))
    fitted = cr.reshape(nn.Linear(3, 1)(x), ("batch",))
    step = optim.SGD(lr=0.1).minimize(losses.squared_error(fitted, y))
    rule = cr.EarlyStopping("val_loss", patience=2)
    program = cr.compile(cr.training(step, epochs=9, batch_size=4, stop=rule), target="numpy")
    program.export(tmp_path, name="small", processor="cortex-m4")
    header = (tmp_path / "small.h").read_text()
    assert "early_stopping/val_loss/best: double" in header
    assert "int64_t small_ended(const void *arena);" in header


@pytest.mark.nightly
def test_digits_are_small_on_a_board(tmp_path: Path) -> None:
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    measured = {"accuracy": metrics.accuracy(logits, y)}
    program = cr.compile(cr.training(step, epochs=3, batch_size=32, metrics=measured))
    program.export(tmp_path, name="digits", predict=logits, processor="cortex-m4")
    found = code_bytes((tmp_path / "digits.o").read_bytes())
    assert found <= 48 * 1024
    told = (tmp_path / "README.md").read_text()
    assert f"| code and constants | {found:,} |" in told
    assert "`digits_memory`" in told


CALLER = """\
#include <stdio.h>
#include <stdlib.h>
#include "net.h"

int main(void) {
    static const float x[] = {%s};
    static float results[6];
    void *arena = aligned_alloc(NET_ARENA_ALIGNMENT, NET_ARENA_BYTES);
    if (arena == NULL || net_init(arena)) return 1;
    if (net_call(arena, x, 2, results)) return 2;
    fwrite(results, sizeof results, 1, stdout);
    return 0;
}
"""


def computed_elsewhere(folder: Path, name: str, like: str) -> bytes:
    """What a function gives that is exported, and has the bits of this processor's code."""
    x = cr.input("x", ("batch", 4))
    weight = cr.constant(np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3))
    graph = cr.softmax(cr.tanh(x @ weight), axis=-1)
    cr.compile(graph).export(folder, name="net", processor=name)
    given = np.linspace(-2, 3, 8, dtype=np.float32).reshape(2, 4)
    (folder / "caller.c").write_text(CALLER % ", ".join(map(repr, given.ravel().tolist())))
    command = linked(like, folder, "caller.c", "libnet.a")
    expected = cr.compile(graph, target=HereAs(name, processor_named(like)))(x=given).tobytes()
    assert run(command, folder) == expected
    return expected


def test_an_emulated_processor_computes_a_function_with_the_bits_of_this_one(
    tmp_path: Path,
) -> None:
    need_emulated("aarch64")
    assert computed_elsewhere(tmp_path, "aarch64", like="aarch64")


@pytest.mark.nightly
def test_a_fat_function_chooses_too(tmp_path: Path) -> None:
    need_emulated("x86-64")
    assert computed_elsewhere(tmp_path, FAT, like="x86-64")


@pytest.mark.nightly
@pytest.mark.parametrize("network", NETWORKS)
def test_webassembly_leaves_the_bits_of_a_processor_that_fuses_nothing(network: Network) -> None:
    program = cr.compile(small_training(network)._training, target="wasm")
    result = program.run(data(), progress=False)
    found = b"".join(array.tobytes() for array in result.state.values())
    assert found == trained_here("x86-64", network)
