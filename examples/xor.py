"""Exclusive or: no line separates the two classes, so logistic regression must fail.

The best that it can do is to learn nothing: weights 0, P(y = 1) = 1/2 at every point, and the loss
ln 2. How many points it then has right, three at most, is decided by the last bits.

Two logistic regressions one after another succeed: the first one learns two features of the
points, and in the plane of these features a line does separate the classes.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule import datasets, init, losses, metrics, nn, optim

POINTS = datasets.xor().train  # (0, 0), (0, 1), (1, 0), (1, 1)


@dataclass(frozen=True)
class Results:
    """Losses and accuracies on the four points, and what the hidden layer makes of each of them."""

    linear_loss: float
    linear_accuracy: float
    hidden_loss: float
    hidden_accuracy: float
    features: list[list[float]]


def train(logits: cr.Node, y: cr.Node) -> tuple[dict[str, float], cr.State]:
    """The loss, the accuracy and the state after gradient descent on all four points."""
    targets = cr.astype(y, "float32")
    step = optim.SGD(lr=2.0).minimize(losses.binary_cross_entropy(logits, targets))
    accuracy = metrics.binary_accuracy(logits, targets)
    training = cr.training(step, epochs=1000, batch_size=4, seed=1, metrics={"accuracy": accuracy})
    program = cr.compile(training)
    data = {"x": POINTS.x, "y": POINTS.y}
    state = program.run(data).state
    return program.evaluate(data, state), state


def main(folder: Path) -> Results:
    """Train both models and report; the picture of the second one goes to `folder`."""
    x = cr.input("x", ("batch", 2))
    y = cr.input("y", ("batch",), dtype="int32")
    linear = nn.Linear(2, 1, init=init.normal(1.0))
    alone, _ = train(cr.squeeze(linear(x), axis=1), y)

    hidden = nn.Sequential(nn.Linear(2, 2, init=init.normal(1.0)), nn.Sigmoid())
    output = nn.Linear(2, 1, init=init.normal(1.0))
    features = hidden(x)
    logits = cr.squeeze(output(features), axis=1)
    both, state = train(logits, y)

    report = "{}: loss {loss:.4f}, accuracy {accuracy:.0%}".format
    print(report("logistic regression     ", **alone))
    print(report("two, one after the other", **both))
    print("\n      point      features   P(y = 1)  y")
    evaluate = cr.compile([features, cr.sigmoid(logits)]).bind(state)
    learned, probabilities = evaluate(x=POINTS.x)
    for (x1, x2), (h1, h2), p, label in zip(
        POINTS.x, learned, probabilities, POINTS.y, strict=True
    ):
        print(f"({x1:.0f}, {x2:.0f})  ({h1:.2f}, {h2:.2f})  {p:9.2f}  {label}")

    folder.mkdir(parents=True, exist_ok=True)
    cr.draw(logits).save(folder / "network.svg")
    return Results(
        alone["loss"], alone["accuracy"], both["loss"], both["accuracy"], learned.tolist()
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/xor"))
    main(parser.parse_args().out)
