"""What NumPy's and Python's own functions get from a node: another node, or an error that helps.

A node has no numbers before its graph runs, so whatever asks for them is refused here.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NoReturn

from chainc.ir.errors import GraphError

# A function of NumPy and what stands for it on nodes; the front end fills it.
NUMPY_FUNCTIONS: dict[Callable[..., object], Callable[..., object]] = {}


def is_masked(value: object) -> bool:
    """Is it an array of `numpy.ma`? Who has one has imported that; nobody else waits for it."""
    module = sys.modules.get("numpy.ma")
    return module is not None and isinstance(value, module.MaskedArray)


class NoNumbersError(GraphError, TypeError):
    """A node used as if it held numbers."""


class NoAttributeError(GraphError, AttributeError):
    """A name that a node, a layer or a package does not have."""


class Foreign:
    """How a node answers to what was made for arrays and numbers."""

    __slots__ = ()
    __pandas_priority__ = 5000  # above a DataFrame's, so that `table + node` asks the node

    def __array_ufunc__(
        self, function: Callable[..., object], method: str, *inputs: object, **options: object
    ) -> object:
        if method != "__call__":
            raise _no_op(f"numpy.{function.__name__}.{method}")
        return call_numpy(function, inputs, options)

    def __getattr__(self, name: str) -> NoReturn:
        # only reached where no field or method has this name
        if name.startswith("_"):
            raise AttributeError(f"a node has no attribute {name!r}")
        known = any(name == function.__name__ for function in NUMPY_FUNCTIONS)
        raise NoAttributeError(
            f"{self!r} has no attribute {name!r}",
            hint=f"write numpy.{name}(node), which gives a node too"
            if known
            else "use its shape, ndim, dtype, T, type, op, inputs or origin",
        )

    def __array_function__(
        self,
        function: Callable[..., object],
        types: Sequence[type],
        inputs: Sequence[object],
        options: Mapping[str, object],
    ) -> object:
        return call_numpy(function, inputs, options)

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        self._refuse_numbers("an array")

    def __float__(self) -> NoReturn:
        self._refuse_numbers("a float")

    def __int__(self) -> NoReturn:
        self._refuse_numbers("an int")

    def __len__(self) -> NoReturn:
        raise NoNumbersError(
            f"{self!r} has no length",
            hint='ask for a size of its shape, such as node.shape[0] or cr.size("batch")',
        )

    def __format__(self, specification: str) -> str:
        if specification:
            self._refuse_numbers(f"a number written as {specification!r}")
        return str(self)

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise NoNumbersError(
            f"{self!r} cannot be changed in place",
            hint="make a new node, with cr.where(condition, a, b) or cr.scatter_add",
        )

    def _refuse_numbers(self, wanted: str) -> NoReturn:
        raise NoNumbersError(
            f"{self!r} is not {wanted}: it has no numbers before its graph runs",
            hint="compute them with cr.compile(node)(...), or use Chainrule's functions of nodes",
        )


if TYPE_CHECKING:

    class NotAnArray:
        """To a type checker a node has none of this; an array's operators give way to its own."""

        __array_ufunc__: ClassVar[None] = None
else:
    NotAnArray = Foreign


def call_numpy(
    function: Callable[..., object], inputs: Sequence[object], options: Mapping[str, object]
) -> object:
    """What a function of NumPy gives for nodes.

    Raises:
        GraphError: no op stands for it, or not for these arguments.
    """
    name = f"numpy.{function.__name__}"
    ours = NUMPY_FUNCTIONS.get(function)
    if ours is None:
        raise _no_op(name)
    if options.get("out") is not None:
        raise GraphError(
            f"{name}: a node cannot be written into an array",
            hint="name the result instead, such as y = array + node",
        )
    accepted = inspect.signature(ours)
    try:
        accepted.bind(*inputs, **options)
    except TypeError as error:
        raise GraphError(
            f"{name} of nodes: {error}",
            hint=f"its arguments for nodes are ({', '.join(accepted.parameters)})",
        ) from None
    return ours(*inputs, **options)


def _no_op(name: str) -> GraphError:
    return GraphError(
        f"{name}: no op on nodes stands for it",
        hint="compose it of Chainrule's functions, or declare one with cr.elementwise",
    )
