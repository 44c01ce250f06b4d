"""Networks that are trained on pieces of a text."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, metrics, nn, optim, text

CORPUS = text.Characters.of("she sells sea shells by the sea shore; ")
LENGTH = 4

x, y = (cr.input(name, ("batch", LENGTH), dtype="int32") for name in ("x", "y"))
model = nn.Sequential(nn.Embedding(CORPUS.size, 5), nn.GRU(5, 6), nn.Linear(6, CORPUS.size))
logits = model(x)
step = optim.SGD(lr=0.5).minimize(losses.cross_entropy(logits, y))
METRICS = {
    "bits": metrics.bits_per_character(logits, y),
    "perplexity": metrics.perplexity(logits, y),
    "accuracy": metrics.accuracy(logits, y),
}


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_what_is_reported_follows_from_batches(target: str) -> None:
    program = cr.compile(cr.training(step, epochs=2, batch_size=8, metrics=METRICS), target=target)
    assert program._compiled.declared.reports.whole == ()
    data = CORPUS.windows(LENGTH, stride=2)
    result = program.run(data, validation=data)
    for prefix in ("", "val_"):
        nats = np.array(result.history[f"{prefix}loss"])
        np.testing.assert_allclose(result.history[f"{prefix}bits"], nats / np.log(2), rtol=1e-6)
        np.testing.assert_allclose(result.history[f"{prefix}perplexity"], np.exp(nats), rtol=1e-6)


def test_metrics_are_those_of_all_rows() -> None:
    program = cr.compile(cr.training(step, epochs=1, batch_size=8, metrics=METRICS), target="numpy")
    data, state = CORPUS.windows(LENGTH, stride=2), program.initial_state()
    z = np.asarray(cr.compile(logits, target="numpy").bind(state)(x=data["x"]), np.float64)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    nats = -np.take_along_axis(log_p, data["y"][..., None].astype(int), -1).mean()
    found = program.evaluate(data, state)
    assert found["bits"] == pytest.approx(nats / np.log(2), rel=1e-6)
    assert found["perplexity"] == pytest.approx(np.exp(nats), rel=1e-6)
    assert found["accuracy"] == pytest.approx((z.argmax(-1) == data["y"]).mean(), rel=1e-6)


def test_a_token_out_of_the_vocabulary_is_refused_before_anything_changes() -> None:
    program = cr.compile(cr.training(step, epochs=1, batch_size=8), target="numpy")
    data = CORPUS.windows(LENGTH)
    strange = {**data, "x": data["x"].copy()}
    strange["x"][3, 1] = CORPUS.size
    message = (
        rf"input 'x' holds the index {CORPUS.size} at \[3, 1\], out of range for an axis of size "
        rf"{CORPUS.size}\n  where: .*test_training\.py:\d+, where .*\n  try: give values from 0"
    )
    with pytest.raises(cr.InputError, match=message):
        program.run(strange)
