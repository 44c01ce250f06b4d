"""Every example: what it computes, what it prints and what it draws."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy
from numpy.typing import NDArray
from tests.examples.running import FOLDER, Run, load, run

import chainrule as cr
from chainc.passes import PIPELINE
from chainrule import datasets, nn, text

SVG = "{http://www.w3.org/2000/svg}"

PICTURES = {
    "autoencoders": ["images"],
    "beam_search": [],
    "cart_pole": ["returns"],
    "catch": ["caught"],
    "characters": ["network"],
    "circuits": ["G1", "G2", "G2-stabilized", "G3", "G4", "G5", "G5-gradient", "G6"],
    "density": ["density", "drawn"],
    "digits": ["gradient", "declared", *(step.name for step in PIPELINE)],
    "digits_gan": ["images"],
    "draw_passes": [
        f"{number}-{name}"
        for number, name in enumerate(["declared", *(step.name for step in PIPELINE)])
    ],
    "gaussians": ["points"],
    "grid_world": [],
    "logistic_regression": ["gradient", "loss"],
    "missing": ["filled", "roc"],
    "mnist": ["memory", "network"],
    "plots": ["activations", "boundary", "gradients", "history", "layers", "network", "rates",
              "surface", "valley", "weights"],
    "rare_class": ["mistakes", "roc"],
    "reservoir": ["reservoir"],
    "ring": ["network"],
    "sequence_tasks": [],
    "several_tasks": [],
    "sine_tasks": [],
    "standalone": [],
    "symmetry": ["gradient"],
    "try_linear": ["one-layer", "three-layers"],
    "without_labels": ["centres"],
    "xor": ["network"],
}  # fmt: skip


def labels(picture: Path) -> list[str]:
    """The texts in a picture."""
    return [text.text or "" for text in ElementTree.parse(picture).iter(f"{SVG}text")]


def test_every_example_is_tested() -> None:
    assert sorted(PICTURES) == sorted(path.stem for path in FOLDER.glob("*.py"))


LONG = {  # trained once a night, and not twice
    "autoencoders", "cart_pole", "catch", "characters", "density", "digits_gan", "gaussians",
    "grid_world", "missing", "sequence_tasks", "several_tasks", "sine_tasks", "without_labels",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.nightly] if name in LONG else [])
        for name in sorted(PICTURES)
    ],
)
def test_the_pictures_are_drawn(name: str, first_run: Callable[[str], Run]) -> None:
    first = first_run(name)
    assert first.report.count("\n") >= 3
    drawn = list(first.folder.glob("*.svg"))
    assert sorted(picture.stem for picture in drawn) == sorted(PICTURES[name])
    for picture in drawn:
        assert ElementTree.parse(picture).getroot().tag == f"{SVG}svg"
        assert labels(picture)


# plots are compared by their own tests, which train nothing
@pytest.mark.parametrize("name", sorted(PICTURES.keys() - {"plots", *LONG}))
def test_the_report_and_the_pictures_are_the_same_every_time(
    name: str,
    first_run: Callable[[str], Run],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = first_run(name)
    run(name, tmp_path)
    assert capsys.readouterr().out == first.report
    for picture in first.folder.glob("*.svg"):
        assert picture.read_bytes() == (tmp_path / picture.name).read_bytes()


@pytest.mark.parametrize(("name", "line"), [("circuits", "G4"), ("xor", "100%")])
def test_an_example_runs_as_a_script(name: str, line: str, tmp_path: Path) -> None:
    """From any folder; without --out the pictures are kept in a folder of the example's name."""
    finished = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert line in finished.stdout
    assert finished.stderr == ""
    pictures = (tmp_path / "pictures" / name).glob("*.svg")
    assert sorted(picture.stem for picture in pictures) == sorted(PICTURES[name])


# The worked graphs of the lectures: the value of the output, and derivatives by name.
SIGMOID = {"w0": -0.1966, "w1": -0.3932, "w2": 0.1966, "x0": 0.3932, "x1": -0.5898}
WORKED: Mapping[str, tuple[float, Mapping[str, float]]] = {
    "G1": (-12, {"q": -4, "x": -4, "y": -4, "z": 3}),
    "G2": (0.7311, SIGMOID),
    "G3": (0.7311, SIGMOID),
    "G2-stabilized": (0.7311, SIGMOID),
    "G4": (4, {"z4": 1, "z3": -1, "z2": 1, "z1": 2, "x1": 4, "x2": 3, "x3": 2}),
}


