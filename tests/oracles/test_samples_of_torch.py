"""PyTorch's own samples of each op that exists here: the same value, and the same gradient.

Where the two differ by choice, `CHOICES` says so. Values may differ by rounding alone, by
`ROUNDING` of the largest element.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.oracles.translations import TRANSLATIONS, Translation

import chainrule as cr
from chainc.ir.types import BY_NAME

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
samples_of = pytest.importorskip(
    "torch.testing._internal.common_methods_invocations",
    reason="PyTorch's samples need expecttest: pip install expecttest",
)

OPS = {f"{op.name}.{op.variant_test_name}".rstrip("."): op for op in samples_of.op_db}
DTYPES = ("float32", "float64", "int32", "bool")
TARGETS = ("numpy", "llvm")
ROUNDING = {"float32": 1e-5, "float64": 1e-12}

# What PyTorch computes and Chainrule refuses: what the refusal says, and why it is right.
CHOICES = {
    r"needs floating-point operands, got (i32|bool)": "nothing here picks a precision unasked",
    r"needs floating-point or integer operands, got bool": "truth values are no numbers",
    r"cannot multiply element types bool and bool": "truth values are no numbers",
    r"cannot reduce Booleans": "truth values are no numbers",
    r"needs boolean operands, got": "numbers are no truth values",
    r"element types \S+ and \S+ do not mix": "nothing here picks a precision unasked",
    r"the number 0.2 does not fit an operand of element type i32": "a factor is not cut unasked",
    r"does not fit a tensor of [01] axes": "an axis is one that the tensor has",
    r"are empty, so there is no max": "none is the largest of none",
    r"'...ik, ...j -> ij' is no equation of two operands": "every axis has a letter",
}

Arrays = list[npt.NDArray[Any]]


@dataclass
class Call:
    """A call of PyTorch, taken apart: an input here for each tensor there."""

    tensors: list[Any] = field(default_factory=list)
    inputs: list[cr.Node] = field(default_factory=list)

    def translated(self, value: Any) -> Any:
        """The value with nodes for tensors."""
        if isinstance(value, torch.Tensor):
            return self._input(value)
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.translated, value))
        return value

    def _input(self, tensor: Any) -> cr.Node:
        name = str(tensor.dtype).removeprefix("torch.")
        if name not in BY_NAME:
            raise NotImplementedError(f"no {name} here")
        self.tensors.append(tensor)
        self.inputs.append(cr.input(f"x{len(self.inputs)}", tuple(tensor.shape), name))
        return self.inputs[-1]

    def run(self, nodes: Sequence[cr.Node], target: str) -> Arrays:
        used = {leaf.op.label for leaf in cr.Graph(nodes).leaves("input")}
        values = {
            node.op.label: tensor.detach().numpy()
            for node, tensor in zip(self.inputs, self.tensors, strict=True)
        }
        run = cr.compile(list(nodes), target=target)
        return list(run({key: value for key, value in values.items() if key in used}))


@dataclass(frozen=True)
class Comparison:
    """One sample, said here and there."""

    call: Call
    ours: cr.Node
    theirs: Any

    def check(self, target: str, bound: float) -> None:
        """Equal values, and equal gradients of one weighted sum of the results."""
        theirs = self.theirs.detach()
        wanted = {
            node: tensor
            for node, tensor in zip(self.call.inputs, self.call.tensors, strict=True)
            if tensor.requires_grad and self.theirs.requires_grad
        }
        if not wanted:
            (value,) = self.call.run([self.ours], target)
            close(value, theirs, bound)
            return
        weights = torch.linspace(-1, 2, theirs.numel(), dtype=theirs.dtype).reshape(theirs.shape)
        given = cr.constant(weights.numpy(), str(self.ours.type.dtype.name))
        slopes = cr.vjp(self.ours, list(wanted), given, allow_unused=True)
        expected = torch.autograd.grad(
            self.theirs, list(wanted.values()), weights, retain_graph=True, materialize_grads=True
        )
        value, *found = self.call.run([self.ours, *slopes], target)
        close(value, theirs, bound)
        for ours, slope in zip(found, expected, strict=True):
            close(ours, slope, bound)


def close(ours: npt.NDArray[Any], theirs: Any, bound: float) -> None:
    expected = theirs.numpy()
    assert ours.shape == expected.shape
    exact = expected.dtype.kind != "f"
    scale = np.max(np.abs(expected), initial=1.0, where=np.isfinite(expected)) if not exact else 0
    np.testing.assert_allclose(ours, expected, rtol=0, atol=bound * scale)


def comparisons(
    op: Any, translation: Translation, dtype: str, chosen: set[str]
) -> Iterator[Comparison]:
    """The samples that can be said here; those that are refused by choice are told in `chosen`.

    An argument or an element type that does not exist here leaves a sample out.
    """
    smooth = dtype.startswith("float") and op.supports_autograd
    for sample in op.sample_inputs("cpu", getattr(torch, dtype), requires_grad=smooth):
        call = Call()
        try:
            arguments = call.translated((sample.input, *sample.args))
            keywords = {key: call.translated(value) for key, value in sample.kwargs.items()}
            if not takes(translation, arguments, keywords):
                continue
            ours = translation(*arguments, **keywords)
        except NotImplementedError:
            continue
        except cr.ChainruleError as error:
            chosen.add(choice(error))
            continue
        theirs = op(sample.input, *sample.args, **sample.kwargs)
        yield Comparison(call, ours, theirs[0] if isinstance(theirs, tuple) else theirs)


def takes(function: Translation, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> bool:
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except TypeError:
        return False
    return True


def choice(error: cr.ChainruleError) -> str:
    """The choice that the refusal is of; another refusal is a fault."""
    for pattern in CHOICES:
        if re.search(pattern, error.what):
            return pattern
    raise error


CASES = [
    pytest.param(name, dtype, id=f"{name}-{dtype}")
    for name in TRANSLATIONS
    for dtype in DTYPES
    if getattr(torch, dtype) in OPS[name].dtypes
]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_values_and_gradients_are_those_of_pytorch(name: str, dtype: str) -> None:
    chosen: set[str] = set()
    compared = 0
    for comparison in comparisons(OPS[name], TRANSLATIONS[name], dtype, chosen):
        for target in TARGETS:
            comparison.check(target, ROUNDING.get(dtype, 0.0))
        compared += 1
    assert compared or chosen, "not one sample can be said here"


def test_there_are_ops_enough_and_every_choice_is_met() -> None:
    assert len(TRANSLATIONS) >= 99
    met: set[str] = set()
    for name, translation in TRANSLATIONS.items():
        for dtype in ("float32", "int32", "bool"):
            if getattr(torch, dtype) in OPS[name].dtypes:
                for _ in comparisons(OPS[name], translation, dtype, met):
                    pass
    assert met == set(CHOICES)
