"""What a user waits for: the import, and from a declared network to its generated source.

    python tests/benchmarks/startup.py

Each figure is measured in fresh processes, several times; quoted are median, minimum, maximum.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

IMPORT = """
import time
start = time.perf_counter()
import chainrule
print(time.perf_counter() - start)
"""

COMPILE = """
import time
import chainrule as cr
from chainrule import losses, metrics, nn, optim
start = time.perf_counter()
x = cr.input("x", ("batch", 64))
y = cr.input("y", ("batch",), dtype="int32")
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
logits = model(x)
loss = losses.cross_entropy(logits, y)
step = optim.SGD(lr=0.1, momentum=0.9).minimize(loss)
accuracy = metrics.accuracy(logits, y)
training = cr.training(step, epochs=20, batch_size=32, metrics={"accuracy": accuracy})
program = cr.compile(training)
assert program.source
print(time.perf_counter() - start)
"""

CHAIN = """
import time
import chainrule as cr
x = cr.input("x", (4,))
y = x
start = time.perf_counter()
for _ in range(10_000):
    y = cr.sin(y)
loss = cr.sum(y)
cr.compile([loss, cr.grad(loss, x)])
print(time.perf_counter() - start)
"""


def figure(code: str, runs: int) -> dict[str, float]:
    """Seconds that `code` prints, over fresh processes."""
    times = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        times.append(float(done.stdout))
    return {
        "median": round(statistics.median(times), 4),
        "minimum": round(min(times), 4),
        "maximum": round(max(times), 4),
    }


def main() -> None:
    print(json.dumps({"import chainrule": figure(IMPORT, 11)}))
    print(json.dumps({"declare, differentiate, optimise, generate digits": figure(COMPILE, 11)}))
    print(json.dumps({"chain of 10,000 nodes, with its gradient": figure(CHAIN, 3)}))


if __name__ == "__main__":
    main()