def test_circuits_give_the_numbers_of_the_lectures(first_run: Callable[[str], Run]) -> None:
    tables = first_run("circuits").results
    for name, (value, derivatives) in WORKED.items():
        table = tables[name]
        output = "y" if name == "G4" else "f"
        assert table[output] == pytest.approx((value, 1), abs=5e-5)  # 4 decimals
        computed = {key: table[key][1] for key in derivatives}
        assert computed == pytest.approx(derivatives, abs=5e-5)
    assert {name: tables["G1"][name][0] for name in "xyzq"} == {"x": -2, "y": 5, "z": -4, "q": 3}
    values = {name: tables["G4"][name][0] for name in ("z1", "z2", "z3", "z4")}
    assert values == {"z1": 1, "z2": 6, "z3": 2, "z4": 4}


def test_a_chain_of_gates_becomes_one_gate(first_run: Callable[[str], Run]) -> None:
    made = first_run("circuits")
    tables = made.results
    for name, numbers in tables["G2"].items():
        assert numbers == pytest.approx(tables["G3"][name], rel=1e-6)
    assert "sigmoid_of_reciprocal" in made.report
    chain, stabilized = labels(made.folder / "G2.svg"), labels(made.folder / "G2-stabilized.svg")
    assert {"exp", "1 / x"} <= set(chain)
    assert "σ" in stabilized
    assert stabilized == labels(made.folder / "G3.svg")
    assert {"0.7311", "−0.5898"} <= set(stabilized)


def test_neurons_have_the_derivatives_that_sympy_finds(first_run: Callable[[str], Run]) -> None:
    table = first_run("circuits").results["G5"]
    symbols = sympy.symbols("I1:7 u1:7 v1:5 w1:3")
    i, u, v, w = symbols[:6], symbols[6:12], symbols[12:16], symbols[16:]
    b = sympy.Symbol("b")
    a, c = i[0] * u[0] + i[1] * u[1], i[4] * u[4] + i[5] * u[5]
    f = w[0] * (v[0] * a + v[1] * b) + w[1] * (v[2] * b + v[3] * c)
    inside_b = {b: i[2] * u[2] + i[3] * u[3]}
    at = {symbol: table[symbol.name][0] for symbol in symbols[6:]}
    at.update({symbol: k for k, symbol in enumerate(i, start=1)})
    for symbol in symbols[6:]:
        expected = sympy.diff(f.subs(inside_b), symbol).subs(at)
        assert table[symbol.name][1] == pytest.approx(float(expected))
    assert table["b"][1] == pytest.approx(float(sympy.diff(f, b).subs(at)))
    assert sorted(table) == sorted([*(symbol.name for symbol in symbols[6:]), "b", "f"])


def test_only_parameters_have_derivatives(first_run: Callable[[str], Run]) -> None:
    made = first_run("circuits")
    texts = labels(made.folder / "G5-gradient.svg")
    weights = [*(f"u{k}" for k in range(1, 7)), *(f"v{k}" for k in range(1, 5)), "w1", "w2"]
    derivatives = sorted(text for text in texts if text.startswith("∂ ") and len(text) == 4)
    assert derivatives == sorted(f"∂ {name}" for name in weights)
    assert "fan-out sum" in texts


def test_the_general_rule_holds_as_a_formula_and_in_numbers(
    first_run: Callable[[str], Run],
) -> None:
    made = first_run("circuits")
    table = made.results["G6"]
    x = sympy.Symbol("x")
    derivative = sympy.diff(sympy.sin(x) * sympy.exp(x) + x * x, x)
    number = float(derivative.subs(x, 1))
    assert table["x"] == pytest.approx((1, number), rel=1e-6)
    report = made.report
    assert f"dy/dx = {derivative}\n" in report
    assert f"dy/dx = {number:.4f} at x = 1" in report


