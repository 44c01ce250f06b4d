"""Handwritten digits, from a declared network to a trained one.

The network's graph, the gradient's graph and the graph after every pass are saved as pictures.
Beside them are the loops of the machine code that runs, and the same program as NumPy source.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim


@dataclass(frozen=True)
class Results:
    """The test accuracy after each epoch, that of the labels predicted in the end, the NumPy."""

    accuracies: tuple[float, ...]
    predicted_accuracy: float
    source: str


def main(folder: Path) -> Results:
    """Train, predict and draw; everything drawn goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = datasets.digits()

    x = cr.input("x", ("batch", 64))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    logits = model(x)
    loss = losses.cross_entropy(logits, y)  # from logits, stable, mean over the batch
    accuracy = metrics.accuracy(logits, y)

    step = optim.SGD(lr=0.1, momentum=0.9).minimize(loss)
    training = cr.training(
        step, epochs=20, batch_size=32, shuffle=True, seed=0, metrics={"accuracy": accuracy}
    )
    program = cr.compile(training)  # machine code
    result = program.run(
        {x: digits.train.x, y: digits.train.y}, validation={x: digits.test.x, y: digits.test.y}
    )
    print("epoch    loss  accuracy  test accuracy")
    for epoch in (1, 5, 10, 15, 20):
        names = ("loss", "accuracy", "val_accuracy")
        values = (result.history[name][epoch - 1] for name in names)
        print("{:5d}  {:.4f}  {:8.4f}  {:13.4f}".format(epoch, *values))

    predict = cr.compile(logits).bind(result.state)
    labels = predict(x=digits.test.x).argmax(axis=1)  # any batch size
    correct = labels == digits.test.y
    print(f"{correct.sum()} of {len(correct)} test images are read correctly")

    weight = model[0].weight
    dweight = cr.grad(loss, weight)  # a node: a graph, not numbers
    (folder / "gradient.txt").write_text(cr.Graph([dweight]).text(), encoding="utf-8")
    cr.draw(loss, dweight).save(folder / "gradient.svg")
    for stage in program.stages:  # every pass, in order: .name, .graph
        stage.graph.draw().save(folder / f"{stage.name}.svg")
    (folder / "loops.txt").write_text(program.loops, encoding="utf-8")
    source = cr.compile(training, target="numpy").source
    (folder / "program.py").write_text(source, encoding="utf-8")
    return Results(result.history["val_accuracy"], float(correct.mean()), source)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/digits"))
    main(parser.parse_args().out)
