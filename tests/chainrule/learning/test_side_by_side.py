"""Every rule trains one network, is drawn, and is compared with the others, in one program."""

from pathlib import Path

import pytest
from tests.chainrule.learning.networks import Problem

import chainrule as cr
from chainrule import learning, metrics, nn, optim

PROGRAM = """
for rule in (learning.Backprop(), learning.Numeric(), learning.ForwardGradient(samples=8),
             learning.EvolutionStrategies(population=64, sigma=0.02),
             learning.FeedbackAlignment(), learning.DirectFeedbackAlignment(),
             learning.TargetPropagation(), learning.ForwardForward(threshold=2.0)):
    step = optim.Adam(lr=1e-3).minimize(loss, rule=rule, model=model)
    program = cr.compile(
        cr.training(step, epochs=10, batch_size=32, metrics={"accuracy": accuracy}))
    step.graph.draw(detail="layers").save(f"{rule.name}.svg")
table = learning.compare(model, loss, rules, data, epochs=10)
print(table); table.plot().save("rules.svg")
"""
NAMES = ("backprop", "numeric", "forward_gradient", "evolution_strategies", "feedback_alignment",
         "direct_feedback_alignment", "target_propagation", "forward_forward")  # fmt: skip


@pytest.mark.nightly  # machine code of ten trainings; the lecture on rules does much of it a day
def test_the_program_of_all_rules_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    problem = Problem(nn.ReLU)
    namespace = {
        "cr": cr,
        "learning": learning,
        "optim": optim,
        "loss": problem.loss,
        "model": problem.model,
        "accuracy": metrics.accuracy(problem.output, problem.y),
        "rules": (learning.Backprop(), learning.DirectFeedbackAlignment()),
        "data": {name: values.repeat(4, axis=0) for name, values in problem.data.items()},
    }
    exec(PROGRAM, namespace)
    assert {path.stem for path in tmp_path.glob("*.svg")} == {*NAMES, "rules"}
    printed = capsys.readouterr().out
    assert "direct_feedback_alignment" in printed
    assert "0° → 0°" in printed
