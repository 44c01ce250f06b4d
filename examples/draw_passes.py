"""What each pass of the compiler does to the training step of a digits network.

The graph after every pass is saved as a picture. The report counts its nodes and its floating-point
operations, and lists the rules that fired.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule import losses, nn, optim


@dataclass(frozen=True)
class Report:
    """The graph after one pass.

    Attributes:
        name: of the pass; "declared" before the first.
        nodes: in the graph.
        flops: floating-point operations of a step over 32 images.
        rules: how often each rule fired.
    """

    name: str
    nodes: int
    flops: int
    rules: Mapping[str, int]


def main(folder: Path) -> list[Report]:
    """Compile the training step, print what the passes did, and draw every stage into `folder`."""
    x = cr.input("x", ("batch", 64))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    loss = losses.cross_entropy(model(x), y)
    program = cr.compile(optim.SGD(lr=0.1, momentum=0.9).minimize(loss))

    folder.mkdir(parents=True, exist_ok=True)
    print("after the pass: nodes, floating-point operations for 32 images, rules that fired")
    reports = []
    for number, stage in enumerate(program.stages):
        rules = Counter(fired.rule for fired in stage.fired)
        flops = stage.graph.cost(batch=32).flops
        reports.append(Report(stage.name, len(stage.graph.nodes), flops, rules))
        print(f"{stage.name:<12} {len(stage.graph.nodes):3} nodes  {flops:9,} FLOPs")
        for rule, count in sorted(rules.items()):
            print(f"    {count:2} {rule}")
        stage.graph.draw(title=stage.name).save(folder / f"{number}-{stage.name}.svg")
    return reports


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/draw_passes"))
    main(parser.parse_args().out)
