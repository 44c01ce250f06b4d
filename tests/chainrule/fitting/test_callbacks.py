"""Rules, checkpoints and functions of an epoch; a fit that was interrupted and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.chainrule.fitting.classifiers import blobs, trainer

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim
from chainrule.compiled.callbacks.calling import Callback, FinishedEpoch
from chainrule.steps.stopping import StoppingRule

TARGETS = pytest.mark.parametrize("target", ["llvm", "numpy"])
X, Y = blobs(80)
STOP = cr.EarlyStopping("val_loss", patience=2, restore_best=True)


@TARGETS
def test_the_first_program(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier of digits with all that one asks of a trainer, of few epochs."""
    monkeypatch.chdir(tmp_path)
    digits = datasets.digits()
    model = nn.Sequential(
        nn.Linear(64, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 10),
    )
    trainer = cr.Trainer(
        model,
        losses.cross_entropy,
        optim.AdamW(1e-3),
        metrics=[metrics.accuracy, metrics.f1_macro],
        target=target,
    )
    history = trainer.fit(
        digits.train.x,
        digits.train.y,
        epochs=6,
        batch_size=32,
        validation=0.2,
        callbacks=[
            cr.EarlyStopping("val_loss", patience=8, restore_best=True),
            cr.Checkpoint("best.safetensors"),
        ],
    )
    found = trainer.evaluate(digits.test.x, digits.test.y)
    labels = np.asarray(trainer.predict(digits.test.x))
    trainer.save("model.safetensors")
    assert set(history) == {f"{of}{name}" for of in ("", "val_")
                            for name in ("loss", "accuracy", "f1_macro")}  # fmt: skip
    assert history["val_accuracy"][-1] > 0.9
    assert found["accuracy"] == pytest.approx((labels == digits.test.y).mean())
    assert cr.State.load("best.safetensors")["step"] == trainer.state["step"]
    assert cr.State.load("model.safetensors") == trainer.state


@TARGETS
def test_a_rule_ends_the_fit_and_restores_the_best(target: str) -> None:
    one = trainer(target)
    # labels at random: what is learned does not hold for others
    labels = np.random.default_rng(5).integers(0, 3, 80)
    history = one.fit(X, labels, epochs=300, batch_size=8, validation=0.25, callbacks=[STOP])
    waited = history["val_loss"]
    assert len(waited) < 300
    assert np.argmin(waited) == len(waited) - 3
    assert one.result is not None
    assert one.result.stopped
    # the split is drawn anew from the same seed
    again = one.fit(X, labels, epochs=1, batch_size=8, validation=0.25, lr=1e-30)
    assert again["val_loss"][0] == pytest.approx(min(waited), rel=1e-5)


@TARGETS
@pytest.mark.parametrize("after", [1, 3])
def test_a_fit_that_was_interrupted_is_resumed_to_the_bit(
    after: int, target: str, tmp_path: Path
) -> None:
    saved = cr.Checkpoint(tmp_path / "run.safetensors")

    def interrupt(epoch: FinishedEpoch) -> bool:
        return epoch.number == after

    whole = trainer(target)
    expected = whole.fit(X, Y, epochs=5, callbacks=[STOP], validation=0.2)
    first = trainer(target)
    first.fit(X, Y, epochs=5, callbacks=[STOP, saved, interrupt], validation=0.2)
    second = trainer(target)
    second.resume(tmp_path / "run.safetensors")
    assert second.state == first.state
    rest = second.fit(X, Y, epochs=5, callbacks=[STOP, saved], validation=0.2)
    assert second.state == whole.state
    for name, values in rest.items():
        assert values == expected[name][after:]
    third = trainer(target)
    third.resume(tmp_path / "run.safetensors")
    assert third.fit(X, Y, epochs=5, callbacks=[STOP], validation=0.2) == {}
    assert third.state == whole.state


def test_where_there_is_no_file_a_fit_begins_as_ever(tmp_path: Path) -> None:
    one = trainer()
    one.resume(tmp_path / "none.safetensors")
    assert one.fit(X, Y, epochs=2) == trainer().fit(X, Y, epochs=2)


