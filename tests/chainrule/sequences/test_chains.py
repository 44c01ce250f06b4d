"""A chain of labels against all rows of labels that there could be."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses

ROWS, STEPS, CLASSES = 4, 5, 3
LENGTHS = np.array([5, 3, 1, 4], np.int32)
random = np.random.default_rng(0)
SCORES = random.normal(size=(ROWS, STEPS, CLASSES)).astype(np.float32)
TRANSITIONS = random.normal(size=(CLASSES, CLASSES)).astype(np.float32)
LABELS = random.integers(0, CLASSES, (ROWS, STEPS)).astype(np.int32)

logits = cr.input("logits", ("batch", STEPS, CLASSES))
transitions = cr.input("transitions", (CLASSES, CLASSES))
labels = cr.input("labels", ("batch", STEPS), dtype="int32")
lengths = cr.input("lengths", ("batch",), dtype="int32")
GIVEN = {"logits": SCORES, "transitions": TRANSITIONS, "labels": LABELS, "lengths": LENGTHS}


def computed(node: cr.Node, target: str = "numpy") -> npt.NDArray[np.float64]:
    read = {leaf.op.label for leaf in cr.Graph([node]).leaves("input")}
    found = cr.compile(node, target=target)(**{name: GIVEN[name] for name in read})
    return np.asarray(found, np.float64)


def score(row: int, chosen: tuple[int, ...]) -> float:
    own = sum(float(SCORES[row, t, label]) for t, label in enumerate(chosen))
    return own + sum(float(TRANSITIONS[pair]) for pair in pairwise(chosen))


def all_rows(count: int) -> list[tuple[int, ...]]:
    return list(product(range(CLASSES), repeat=count))


def best_of(row: int, count: int) -> tuple[int, ...]:
    return max(all_rows(count), key=lambda chosen: score(row, chosen))


def by_hand(counts: npt.NDArray[np.int32]) -> list[float]:
    """Of each row -ln p, by the sum over all rows of labels."""
    found = []
    for row, count in enumerate(counts):
        every = np.array([score(row, chosen) for chosen in all_rows(int(count))])
        found.append(np.logaddexp.reduce(every) - score(row, tuple(LABELS[row, :count])))
    return found


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_the_loss_is_that_of_all_rows_counted(target: str) -> None:
    found = computed(losses.crf(logits, labels, transitions, reduction="none"), target)
    np.testing.assert_allclose(found, by_hand(np.full(ROWS, STEPS, np.int32)), rtol=1e-5)


def test_shorter_rows_end_earlier() -> None:
    each = by_hand(LENGTHS)
    found = computed(losses.crf(logits, labels, transitions, lengths=lengths, reduction="none"))
    np.testing.assert_allclose(found, each, rtol=1e-5)
    mean, total = (
        computed(losses.crf(logits, labels, transitions, lengths=lengths, reduction=how))
        for how in ("mean", "sum")
    )
    assert (mean, total) == pytest.approx((np.mean(each), np.sum(each)), rel=1e-5)


def test_its_gradient_is_how_often_less_how_likely() -> None:
    """By the logits: the probability of each class at each step, less 1 at the label's."""
    loss = losses.crf(logits, labels, transitions, reduction="sum")
    wanted = np.zeros(SCORES.shape)
    for row in range(ROWS):
        weights = np.exp([score(row, chosen) for chosen in all_rows(STEPS)])
        for chosen, weight in zip(all_rows(STEPS), weights / weights.sum(), strict=True):
            wanted[row, np.arange(STEPS), chosen] += weight
        wanted[row, np.arange(STEPS), LABELS[row]] -= 1
    np.testing.assert_allclose(computed(cr.grad(loss, logits)), wanted, atol=1e-5)
    cr.check_grad(loss, transitions, {name: GIVEN[name] for name in GIVEN if name != "lengths"})


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_the_likeliest_row_is_found(target: str) -> None:
    found = computed(cr.viterbi(logits, transitions), target)
    np.testing.assert_array_equal(found, [best_of(row, STEPS) for row in range(ROWS)])


def test_the_likeliest_shorter_row_is_found() -> None:
    found = computed(cr.viterbi(logits, transitions, lengths=lengths))
    for row, count in enumerate(LENGTHS):
        best = best_of(row, int(count))
        assert tuple(found[row, :count]) == best
        assert set(found[row, count:]) <= {best[-1]}


def test_without_transitions_it_is_cross_entropy() -> None:
    loss = losses.crf(logits, labels, transitions * 0.0)
    assert computed(loss) == pytest.approx(
        STEPS * float(computed(losses.cross_entropy(logits, labels))), rel=1e-5
    )


def test_what_does_not_fit_is_refused() -> None:
    other = cr.input("other", (2, 2))
    with pytest.raises(
        cr.ShapeError, match=r"(?s)transitions are f32\[2,2\].*3 classes.*try: decl"
    ):
        losses.crf(logits, labels, other)
    with pytest.raises(cr.ShapeError, match=r"(?s)logits are f32\[2,2\].*try: give \(batch, time"):
        cr.viterbi(other, transitions)
    with pytest.raises(cr.ShapeError, match=r"(?s)lengths .* are no integers.*try: declare them"):
        cr.viterbi(logits, transitions, lengths=labels)
    with pytest.raises(cr.ShapeError, match=r"(?s)there is one step.*try: use losses.cross_ent"):
        cr.viterbi(logits[:, :1], transitions)
    with pytest.raises(cr.ShapeError, match="do not fit logits"):
        losses.crf(logits, labels[:, :-1], transitions)
    with pytest.raises(cr.DTypeError, match=r"labels are .*, not integers"):
        losses.crf(logits, logits[:, :, 0], transitions)
