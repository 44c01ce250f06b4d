"""What `chainrule demo` does: the digits network, from declaration to pictures and accuracy."""

from __future__ import annotations

import time
from pathlib import Path

from chainc.autodiff import grad
from chainrule import datasets, losses, metrics, nn, optim
from chainrule.compilation import compile
from chainrule.declare import input
from chainrule.drawing import draw
from chainrule.training import training


def run_demo(epochs: int, folder: Path) -> str:
    """Train on the bundled digits; leave the pictures and the generated source in `folder`."""
    digits = datasets.digits()
    x = input("x", ("batch", 64))
    y = input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), name="model")
    logits = model(x)
    loss = losses.cross_entropy(logits, y)
    accuracy = metrics.accuracy(logits, y)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(loss)

    start = time.perf_counter()
    loop = training(step, epochs=epochs, batch_size=32, metrics={"accuracy": accuracy})
    program = compile(loop)
    compiled = time.perf_counter()
    result = program.run(
        {x: digits.train.x, y: digits.train.y}, validation={x: digits.test.x, y: digits.test.y}
    )
    trained = time.perf_counter()

    folder.mkdir(parents=True, exist_ok=True)
    draw(loss).save(folder / "model.svg")
    draw(loss, grad(loss, model[0].weight)).save(folder / "gradient.svg")
    for number, stage in enumerate(program.stages):
        stage.graph.draw(title=stage.name).save(folder / f"stage-{number}-{stage.name}.svg")
    (folder / "program.py").write_text(compile(loop, target="numpy").source, encoding="utf-8")
    (folder / "loops.txt").write_text(program.loops, encoding="utf-8")
    (folder / "program.s").write_text(program.assembly, encoding="utf-8")
    program.plan.draw().save(folder / "memory.svg")
    result.state.save(folder / "state.safetensors")

    history = result.history
    lines = [str(model.summary(batch=32)), "", "epoch    loss  accuracy  val_loss  val_accuracy"]
    for epoch in sorted({0, *range(4, epochs, 5), epochs - 1}):
        row = [history[key][epoch] for key in ("loss", "accuracy", "val_loss", "val_accuracy")]
        lines.append(f"{epoch + 1:5d}  {row[0]:.4f}  {row[1]:8.4f}  {row[2]:8.4f}  {row[3]:12.4f}")
    sizes = " -> ".join(str(len(stage.graph.nodes)) for stage in program.stages)
    lines += [
        "",
        f"passes: {', '.join(stage.name for stage in program.stages)}",
        f"nodes:  {sizes}; {len(program.trace)} rules fired",
        f"compiled in {compiled - start:.2f} s, trained in {trained - compiled:.2f} s",
        f"in {folder}/: pictures of every stage and of the memory, the program as loops.txt, "
        "program.s and program.py, and state.safetensors",
    ]
    return "\n".join(lines)
