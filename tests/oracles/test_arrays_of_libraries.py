"""Arrays and tables of pandas, polars, PyTorch and JAX as data, each where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr

NUMBERS = np.array([[1.0, 0.0], [0.0, 1.0]])
NAMES = ["a", "b"]
Make = Callable[[Any], Any]

TABLES: dict[str, tuple[str, Make]] = {
    "pandas": ("pandas", lambda pd: pd.DataFrame(NUMBERS, columns=NAMES)),
    "pandas whole": ("pandas", lambda pd: pd.DataFrame(NUMBERS.astype(int), columns=NAMES)),
    "pandas nullable": ("pandas", lambda pd: pd.DataFrame(NUMBERS, columns=NAMES).astype("Int64")),
    "pandas Boolean": ("pandas", lambda pd: pd.DataFrame(NUMBERS, columns=NAMES).astype("boolean")),
    "pandas mixed": ("pandas", lambda pd: pd.DataFrame({"a": [1, 0], "b": [False, True]})),
    "polars": ("polars", lambda pl: pl.DataFrame(NUMBERS, schema=NAMES)),
    "polars mixed": ("polars", lambda pl: pl.DataFrame({"a": [1.0, 0.0], "b": [False, True]})),
    "arrow": ("pyarrow", lambda pa: pa.table({"a": [1.0, 0.0], "b": [0.0, 1.0]})),
    "torch": ("torch", lambda torch: torch.tensor(NUMBERS)),
    "torch graph": ("torch", lambda torch: torch.tensor(NUMBERS, requires_grad=True)),
    "torch bfloat16": ("torch", lambda torch: torch.tensor(NUMBERS).bfloat16().requires_grad_()),
    "torch bool": ("torch", lambda torch: torch.tensor(NUMBERS).bool()),
    "torch transposed": ("torch", lambda torch: torch.tensor(NUMBERS).t()),
    "jax": ("jax.numpy", lambda jnp: jnp.asarray(NUMBERS)),
}

DOORS: dict[str, Callable[[Any], npt.NDArray[Any]]] = {
    "input": lambda v: cr.compile(cr.input("x", (2, 2)) * 1.0)(x=v),
    "constant": lambda v: cr.compile(cr.constant(v, "float32") * 1.0)(),
    "initialiser": lambda v: cr.compile(cr.parameter("w", (2, 2), v) * 1.0).initial_state()["w"],
    "state": lambda v: cr.compile(cr.parameter("w", (2, 2), 0.0) * 1.0).bind(cr.State({"w": v}))(),
    "split": lambda v: cr.datasets.dataset.Split(v, np.zeros(2, np.int32)).x,
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("table", TABLES)
def test_every_door_takes_them(door: str, table: str) -> None:
    module, make = TABLES[table]
    value = make(pytest.importorskip(module, reason=f"{module} is not installed"))
    result = DOORS[door](value)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, NUMBERS)


LABELS: dict[str, tuple[str, Make]] = {
    "pandas": ("pandas", lambda pd: pd.Series([0, 1])),
    "pandas nullable": ("pandas", lambda pd: pd.Series([0, 1], dtype="Int64")),
    "pandas codes": ("pandas", lambda pd: pd.Series(pd.Categorical(["x", "y"])).cat.codes),
    "polars": ("polars", lambda pl: pl.Series([0, 1], dtype=pl.UInt64)),
    "arrow": ("pyarrow", lambda pa: pa.array([0, 1])),
    "torch": ("torch", lambda torch: torch.tensor([0, 1])),
    "jax": ("jax.numpy", lambda jnp: jnp.asarray([0, 1])),
}


@pytest.mark.parametrize("labels", LABELS)
def test_labels_become_int32(labels: str) -> None:
    module, make = LABELS[labels]
    value = make(pytest.importorskip(module, reason=f"{module} is not installed"))
    result = cr.compile(cr.input("y", (2,), "int32") + 0)(y=value)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, [0, 1])


REFUSED: dict[str, tuple[str, Make, str]] = {
    "pandas null": (
        "pandas",
        lambda pd: pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [1, 2]}),
        r"a missing value in row 1, column 'a'",
    ),
    "polars null": (
        "polars",
        lambda pl: pl.DataFrame({"a": [1, 2], "b": [0.5, None]}),
        r"a missing value in row 1, column 'b'",
    ),
    "arrow null": (
        "pyarrow",
        lambda pa: pa.table({"a": [1, 2], "b": [0.5, None]}),
        r"a missing value in row 1, column 'b'",
    ),
    "pandas categories": (
        "pandas",
        lambda pd: pd.DataFrame({"a": pd.Categorical(["x", "y"]), "b": [1, 2]}),
        r"'x' in row 0, column 'a'",
    ),
    "polars text": (
        "polars",
        lambda pl: pl.DataFrame({"a": ["x", "y"], "b": [1, 2]}),
        r"'x' in row 0, column 'a'",
    ),
    "torch sparse": (
        "torch",
        lambda torch: torch.tensor(NUMBERS).to_sparse(),
        r"a Tensor, which .*Sparse",
    ),
    "torch complex": (
        "torch",
        lambda torch: torch.tensor(NUMBERS + 1j),
        r"element type complex128",
    ),
}


@pytest.mark.parametrize("table", REFUSED)
def test_what_has_no_number_is_refused_with_its_place(table: str) -> None:
    module, make, what = REFUSED[table]
    value = make(pytest.importorskip(module, reason=f"{module} is not installed"))
    with pytest.raises(cr.ChainruleError, match=rf"{what}(.|\n)*where: .*test_arrays_of_libraries"):
        cr.compile(cr.input("x", (2, 2)) * 1.0)(x=value)


SHORT: list[tuple[str, Make]] = [
    ("jax.numpy", lambda jnp: jnp.asarray(NUMBERS, dtype=jnp.bfloat16)),
    ("torch", lambda torch: torch.tensor(NUMBERS).half()),
]


@pytest.mark.parametrize(("module", "make"), SHORT, ids=["jax", "torch"])
def test_numbers_of_16_bits_are_data_and_no_constant(module: str, make: Make) -> None:
    value = make(pytest.importorskip(module, reason=f"{module} is not installed"))
    np.testing.assert_array_equal(DOORS["input"](value), NUMBERS)
    with pytest.raises(cr.DTypeError, match=r"float16, which is none(.|\n)*astype"):
        DOORS["constant"](value)


def test_a_table_beside_a_node_gives_a_node() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    x = cr.input("x", (2, 2), "float64")
    table = pd.DataFrame(NUMBERS, columns=NAMES)
    for node in (x + table, table + x):
        np.testing.assert_array_equal(cr.compile(node)(x=NUMBERS), 2 * NUMBERS)
    with pytest.raises(cr.GraphError, match=r"where: .*test_arrays_of_libraries"):
        table @ x  # the table asks for numbers, and the place named is not a line of pandas
