"""The symmetry problem: hidden units that start equal stay equal, however long they train.

With zeros as first weights all units always get the same gradient, so four of them do no more
than one. Random first weights break the symmetry, and exclusive or is learned.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, init, losses, metrics, nn, optim


@dataclass(frozen=True)
class Outcome:
    """The accuracy after training, and the weights of the hidden units.

    Attributes:
        accuracy: on points not trained on.
        units: (4, units), a column for each unit: the weights w1 and w2 of its inputs, its bias
            b, and the weight v of its output.
    """

    accuracy: float
    units: NDArray[np.float32]

    @property
    def spread(self) -> float:
        """The largest difference between two units in the same weight."""
        return float(np.max(np.ptp(self.units, axis=1)))


def main(folder: Path) -> tuple[Outcome, Outcome]:
    """Train from zeros and from random weights; the picture of the gradient goes to `folder`."""
    x = cr.input("x", ("batch", 2))
    y = cr.input("y", ("batch",), dtype="int32")
    hidden = nn.Linear(2, 4, init=init.normal(1.0))
    output = nn.Linear(4, 1, init=init.normal(1.0))
    logits = cr.squeeze(output(cr.sigmoid(hidden(x))), axis=1)
    targets = cr.astype(y, "float32")
    loss = losses.binary_cross_entropy(logits, targets)
    accuracy = metrics.binary_accuracy(logits, targets)

    step = optim.SGD(lr=1.0).minimize(loss)
    training = cr.training(step, epochs=100, batch_size=20, metrics={"accuracy": accuracy})
    program = cr.compile(training)
    random = program.initial_state()
    zeros = cr.State({name: np.zeros_like(value) for name, value in random.items()})

    data = datasets.xor(400)
    outcomes = []
    for name, start in (("zeros", zeros), ("random weights", random)):
        result = program.run(
            {x: data.train.x, y: data.train.y},
            validation={x: data.test.x, y: data.test.y},
            state=start,
        )
        w, b, v = (result.state[slot] for slot in (*hidden.parameters(), output.parameters()[0]))
        units = np.vstack([w, b, v.T]).astype(np.float32)
        outcome = Outcome(result.history["val_accuracy"][-1], units)
        outcomes.append(outcome)
        print(f"from {name}: accuracy {outcome.accuracy:.1%}, largest spread {outcome.spread:.2f}")
        for label, values in zip(("w1", "w2", "b", "v"), units, strict=True):
            print(f"  {label:2}", "".join(f"{value:8.2f}" for value in values))

    folder.mkdir(parents=True, exist_ok=True)
    cr.draw(loss, *step.gradients).save(folder / "gradient.svg")
    return outcomes[0], outcomes[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/symmetry"))
    main(parser.parse_args().out)
