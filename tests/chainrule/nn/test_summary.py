"""The summary of a model, counted by hand."""

import pytest

from chainc.ir.errors import InputError
from chainc.ir.types import named
from chainrule import nn
from chainrule.declare.leaves import input

HERE = r"\n  where: .*test_summary\.py:\d+\n  try: "


def digits_model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), name="model")


def test_rows_hold_the_numbers_counted_by_hand() -> None:
    summary = digits_model().summary(batch=32)
    rows = {row.path: row for row in summary.rows}
    assert list(rows) == ["model", "model/linear1", "model/relu1", "model/linear2"]
    first = rows["model/linear1"]
    assert (first.kind, first.output_shape) == ("Linear", (named("batch"), 32))
    assert first.parameters == 64 * 32 + 32
    assert first.parameter_bytes == 4 * first.parameters
    assert first.flops == 2 * 32 * 64 * 32 + 32 * 32  # products and sums, then the bias
    assert first.output_bytes == 4 * 32 * 32
    assert rows["model/relu1"].flops == 32 * 32
    assert rows["model/relu1"].parameters == 0
    total = summary.total
    assert total is summary.rows[0]
    assert total.parameters == 2410
    assert total.flops == sum(row.flops for row in summary.rows[1:])
    assert total.output_shape == (named("batch"), 10)
    assert summary.sizes == {"batch": 32}


def test_sizes_not_given_count_as_one() -> None:
    assert digits_model().summary().total.flops * 32 == digits_model().summary(batch=32).total.flops


def test_the_table_lists_layers_and_totals() -> None:
    lines = str(digits_model().summary(batch=32)).splitlines()
    assert lines[0].split() == [
        "layer", "kind", "output", "parameters", "FLOPs", "parameter", "bytes", "output", "bytes",
    ]  # fmt: skip
    assert lines[3].split() == [
        "linear1", "Linear", "[batch,32]", "2,080", "132,096", "8,320", "4,096",
    ]  # fmt: skip
    assert lines[-1] == "total: 2,410 parameters, 9,640 bytes; 153,920 FLOPs forward for batch=32"


def test_inner_layers_count_in_those_around_them() -> None:
    inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    model = nn.Sequential(inner, nn.Linear(4, 2))
    rows = {row.path: row for row in model.summary().rows}
    assert list(rows) == [
        "model",
        "model/sequential1",
        "model/sequential1/linear1",
        "model/sequential1/tanh1",
        "model/linear1",
    ]
    assert rows["model/sequential1"].parameters == 20


def test_a_layer_used_twice_computes_twice_with_one_set_of_parameters() -> None:
    tied = nn.Linear(3, 3)
    model = nn.Sequential(tied, tied)
    total = model.summary().total
    assert total.parameters == 12
    assert total.flops == 2 * (2 * 9 + 3)


def test_the_input_can_be_given_as_a_shape_or_a_node() -> None:
    model = nn.Sequential(nn.Tanh())
    assert model.summary(("batch", 5), batch=2).total.flops == 10
    x = input("x", ("time", 7), dtype="float64")
    summary = model.summary(x, time=3)
    assert summary.total.output_bytes == 3 * 7 * 8


def test_a_model_that_does_not_tell_its_input_is_refused() -> None:
    model = nn.Sequential(nn.Tanh())
    with pytest.raises(InputError, match=rf"^summary: model does not tell the shape.*{HERE}give"):
        model.summary()


def test_unknown_sizes_and_empty_models_are_refused() -> None:
    with pytest.raises(InputError, match=rf"no named size 'time'{HERE}its named sizes are batch"):
        digits_model().summary(time=3)
    empty = nn.Sequential()
    with pytest.raises(InputError, match=rf"empty computes nothing{HERE}summarise a model"):
        empty.summary(("batch", 3))
