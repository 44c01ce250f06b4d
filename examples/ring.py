"""A disc inside a ring: no line separates the two classes, but a hidden layer does.

Each hidden unit is a soft line of its own; together the lines fence the disc in. The report shows
the units as features of the points: their values at the centre and all around.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim

DATA = datasets.ring(1000)
UNITS = 4
PLACES = [(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)]  # the centre of the disc, and around it


@dataclass(frozen=True)
class Results:
    """Accuracies on points not trained on, and the learned features at `PLACES`."""

    linear_accuracy: float
    hidden_accuracy: float
    features: list[list[float]]


def train(logits: cr.Node, y: cr.Node) -> tuple[float, cr.State]:
    """The accuracy on the test points, and the state after training."""
    targets = cr.astype(y, "float32")
    step = optim.Adam(lr=0.02).minimize(losses.binary_cross_entropy(logits, targets))
    accuracy = metrics.binary_accuracy(logits, targets)
    training = cr.training(step, epochs=40, batch_size=20, metrics={"accuracy": accuracy})
    result = cr.compile(training).run(
        {"x": DATA.train.x, "y": DATA.train.y}, validation={"x": DATA.test.x, "y": DATA.test.y}
    )
    return result.history["val_accuracy"][-1], result.state


def main(folder: Path) -> Results:
    """Train both models and report; the picture of the second one goes to `folder`."""
    x = cr.input("x", ("batch", 2))
    y = cr.input("y", ("batch",), dtype="int32")
    linear = nn.Linear(2, 1)
    linear_accuracy, _ = train(cr.squeeze(linear(x), axis=1), y)

    hidden = nn.Sequential(nn.Linear(2, UNITS), nn.Tanh())
    output = nn.Linear(UNITS, 1)
    features = hidden(x)
    logits = cr.squeeze(output(features), axis=1)
    hidden_accuracy, state = train(logits, y)

    print(f"logistic regression: accuracy {linear_accuracy:.1%}")
    print(f"with {UNITS} hidden units:  accuracy {hidden_accuracy:.1%}")
    evaluate = cr.compile([features, cr.sigmoid(logits)]).bind(state)
    learned, probabilities = evaluate(x=PLACES)
    print("\n   point " + "".join(f"    h{unit}" for unit in range(1, UNITS + 1)) + "  P(ring)")
    for (x1, x2), values, p in zip(PLACES, learned, probabilities, strict=True):
        print(f"({x1:2d}, {x2:2d}) " + "".join(f"{h:6.2f}" for h in values) + f"  {p:7.2f}")

    folder.mkdir(parents=True, exist_ok=True)
    cr.draw(logits).save(folder / "network.svg")
    return Results(linear_accuracy, hidden_accuracy, learned.tolist())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/ring"))
    main(parser.parse_args().out)
