"""What `chainrule demo` does: the digits network, from declaration to accuracy and pages."""

from __future__ import annotations

import runpy
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from chainc.autodiff import grad
from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.types import Array
from chainrule import datasets, nn, optim
from chainrule.compiled.compilation import compile
from chainrule.compiled.history import Result
from chainrule.compiled.training import TrainingProgram
from chainrule.drawing.drawing import draw
from chainrule.steps.loop import training
from chainrule.teaching.derivations.derivation import derive
from chainrule.teaching.explanation.explanation import explain
from chainrule.teaching.stepper.stepper import step_through

LEFT = """\
in {folder}/:
  backprop.html      steps through the trained network on four images
  derivation.md      the chain rule for its first weight
  explain.html       the story of the compile, down to the machine code
  *.svg              the model, its gradient, every stage, the memory
  loops.txt, program.s, program.py
                     the program as loops, as assembly, as NumPy source
  state.safetensors  what was learned"""


@dataclass(frozen=True)
class Declared:
    """What `digits.py` declares."""

    x: Node
    y: Node
    model: nn.Sequential
    loss: Node
    accuracy: Node
    step: optim.Step


def run_demo(epochs: int, folder: Path) -> str:
    """Train on the bundled digits; leave pictures, pages and the generated code in `folder`."""
    digits, net = datasets.digits(), _declared()
    start = time.perf_counter()
    loop = training(net.step, epochs=epochs, batch_size=32, metrics={"accuracy": net.accuracy})
    program = compile(loop)
    compiled = time.perf_counter()
    train, test = ({net.x: part.x, net.y: part.y} for part in (digits.train, digits.test))
    result = program.run(train, validation=test)
    trained = time.perf_counter()

    folder.mkdir(parents=True, exist_ok=True)
    four = {node: values[:4] for node, values in test.items()}
    learned = {parameter: result.state[parameter] for parameter in net.model.parameters()}
    _teach(folder, net, {**four, **learned})
    _show(folder, program)
    (folder / "program.py").write_text(compile(loop, target="numpy").source, encoding="utf-8")
    result.state.save(folder / "state.safetensors")
    times = f"compiled in {compiled - start:.2f} s, trained in {trained - compiled:.2f} s"
    return "\n".join([str(net.model.summary(batch=32)), "", *_progress(result), "",
                      *_passes(program), times, LEFT.format(folder=folder)])  # fmt: skip


def _declared() -> Declared:
    """Run as a file of the user's, so that what it declares comes from its lines."""
    found = runpy.run_path(str(Path(__file__).with_name("digits.py")))
    return Declared(**{part.name: found[part.name] for part in fields(Declared)})


def _teach(folder: Path, net: Declared, values: Mapping[Node, Array]) -> None:
    """What backpropagation does to the network at these values."""
    weight = net.model[0].weight
    draw(net.loss).save(folder / "model.svg")
    draw(net.loss, grad(net.loss, weight)).save(folder / "gradient.svg")
    derive(net.loss, weight).save(folder / "derivation.md")
    step_through(net.loss, values, path=folder / "backprop.html")


def _show(folder: Path, program: TrainingProgram) -> None:
    """What the compiler made of the training."""
    for number, stage in enumerate(program.stages):
        stage.graph.draw(title=stage.name).save(folder / f"stage-{number}-{stage.name}.svg")
    explain(program, folder / "explain.html")
    program.plan.draw().save(folder / "memory.svg")
    (folder / "loops.txt").write_text(program.loops, encoding="utf-8")
    (folder / "program.s").write_text(program.assembly, encoding="utf-8")


def _progress(result: Result) -> Iterator[str]:
    """A table with some of the epochs."""
    history = result.history
    epochs = len(history["loss"])
    yield "epoch    loss  accuracy  val_loss  val_accuracy"
    for epoch in sorted({0, *range(4, epochs, 5), epochs - 1}):
        row = [history[key][epoch] for key in ("loss", "accuracy", "val_loss", "val_accuracy")]
        yield f"{epoch + 1:5d}  {row[0]:.4f}  {row[1]:8.4f}  {row[2]:8.4f}  {row[3]:12.4f}"


def _passes(program: TrainingProgram) -> Iterator[str]:
    sizes = " -> ".join(str(len(stage.graph.nodes)) for stage in program.stages)
    yield f"passes: {', '.join(stage.name for stage in program.stages)}"
    yield f"nodes:  {sizes}; {len(program.trace)} rules fired"
