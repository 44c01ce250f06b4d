"""Programs exported for a browser, and run in one: the bits of a run in this process."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import wasmtime
from tests.browser import OpenPage
from tests.exported import BATCH, SEED, data
from tests.scripts import computed_by_script

import chainrule as cr
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule import losses, metrics, nn, optim

HELD_OUT = 40
FILES = ["digits.wasm", "digits.fused.wasm", "digits.js", "digits.d.ts", "index.html", "README.md"]


@dataclass(frozen=True)
class OnTheWeb:
    """The program, what it predicts, and the folder of its files."""

    program: cr.TrainingProgram
    logits: cr.Node
    folder: Path


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> OnTheWeb:
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    measured = {"accuracy": metrics.accuracy(logits, y)}
    declared = cr.training(step, epochs=3, batch_size=BATCH, seed=SEED, metrics=measured)
    folder = tmp_path_factory.mktemp("web")
    program = cr.compile(declared, target="wasm")
    paths = program.export(folder, name="digits", predict=logits)
    assert [path.name for path in paths] == FILES
    return OnTheWeb(program, logits, folder)


def data_file(path: Path, training: dict[str, Array], validation: dict[str, Array]) -> Path:
    content = b"CHAINDAT" + struct.pack("<3q", len(training["y"]), len(validation["y"]), 0)
    for values in (training, validation):
        content += values["x"].tobytes() + values["y"].tobytes()
    path.write_bytes(content)
    return path


def test_the_page_leaves_the_bits_of_a_run_in_this_process(
    digits: OnTheWeb, open_page: OpenPage, tmp_path: Path
) -> None:
    training, validation = data(), data(HELD_OUT, 1)
    page = open_page(digits.folder / "index.html")
    page.uncheck("#fused")
    page.set_input_files("#file", data_file(tmp_path / "digits.data", training, validation))
    page.wait_for_selector("tbody tr:nth-child(3)")
    with page.expect_download() as download:
        page.click("#save")
    result = digits.program.run(training, validation=validation, progress=False)
    state = b"".join(array.tobytes() for array in result.state.values())
    found = download.value.path().read_bytes()
    assert len(found) == len(state) + 8  # the rate and the momentum follow
    assert {found[: len(state)]} == {state}
    told = ["loss", "validation loss", "accuracy", "validation accuracy"]
    assert page.inner_text("thead").strip().split("\t") == ["epoch", *told]
    loss, accuracy, held_loss, held_accuracy = result.history.values()
    shown = [line.split("\t") for line in page.inner_text("tbody").splitlines()]
    expected = [loss, held_loss, accuracy, held_accuracy]
    rounded = [[float(number) for number in line[1:]] for line in shown]
    np.testing.assert_allclose(rounded, np.array(expected).T, rtol=1e-5)
    page.set_input_files("#file", digits.folder / "README.md")
    page.locator("#message", has_text="CHAINDAT").wait_for()


def test_the_choice_of_arithmetic_waits_for_what_the_browser_can(digits: OnTheWeb) -> None:
    """The worker's first answer sets the box: it would undo a choice that was made before."""
    page = (digits.folder / "index.html").read_text()
    assert '<input type="checkbox" id="fused" checked disabled>' in page


# the file that was chosen first is read last
SLOW_FIRST = """
() => {
    const read = Blob.prototype.arrayBuffer;
    let second = null;
    const later = new Promise((done) => { second = done; });
    let count = 0;
    Blob.prototype.arrayBuffer = async function () {
        const number = ++count, bytes = await read.call(this);
        if (number === 1) await later;
        else setTimeout(second);
        return bytes;
    };
}
"""