def test_logistic_regression_descends_as_numpy_does(tmp_path: Path) -> None:
    example = load("logistic_regression")
    results = example.main(tmp_path)
    points, classes = example.two_clouds(2000)
    w, b = np.zeros(2), 0.0
    history = []
    for _ in range(example.EPOCHS):
        z = points @ w + b
        history.append(float(np.mean(np.logaddexp(0, z) - classes * z)))
        error = 1 / (1 + np.exp(-z)) - classes
        w, b = w - points.T @ error / len(points), b - float(np.mean(error))
    assert results.losses == pytest.approx(history, abs=1e-5)
    assert np.all(np.diff(results.losses) < 0)
    assert results.weights == pytest.approx(tuple(w), abs=1e-3)
    assert results.bias == pytest.approx(b, abs=1e-3)
    assert results.accuracies[-1] == pytest.approx(
        np.mean((points @ w + b > 0) == classes), abs=1e-3
    )


def test_xor_needs_a_hidden_layer(first_run: Callable[[str], Run]) -> None:
    results = first_run("xor").results
    # the loss is convex, and least where all weights are 0; any other weights give a larger one
    assert results.linear_loss == pytest.approx(np.log(2), abs=1e-6)
    assert results.linear_accuracy <= 0.75  # no line has all four points right
    assert results.hidden_loss < 0.1
    assert results.hidden_accuracy == 1.0
    assert is_separable(results.features, datasets.xor().train.y)
    assert not is_separable(datasets.xor().train.x, datasets.xor().train.y)


def test_more_beams_find_likelier_texts(first_run: Callable[[str], Run]) -> None:
    example, results = load("beam_search"), first_run("beam_search").results
    assert sorted(results.scores) == results.scores
    assert len(set(results.texts)) == 3
    corpus = text.Characters.of(example.RHYME)
    model = nn.Sequential(
        nn.Embedding(corpus.size, 8), nn.GRU(8, 24), nn.Linear(24, corpus.size), name="model"
    )
    for found, score in zip(results.texts, results.scores, strict=True):
        tokens = corpus.encode(example.PROMPT + found)
        x = cr.input("x", (1, len(tokens)), dtype="int32")
        every = cr.compile(cr.log_softmax(model(x)), target="numpy").bind(results.state)(
            tokens[None]
        )
        known = len(example.PROMPT)
        chosen = np.asarray(every)[0, np.arange(known - 1, len(tokens) - 1), tokens[known:]]
        assert chosen.sum() == pytest.approx(score, rel=1e-4)
    greedy = cr.compile(text.sampler(model, example.LENGTH, temperature=0)).bind(results.state)
    written = greedy(prompt=corpus.encode(example.PROMPT))
    assert corpus.decode(written) == results.texts[0]


def is_separable(points: object, classes: NDArray[np.int32]) -> bool:
    """Does a line separate the classes? Found by the perceptron, which ends if and only if."""
    rows = np.column_stack([np.asarray(points, np.float64), np.ones(len(classes))])
    signed = np.where(classes == 1, 1, -1)[:, np.newaxis] * rows
    line = np.zeros(rows.shape[1])
    for _ in range(10_000):
        wrong = signed[signed @ line <= 0]
        if not len(wrong):
            return True
        line = line + wrong[0]
    return False


def test_a_ring_needs_a_hidden_layer(first_run: Callable[[str], Run]) -> None:
    results = first_run("ring").results
    assert results.linear_accuracy < 0.7
    assert results.hidden_accuracy > 0.95
    centre, *around = np.array(results.features)
    # at every place around, some unit tells it from the centre
    assert all(np.max(np.abs(place - centre)) > 1 for place in around)


def test_three_linear_layers_are_one(first_run: Callable[[str], Run]) -> None:
    made = first_run("try_linear")
    results = made.results
    assert {"layer_of_layer", "sum_of_biases"} <= set(results.rules)
    for computed, expected in (results.weights, results.biases, results.outputs):
        assert computed.shape == expected.shape
        np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=1e-6)
    weight, bias = results.weights[0], results.biases[0]
    assert weight.shape == (4, 3)
    assert np.min(np.abs(bias)) > 0.01
    before, after = (labels(made.folder / f"{name}.svg") for name in ("three-layers", "one-layer"))
    # products that x flows into, directly or through other layers
    assert sum("[batch," in text for text in before) > sum("[batch," in text for text in after)


