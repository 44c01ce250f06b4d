"""The Transformer: what its parts are given, what it may read, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

random = np.random.default_rng(0)


def small(**options: object) -> nn.Transformer:
    sizes = {"vocabulary": 5, "width": 8, "heads": 2, "layers": 2, "context": 6}
    return nn.Transformer(**sizes, **options, name="gpt")  # type: ignore[arg-type]


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_no_position_reads_what_comes_after_it_unless_it_may(positions: str) -> None:
    tokens = random.integers(0, 5, (3, 6)).astype(np.int32)
    other = tokens.copy()
    other[:, 4] = (other[:, 4] + 1) % 5
    for causal in (True, False):
        model = nn.Transformer(5, 8, 2, 1, 6, causal=causal, positions=positions)
        run = cr.compile(model(cr.input("x", ("batch", 6), dtype="int32")), target="numpy")
        bound = run.bind(run.initial_state(1))
        moved = np.abs(bound(x=tokens) - bound(x=other)).max((0, 2))
        assert (moved[:4] == 0).all() == causal
        assert (moved[4:] > 0).all()


def test_its_names_sizes_and_first_values() -> None:
    model = small()
    logits = model(cr.input("x", ("batch", 6), dtype="int32"))
    assert str(logits.type) == "f32[batch,6,5]"
    names = [node.op.label for node in model.parameters()]
    assert names[:2] == ["gpt/embedding/weight", "gpt/positions/weight"]
    assert names[2] == "gpt/block1/attention/query_key_value/weight"
    assert names[-3:] == ["gpt/norm/weight", "gpt/norm/bias", "gpt/head/weight"]
    state = cr.compile(logits, target="numpy").initial_state(0)
    inner, last = (
        np.asarray(state[f"gpt/block2/feed_forward/linear{n}/weight"], np.float64) for n in (1, 2)
    )
    assert inner.std() == pytest.approx(0.02, rel=0.15)
    assert last.std() == pytest.approx(0.01, rel=0.15)
    assert not np.any(state["gpt/block1/attention/output/bias"])
    tied = small(tied=True)
    assert "gpt/head/weight" not in [node.op.label for node in tied.parameters()]
    assert len(tied.parameters()) == len(model.parameters()) - 1


def test_it_learns_to_repeat_what_came_three_tokens_before() -> None:
    x, y = cr.input("x", ("batch", 6), dtype="int32"), cr.input("y", ("batch",), dtype="int32")
    model = nn.Transformer(3, 16, 2, 1, 6, tied=True, dropout=0.01)
    logits = model(x)[:, 5]
    step = optim.AdamW(
        lr=0.01, betas=(0.9, 0.99), weight_decay=0.1, signal=[optim.clip.by_global_norm(1.0)]
    ).minimize(losses.cross_entropy(logits, y))
    accuracy = {"accuracy": cr.metrics.accuracy(logits, y)}
    training = cr.training(step, epochs=5, batch_size=20, metrics=accuracy)
    tokens = random.integers(0, 3, (600, 6)).astype(np.int32)
    given = {x: tokens, y: tokens[:, 3].copy()}
    result = cr.compile(training, target="numpy").run(given, progress=False)
    assert result.history["accuracy"][-1] > 0.99


def test_a_decoder_reads_another_sequence_and_its_own_past() -> None:
    """One token after another, with keys and values kept: what the whole gives in one call."""
    block = nn.TransformerBlock(8, 2, causal=True, cross=True, norm=nn.RMSNorm, hidden=12)
    x, context = cr.input("x", (2, 3, 8)), cr.input("context", (2, 4, 8))
    kept: list[tuple[cr.Node, cr.Node]] = []

    def attend(given: cr.Node) -> cr.Node:
        queries, *new = block.attention.project(given)
        kept.append((new[0], new[1]))
        keys, found = (cr.concat(parts, 2) for parts in zip(*kept, strict=True))
        return block.attention.merge(block.attention.attend(queries, keys, found))

    parts = [block.around(attend, x[:, t : t + 1], context) for t in range(3)]
    run = cr.compile([block(x, context), cr.concat(parts, 1)], target="numpy")
    given = {"x": random.normal(size=(2, 3, 8)), "context": random.normal(size=(2, 4, 8))}
    whole, steps = run.bind(run.initial_state(0))(
        **{k: v.astype(np.float32) for k, v in given.items()}
    )
    np.testing.assert_allclose(steps, whole, atol=1e-6)


def test_what_is_behind_a_sequence_s_end_changes_nothing() -> None:
    model = small(causal=False, norm_first=False, activation=nn.ReLU, bias=False)
    x, lengths = cr.input("x", ("batch", 6), "int32"), cr.input("lengths", ("batch",), "int32")
    run = cr.compile(model(x, lengths=lengths))
    bound = run.bind(run.initial_state(0))
    tokens, counts = random.integers(0, 5, (2, 6)).astype(np.int32), np.array([4, 6], np.int32)
    other = tokens.copy()
    other[0, 4:] = (other[0, 4:] + 1) % 5
    one, two = (bound(x=each, lengths=counts) for each in (tokens, other))
    assert np.array_equal(one[0, :4], two[0, :4])
    assert np.array_equal(one[1], two[1])
    with pytest.raises(cr.InputError, match=r"'lengths' holds the index 7 at \[1\], out of range"):
        bound(x=tokens, lengths=np.array([4, 7], np.int32))


def test_bad_input_is_refused() -> None:
    with pytest.raises(cr.InputError, match=r"(?s)no positions 'none'.*try: give one of learned"):
        small(positions="none")
    with pytest.raises(cr.InputError, match=r"(?s)Transformer: layers must be .*try: give voc"):
        nn.Transformer(5, 8, 2, 0, 6)
    with pytest.raises(cr.InputError, match="3 heads do not divide the width 8"):
        nn.TransformerBlock(8, 3)
    x = cr.input("x", (2, 3, 8))
    with pytest.raises(
        cr.InputError, match=r"(?s)nothing attends to a context.*try: declare the b"
    ):
        nn.TransformerBlock(8, 2)(x, x)
    with pytest.raises(cr.InputError, match=r"(?s)there is no context.*try: declare the block"):
        nn.TransformerBlock(8, 2, cross=True)(x)
    with pytest.raises(cr.DTypeError, match=r"(?s)are no integers.*try: declare them"):
        small()(x)
    with pytest.raises(
        cr.InputError, match=r"(?s)applied to nodes, not to a ndarray.*try: declare"
    ):
        nn.MultiHeadAttention(8, 2)(x, mask=np.ones((3, 3), bool))  # type: ignore[arg-type]