@TARGETS
def test_metrics_that_are_no_scalars_are_reported(target: str) -> None:
    one = trainer(target, metrics=[metrics.accuracy, metrics.confusion_matrix])
    history = one.fit(X, Y, epochs=20, validation=0.2)
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert one.result is not None
    assert np.sum(one.result.metrics["val_confusion_matrix"]) == 16
    counts = np.asarray(one.evaluate(X, Y)["confusion_matrix"])
    predicted = np.asarray(one.predict(X))
    for (row, column), count in np.ndenumerate(counts):
        assert count == np.sum((row == Y) & (column == predicted))
    streamed = np.asarray(one.evaluate([(X, Y)])["confusion_matrix"])
    np.testing.assert_array_equal(streamed, counts)


def test_batches_have_callbacks_too(tmp_path: Path) -> None:
    seen: list[FinishedEpoch] = []

    def watch(epoch: FinishedEpoch) -> bool:
        seen.append(epoch)
        return epoch.number == 3

    one = trainer()
    saved = cr.Checkpoint(tmp_path / "{epoch}.safetensors", every=2)
    history = one.fit([(X, Y)], epochs=9, callbacks=[watch, saved])
    assert [epoch.number for epoch in seen] == [1, 2, 3]
    assert len(history["loss"]) == 3
    assert seen[-1].values["loss"] == history["loss"][-1]
    assert [path.name for path in tmp_path.iterdir()] == ["2.safetensors"]


@TARGETS
def test_a_fit_is_resumed_from_the_middle_of_an_epoch(target: str, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"

    def interrupt(epoch: FinishedEpoch) -> None:
        if epoch.state:
            raise KeyboardInterrupt

    vars(interrupt)["every_steps"] = 7  # an epoch of 64 rows has 4
    whole = trainer(target)
    expected = whole.fit(X, Y, epochs=5, batch_size=16, callbacks=[STOP], validation=0.2)
    first = trainer(target)
    watched: list[StoppingRule | Callback] = [STOP, cr.Checkpoint(path, every_steps=3), interrupt]
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, Y, epochs=5, batch_size=16, callbacks=watched, validation=0.2)
    second = trainer(target)
    second.resume(path)
    assert int(second.state["step"]) == 6
    rest = second.fit(X, Y, epochs=5, batch_size=16, callbacks=[STOP], validation=0.2)
    assert second.state == whole.state
    assert {name: values[1:] for name, values in expected.items()} == rest


def test_batches_have_checkpoints_after_steps(tmp_path: Path) -> None:
    batches = [(X[:30], Y[:30]), (X[30:60], Y[30:60]), (X[60:], Y[60:])]
    one = trainer()
    saved = cr.Checkpoint(tmp_path / "{step}.safetensors", every_steps=2)
    one.fit(batches, epochs=3, callbacks=[saved])
    assert sorted(int(path.stem) for path in tmp_path.iterdir()) == [2, 4, 6, 8]
    other = trainer()
    other.fit(batches, epochs=2)
    assert cr.State.load(tmp_path / "6.safetensors") == other.state

    def interrupt(epoch: FinishedEpoch) -> bool:
        return int(epoch.state["step"]) == 4

    vars(interrupt)["every_steps"] = 2
    third = trainer()
    third.fit(batches, epochs=3, validation=(X, Y), callbacks=[interrupt])
    assert cr.State.load(tmp_path / "4.safetensors") == third.state


def test_what_cannot_watch_a_fit_is_refused(tmp_path: Path) -> None:
    one = trainer()
    with pytest.raises(cr.InputError, match=r"stops by 'val_loss', and there are no validation da"):
        one.fit(X, Y, callbacks=[STOP])
    with pytest.raises(cr.InputError, match=r"3 is no callback(.|\n)*try: give functions"):
        one.fit(X, Y, callbacks=[3])  # type: ignore[list-item]
    with pytest.raises(cr.InputError, match=r"EarlyStopping is for arrays(.|\n)*returns True"):
        one.fit([(X, Y)], callbacks=STOP)
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(cr.StateError, match=r"Checkpoint: cannot write to .*(.|\n)*try: choose"):
        one.fit(X, Y, callbacks=cr.Checkpoint(blocked / "run.safetensors"))
    assert one.result is None
    one.fit(X, Y, epochs=1)
    one.save(tmp_path / "state")
    one.resume(tmp_path / "state")
    with pytest.raises(cr.InputError, match=r"how many epochs are left is not known(.|\n)*load"):
        one.fit([(X, Y)], epochs=3)