def test_only_random_weights_break_the_symmetry(first_run: Callable[[str], Run]) -> None:
    zeros, random = first_run("symmetry").results
    for row in zeros.units:
        assert np.unique(row.view(np.uint32)).size == 1  # the same bits
        assert row[0] != 0  # trained nevertheless
    assert zeros.spread == 0
    assert zeros.accuracy <= 0.8
    assert random.spread > 1
    assert random.accuracy > 0.95


def test_digits_are_read(first_run: Callable[[str], Run]) -> None:
    made = first_run("digits")
    results = made.results
    assert len(results.accuracies) == 20
    assert results.accuracies[-1] >= 0.95
    assert results.predicted_accuracy == pytest.approx(results.accuracies[-1], abs=1e-6)
    assert (made.folder / "program.py").read_text(encoding="utf-8") == results.source
    assert "np.matmul" in results.source
    loops = (made.folder / "loops.txt").read_text(encoding="utf-8")
    assert "new_linear1/weight" in loops  # the update is computed with the gradient
    assert "contract" in (made.folder / "gradient.txt").read_text(encoding="utf-8")


def test_mnist_is_read(first_run: Callable[[str], Run]) -> None:
    results = first_run("mnist").results
    assert results.accuracies[-1] >= 0.955
    assert results.arena_bytes > 4 * 2 * (784 * 256 + 256 * 128 + 128 * 10)  # weights, velocities


def test_a_c_program_has_the_history_of_a_run_in_python(first_run: Callable[[str], Run]) -> None:
    made = first_run("standalone")
    results = made.results
    printed = results.printed.splitlines()
    assert len(printed) == len(results.history["loss"]) == 20
    for line, *means in zip(printed, *results.history.values(), strict=True):
        told = re.findall(r"(?:loss|accuracy) (\S+?)(?:,|$)", line)
        assert told == [f"{mean:.6g}" for mean in means]
    assert results.history["val_accuracy"][-1] >= 0.95
    parameters = 64 * 32 + 32 + 32 * 10 + 10
    numbers = 4 * (2 * parameters + 2)  # with a velocity each, the learning rate, the momentum
    assert (made.folder / "digits.state").stat().st_size == numbers + 8 + 8  # the step, the seed


def test_a_training_is_plotted_from_all_sides(first_run: Callable[[str], Run]) -> None:
    made = first_run("plots")
    results = made.results
    small, good, large = results.losses.values()
    assert good < min(small, large)
    assert results.accuracy > 0.8
    assert results.lowest == pytest.approx((1, 1), abs=0.15)
    assert {"epoch 0", "epoch 30", "x₁", "upper", "lower"} <= set(
        labels(made.folder / "boundary.svg")
    )
    assert {"sigmoid", "tanh", "relu"} <= set(labels(made.folder / "activations.svg"))


def test_weights_find_more_of_a_rare_class(first_run: Callable[[str], Run]) -> None:
    made = first_run("rare_class")
    results = made.results
    assert results.balanced["binary_recall"] > results.plain["binary_recall"]
    assert results.balanced["binary_precision"] < results.plain["binary_precision"]
    assert min(results.plain["auc"], results.balanced["auc"]) > 0.9
    assert results.accuracy >= 0.95
    assert {"predicted", "share of the row"} <= set(labels(made.folder / "mistakes.svg"))


def test_passes_make_the_graph_smaller(first_run: Callable[[str], Run]) -> None:
    reports = first_run("draw_passes").results
    assert [report.name for report in reports] == ["declared", *(step.name for step in PIPELINE)]
    for before, after in pairwise(reports):
        if after.name == "reciprocals":  # a node more, for many divisions less
            continue
        assert after.nodes <= before.nodes
        assert after.flops <= before.flops or after.name == "stabilize"  # accuracy may cost some
    assert reports[-1].flops < reports[0].flops
    assert reports[-1].nodes < reports[0].nodes
    rules = {report.name: report.rules for report in reports}
    assert rules["declared"] == {}
    assert rules["stabilize"]["softmax_minus_target"] == 1
    assert rules["fuse"]["fuse_epilogue"] >= 2
