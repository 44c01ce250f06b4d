"""One model under several rules: what is measured, as a table and as a picture."""

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.chainrule.learning.networks import Problem, cosine

import chainrule as cr
from chainrule import datasets, learning, losses, metrics, nn, optim

RULES = (
    learning.Backprop(),
    learning.FeedbackAlignment(),
    learning.DirectFeedbackAlignment(),
    learning.TargetPropagation(),
    learning.ForwardForward(threshold=0.5),
)
LAYERS = ("model/linear1", "model/linear2", "model/linear3")


def compared(problem: Problem, rules: object = RULES, **settings: Any) -> learning.Comparison:
    chosen = {"epochs": 3, "batch_size": 4, "target": "numpy", **settings}
    data = chosen.pop("data", (problem.data, problem.data))
    return learning.compare(problem.model, problem.loss, rules, data, **chosen)  # type: ignore[arg-type]


@cache
def found() -> learning.Comparison:
    return compared(Problem(), optimizer=optim.SGD(lr=0.5), epochs=30, batch_size=8)


def test_every_rule_has_a_row_with_a_number_for_each_epoch() -> None:
    assert [row.rule for row in found().rows] == [rule.name for rule in RULES]
    for row in found().rows:
        assert list(row.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
        assert {len(values) for values in row.history.values()} == {30}
        assert row.history["loss"] == row.history["val_loss"]  # the same rows
        assert len(row.seconds) == 30
        assert min(row.seconds) > 0
        assert row.compile_seconds > 0
        assert tuple(row.angles) == LAYERS
        assert {len(values) for values in row.angles.values()} == {31}


def test_backpropagation_points_along_the_gradient_and_the_others_do_not() -> None:
    rows = {row.rule: row for row in found().rows}
    for layer in LAYERS:
        assert np.allclose(rows["backprop"].angles[layer], 0, atol=1e-3)
    for rule in ("feedback_alignment", "direct_feedback_alignment"):
        aligned = [rows[rule].angles[layer][15:] for layer in LAYERS[:2]]
        assert 10 < np.mean(aligned) < 90
    assert np.allclose(rows["direct_feedback_alignment"].angles[LAYERS[2]], 0, atol=1e-3)


def test_angles_are_those_of_the_signals() -> None:
    problem = Problem()
    rule = learning.DirectFeedbackAlignment()
    signals, exact = (problem.signals(each) for each in (rule, learning.Backprop()))
    row = compared(problem, [rule], batch_size=8, epochs=1).rows[0]
    for layer in LAYERS:
        pair = [
            np.concatenate(
                [each[f"signal of {layer}/{part}"].ravel() for part in ("weight", "bias")]
            )
            for each in (signals, exact)
        ]
        assert math.cos(math.radians(row.angles[layer][0])) == pytest.approx(
            cosine(*pair), abs=1e-5
        )


def test_a_row_is_the_training_that_one_would_have_run() -> None:
    problem = Problem()
    rule = learning.FeedbackAlignment()
    step = optim.SGD(lr=0.5).minimize(problem.loss, rule=rule, model=problem.model)
    loop = cr.training(step, epochs=30, batch_size=8)
    state = cr.compile(loop, target="numpy").run(problem.data, progress=False).state
    row = found()["feedback_alignment"]
    assert all(np.array_equal(row.state[name], state[name]) for name in state)
    output = cr.compile([problem.loss], target="numpy").bind(state)
    assert row.history["loss"][-1] == pytest.approx(float(output(**problem.data)[0]))


def test_numbers_beside_the_model_are_counted() -> None:
    kept = {row.rule: row.kept for row in found().rows}
    assert kept["backprop"] == kept["forward_forward"] == 0
    assert kept["feedback_alignment"] == 6 * 4 + 4 * 3
    assert kept["direct_feedback_alignment"] == 3 * (6 + 4)
    assert kept["target_propagation"] == 4 * 6 + 6


def test_machine_code_tells_its_memory() -> None:
    problem = Problem()
    row = compared(problem, [learning.Backprop()], target="llvm", epochs=1).rows[0]
    weights = sum(row.state[each].nbytes for each in problem.parameters)
    assert row.memory is not None
    assert 3 * weights < row.memory < 100_000  # Adam keeps two numbers for each
    assert found().rows[0].memory is None


def test_forward_forward_is_judged_by_its_scores() -> None:
    problem, rule = Problem(), RULES[4]
    assert isinstance(rule, learning.ForwardForward)
    row = found()[rule.name]
    accuracy = metrics.accuracy(rule.scores(problem.loss, problem.model), problem.y)
    given = float(cr.compile(accuracy, target="numpy").bind(row.state)(**problem.data))
    assert row.history["accuracy"][-1] == given


# --- what it is given


def test_a_data_set_is_read_by_types() -> None:
    x, y = cr.input("points", ("batch", 2)), cr.input("kinds", ("batch",), dtype="int32")
    model = nn.MLP(2, 4, 2)
    loss = losses.cross_entropy(model(x), y)
    data = datasets.moons(40)
    row = learning.compare(model, loss, [learning.Backprop()], data, 2, target="numpy").rows[0]
    assert "val_accuracy" in row.history


def test_rules_and_optimizers_have_names() -> None:
    rules = {"one": learning.FeedbackAlignment(), "two": learning.FeedbackAlignment()}
    both = {"one": optim.SGD(lr=1e-9), "two": optim.SGD(lr=0.2), "others": optim.SGD(lr=1.0)}
    one, two = compared(Problem(), rules, optimizer=both).rows
    assert (one.rule, two.rule) == ("one", "two")
    assert one.history["loss"][0] == pytest.approx(one.history["loss"][-1], abs=1e-5)
    assert two.history["loss"][0] != pytest.approx(two.history["loss"][-1], abs=1e-5)


def test_data_without_labels_and_metrics_of_ones_own() -> None:
    x = cr.input("x", ("batch", 3))
    model = nn.MLP(3, 4, 3)
    loss = losses.squared_error(model(x), x)
    data = {"x": np.eye(3, dtype="f4")}
    plain = learning.compare(model, loss, [learning.Backprop()], data, 1, batch_size=3,
                             target="numpy")  # fmt: skip
    assert list(plain.rows[0].history) == ["loss"]
    own = learning.compare(model, loss, [learning.Backprop()], data, 1, batch_size=3,
                           metrics={"bend": cr.max(model(x))}, target="numpy")  # fmt: skip
    assert list(own.rows[0].history) == ["loss", "bend"]
    assert own.judged_by == "bend"


NEAR = datasets.moons(20)


@pytest.mark.parametrize(
    ("settings", "what", "hint"),
    [
        ({"rules": []}, "compare: there is no rule", "give rules, such as"),
        ({"rules": [optim.SGD(lr=1)]}, "compare: a SGD is no learning rule", "give rules"),
        ({"rules": [RULES[0], RULES[0]]}, "two rules are called 'backprop'", "names of your own"),
        ({"optimizer": {}}, "there is no optimizer for 'backprop'", "give one for each rule"),
        ({"optimizer": 0.1}, "a float is no optimizer", "give one for all rules"),
        ({"epochs": 0}, "compare: epochs must be", "run at least one epoch"),
        ({"data": 3}, "the data is a int that does not say", "give a data set"),
        ({"data": NEAR}, r"takes \d+ rows|'x'|\[32, 2\]|\[16, 2\]", "give|declare"),
        ({"metrics": {"a": 3}}, "the metric 'a' is no scalar but a int", "give a node"),
        ({"metrics": {"loss": None}}, "the metric name 'loss' is taken", "choose another"),
        ({"metrics": []}, "metrics is a list", "give nodes"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], what: str, hint: str) -> None:
    rules = settings.pop("rules", [RULES[0]])
    with pytest.raises(cr.ChainruleError, match=rf"(?s)({what}).*try: .*({hint})"):
        compared(Problem(), rules, **settings)


def test_a_rule_that_cannot_train_the_model_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cr.TrainingProgram, "run", lambda *_, **__: pytest.fail("it ran"))
    high = learning.ForwardForward(threshold=2.0)
    with pytest.raises(cr.GraphError, match=r"no goodness reaches the threshold 2[\s\S]*try: give"):
        compared(Problem(), [learning.Backprop(), high])


# --- what it shows


def test_it_prints_as_a_table() -> None:
    header, dashes, first, second, *_ = str(found()).split("\n")
    assert header.split() == ["rule", "accuracy", "val_accuracy", "loss", "val_loss", "s/epoch",
                              "bytes", "kept", "linear1", "linear2", "linear3"]  # fmt: skip
    assert set(dashes) == {"-"}
    assert first.startswith("backprop ")
    assert first.endswith("0° → 0°")
    assert f"{found().rows[1].history['val_accuracy'][-1]:.4f}" in second
    assert "after 30 epochs" in str(found())
    page = found()._repr_html_()
    assert '<td align="left">target_propagation</td>' in page
    assert page.count("<tr>") == 1 + len(RULES)


def test_a_row_is_found_by_its_name() -> None:
    assert found()["backprop"] is found().rows[0]
    with pytest.raises(cr.InputError, match=r"no rule 'none'[\s\S]*there is backprop, feedback"):
        found()["none"]


def test_it_is_drawn(tmp_path: Path) -> None:
    known = learning.Comparison(tuple(replace(row, memory=7_000) for row in found().rows[:3]))
    svg = known.plot().save(tmp_path / "rules.svg").read_text(encoding="utf-8")
    told = {*LAYERS, *(row.rule for row in known.rows), "accuracy on held-out data",
            "seconds an epoch", "kB that a run allocates", "degrees to the gradient"}  # fmt: skip
    assert all(f">{each}</text>" in svg for each in told)


def test_memory_that_is_not_known_is_not_drawn() -> None:
    axes = found().plot().figure.get_axes()
    assert len(axes) == 2 + len(LAYERS)
    assert "kB that a run allocates" not in [each.get_title(loc="left") for each in axes]
