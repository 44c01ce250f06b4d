"""MNIST, 28x28 pixels a digit, learned by a whole training loop in machine code.

The images are not bundled. Put the IDX files (`t10k-images-idx3-ubyte.gz` and the others; the two
`t10k` files are enough) into a folder, and name it with --data or in the variable CHAINRULE_MNIST.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim

EPOCHS = 12


@dataclass(frozen=True)
class Results:
    """The accuracy on the test images after each epoch, and what the compiled program takes."""

    accuracies: tuple[float, ...]
    arena_bytes: int


def main(folder: Path, images: Path) -> Results:
    """Train on the IDX files in the folder `images`; the pictures go to `folder`."""
    digits = datasets.mnist(images)
    x = cr.input("x", ("batch", digits.train.x.shape[1]))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(
        nn.Linear(digits.train.x.shape[1], 256),
        nn.ReLU(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    logits = model(x)
    step = optim.SGD(lr=0.05, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    accuracy = metrics.accuracy(logits, y)
    training = cr.training(step, epochs=EPOCHS, batch_size=64, metrics={"accuracy": accuracy})

    program = cr.compile(training)  # every core is used; the results do not depend on how many
    print(f"{len(digits.train.y):,} images to learn, {len(digits.test.y):,} to test on\n")
    print(f"{program.summary()}\n\nepoch    loss  accuracy  test accuracy")
    result = program.run(
        {x: digits.train.x, y: digits.train.y}, validation={x: digits.test.x, y: digits.test.y}
    )
    for epoch in range(1, EPOCHS + 1):
        names = ("loss", "accuracy", "val_accuracy")
        values = (result.history[name][epoch - 1] for name in names)
        print("{:5d}  {:.4f}  {:8.4f}  {:13.4f}".format(epoch, *values))

    folder.mkdir(parents=True, exist_ok=True)
    cr.draw(logits, detail="layers").save(folder / "network.svg")
    program.plan.draw().save(folder / "memory.svg")
    return Results(result.history["val_accuracy"], program.plan.arena_bytes)


if __name__ == "__main__":
    given = os.environ.get("CHAINRULE_MNIST")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=given, required=given is None)
    parser.add_argument("--out", type=Path, default=Path("pictures/mnist"))
    options = parser.parse_args()
    main(options.out, options.data)