def test_the_file_that_was_chosen_last_is_trained_on(
    digits: OnTheWeb, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(digits.folder / "index.html")
    page.evaluate(SLOW_FIRST)
    page.set_input_files("#file", digits.folder / "README.md")
    page.set_input_files("#file", data_file(tmp_path / "data", data(), data(HELD_OUT, 1)))
    page.wait_for_selector("tbody tr:nth-child(3)")


def test_the_page_answers_while_it_trains(
    digits: OnTheWeb, open_page: OpenPage, tmp_path: Path
) -> None:
    """An endless training is in the one worker; the page saves, refuses, and begins anew."""
    declared = digits.program._training
    endless = cr.training(declared.step, epochs=10**9, batch_size=BATCH, seed=SEED)
    cr.compile(endless, target="wasm").export(tmp_path, name="digits")
    given = data_file(tmp_path / "digits.data", data(), data(HELD_OUT, 1))
    page = open_page(tmp_path / "index.html")
    page.set_input_files("#file", given)
    page.wait_for_selector("tbody tr:nth-child(1000)")
    assert len(page.workers) == 1
    assert page.evaluate("[typeof load, typeof PROGRAM]") == ["undefined", "undefined"]
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.path().stat().st_size > 0
    page.set_input_files("#file", tmp_path / "README.md")
    page.locator("#message", has_text="CHAINDAT").wait_for()
    assert page.locator("tbody tr").count() == 0
    page.set_input_files("#file", given)
    page.wait_for_selector("tbody tr:nth-child(3)")


def test_the_module_is_small_and_imports_nothing_but_its_memory(digits: OnTheWeb) -> None:
    content = (digits.folder / "digits.wasm").read_bytes()
    assert len(content) <= 60_000
    module = wasmtime.Module(wasmtime.Engine(), content)
    assert [(each.module, each.name) for each in module.imports] == [("env", "memory")]
    assert {"init", "train", "predict"} < {each.name for each in module.exports}


def test_only_the_fused_module_has_fused_instructions(digits: OnTheWeb) -> None:
    config = wasmtime.Config()
    config.wasm_relaxed_simd = False
    engine = wasmtime.Engine(config)
    wasmtime.Module.validate(engine, (digits.folder / "digits.wasm").read_bytes())
    with pytest.raises(wasmtime.WasmtimeError, match="relaxed SIMD"):
        wasmtime.Module.validate(engine, (digits.folder / "digits.fused.wasm").read_bytes())
    probe = re.search(r"PROBE = \[([\d, \n]+)\]", (digits.folder / "digits.js").read_text())
    assert probe is not None
    asked = bytes(map(int, re.findall(r"\d+", probe[1])))
    wasmtime.Module.validate(wasmtime.Engine(), asked)
    with pytest.raises(wasmtime.WasmtimeError, match="relaxed SIMD"):
        wasmtime.Module.validate(engine, asked)


def test_types_and_readme_tell_of_this_program(digits: OnTheWeb) -> None:
    types = (digits.folder / "digits.d.ts").read_text()
    assert '"x": Float32Array | Uint8Array;' in types
    assert '/** 1 for each row, from 0 to 9. */\n    "y": Int32Array;' in types
    assert "predict(inputs: Given): Float32Array;" in types
    names = re.findall(r'^    \| "(.*)"', types, re.M)
    assert set(digits.program.initial_state()) < set(names)
    told = (digits.folder / "README.md").read_text()
    size = (digits.folder / "digits.wasm").stat().st_size
    assert f"| `digits.wasm` | {size:,} | for every browser |" in told


def test_the_portable_files_are_the_script_and_one_module(digits: OnTheWeb, tmp_path: Path) -> None:
    paths = digits.program.export(
        tmp_path, name="digits", predict=digits.logits, processor="portable"
    )
    assert [path.name for path in paths] == ["digits.wasm", "digits.js", "digits.d.ts"]
    assert (tmp_path / "digits.wasm").read_bytes() == (digits.folder / "digits.wasm").read_bytes()
    types, of_two = ((each / "digits.d.ts").read_text() for each in (tmp_path, digits.folder))
    for told, wasm, fused in (
        (types, "[BufferSource]", "false"),
        (of_two, "[BufferSource, BufferSource]", "boolean"),
    ):
        assert f"    wasm?: {wasm};\n" in told
        assert f"    fused?: {fused};\n" in told
    script = (tmp_path / "digits.js").read_text()
    assert "digits.wasm" in script
    assert "digits.fused.wasm" not in script
    function = cr.compile(cr.exp(cr.input("x", (2,))), target="wasm")
    paths = function.export(tmp_path, name="small", processor="portable")
    assert [path.name for path in paths] == ["small.wasm", "small.js", "small.d.ts"]
    assert "    wasm?: [BufferSource];\n" in paths[2].read_text()


def test_exporting_again_writes_the_same_bytes(digits: OnTheWeb, tmp_path: Path) -> None:
    for path in digits.program.export(tmp_path, name="digits", predict=digits.logits):
        assert path.read_bytes() == (digits.folder / path.name).read_bytes()


def test_the_script_does_what_its_types_say(digits: OnTheWeb, open_page: OpenPage) -> None:
    given = data(2 * BATCH + 5)
    use = f"""
        const x = Float32Array.from({given["x"].ravel().tolist()});
        const y = Int32Array.from({given["y"].tolist()});
        const part = {{ x: x.slice(0, {BATCH * 64}), y: y.slice(0, {BATCH}) }};
        const training = await load({{
            rows: y.length, validationRows: {BATCH}, fused: false, wasm,
        }});
        const refused = (action) => {{
            try {{ action(); }} catch (error) {{ return error.message; }}
        }};
        const before = training.state();
        training.step(part);
        training.restore(before);
        const again = training.state().every((each, i) => each === before[i]);
        training.set("lr", [0.5]);
        training.data({{ x, y }}, part);
        return {{
            again, rate: training.get("lr")[0], logits: [...training.predict({{ x }})],
            means: training.evaluate("training"), memory: training.memoryBytes,
            refusals: [
                refused(() => training.get("nothing")),
                refused(() => training.set("lr", [1, 2])),
                refused(() => training.data({{ x, y: part.y }})),
                refused(() => training.step({{ x, y }})),
                refused(() => training.step({{ x: part.x, y: part.y.map(() => 10) }})),
                refused(() => training.restore(new Uint8Array(3))),
            ],
        }};
    """
    found = computed_by_script(open_page, digits.folder, "digits", use)
    assert isinstance(found, dict)
    state = digits.program.initial_state()
    logits = cr.compile(digits.logits, target="wasm").bind(state)(x=given["x"])
    assert (found["again"], found["rate"]) == (True, 0.5)
    np.testing.assert_array_equal(np.array(found["logits"], np.float32), logits.ravel())
    assert found["means"] == digits.program.evaluate(given, state)
    assert found["memory"] % 65536 == 0
    assert found["refusals"] == [
        "there is no nothing",
        "lr has 1 elements, not 2",
        "the arrays do not have the same number of whole rows",
        "there is room for 1 to 32 rows, not for 69",
        "step: a label or another index is out of range",
        f"a state has {_state_bytes(state)} bytes",
    ]


def _state_bytes(state: cr.State) -> int:
    return sum(array.nbytes for array in state.values()) + 8


def test_a_function_runs_in_a_browser(open_page: OpenPage, tmp_path: Path) -> None:
    x, scale = cr.input("x", ("batch", 3)), cr.input("ä", (2,))
    logits = x @ cr.constant(np.arange(6, dtype=np.float32).reshape(3, 2)) * scale
    function = cr.compile(cr.tanh(logits), target="wasm")
    paths = function.export(tmp_path, name="small")
    assert [path.name for path in paths] == [
        "small.wasm", "small.fused.wasm", "small.js", "small.d.ts", "README.md",
    ]  # fmt: skip
    use = """
        const computation = await load({ rows: 5, fused: false, wasm });
        const scale = Float32Array.of(1, 0.5), x = new Float32Array(6).map((_, i) => i / 10);
        return [...computation.call({ x, "ä": scale }).results];
    """
    found = computed_by_script(open_page, tmp_path, "small", use)
    given = np.arange(6, dtype=np.float32).reshape(2, 3) / np.float32(10)
    expected = function({"x": given, "ä": np.array([1, 0.5], np.float32)})
    np.testing.assert_array_equal(np.array(found, np.float32), expected.ravel())


def test_a_function_of_nothing_is_called_with_nothing(open_page: OpenPage, tmp_path: Path) -> None:
    declared = cr.compile([cr.normal((5,)), cr.argmax(cr.uniform((3, 4)), axis=1)], target="wasm")
    function = declared.bind(declared.initial_state(seed=3))
    function.export(tmp_path, name="drawn")
    assert "call(inputs?: Given): Results;" in (tmp_path / "drawn.d.ts").read_text()
    assert "computation.call());" in (tmp_path / "README.md").read_text()
    use = """
        const [normal, places] = Object.values((await load({ fused: false, wasm })).call());
        return [[...normal], [...places].map(Number)];
    """
    found = computed_by_script(open_page, tmp_path, "drawn", use)
    normal, places = function()
    assert found == [[float(each) for each in normal], places.tolist()]


def test_results_of_the_same_name_are_told_apart(open_page: OpenPage, tmp_path: Path) -> None:
    x = cr.input("x", (3,))
    names = ["sum", "sum", "sum_2", "sum"]
    graph = cr.Graph([x * float(i) for i in range(1, 5)], names=names)
    cr.compile(graph, target="wasm").export(tmp_path, name="sums")
    use = """
        const found = (await load({ wasm })).call({ x: Float32Array.of(1, 10, 100) });
        return Object.entries(found).map(([name, values]) => [name, values[1]]);
    """
    found = computed_by_script(open_page, tmp_path, "sums", use)
    assert found == [["sum", 10], ["sum_2", 20], ["sum_2_2", 30], ["sum_3", 40]]


def test_a_browser_is_no_processor(digits: OnTheWeb, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not for the processor 'aarch64'\n.*\n  try: leave"):
        digits.program.export(tmp_path / "new", name="digits", processor="aarch64")
    assert not (tmp_path / "new").exists()
