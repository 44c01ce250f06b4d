"""Convolutions as sums over the window: forward, and back to the kernel and to the image.

z[b,o,p,q]     =  Σ x[b,c, p + i, q + j]·w[o,c,i,j]         over c, i, j
∂L/∂w[o,c,i,j] =  Σ x[b,c, p + i, q + j]·∂L/∂z[b,o,p,q]     over b, p, q
∂L/∂x[b,c,u,v] =  Σ ∂L/∂z[b,o, u − i, v − j]·w[o,c,i,j]     over o, i, j
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase

from chainc.dataclass import dataclass
from chainc.formulas.blackboard import ATOM, Written
from chainc.ir import Node
from chainc.ops.contract import Contract
from chainc.ops.parts.window import Sliding, Window

POSITIONS, TAPS, PIXELS = "pqr", "ijk", "uvs"


def is_slid(window: Node, reader: Node) -> bool:
    """Is it the window, of up to three axes, of a convolution: taps are summed, positions stay?"""
    if not isinstance(window.op, Window) or not isinstance(reader.op, Contract):
        return False
    if sum(isinstance(operand.op, Window) for operand in reader.inputs) != 1:
        return False
    if len(window.op.axes) > len(POSITIONS):
        return False
    op, place = reader.op, windows_of(reader)
    windowed, kernel = (op.a, op.b) if place == 0 else (op.b, op.a)
    positions = {windowed[axis] for axis in window.op.axes}
    taps = set(windowed[-len(window.op.axes) :])
    stay = positions <= set(op.result) and not positions & set(kernel)
    return stay and taps <= set(kernel) and not taps & set(op.result)


@dataclass(frozen=True)
class Convolution:
    """A contraction over windows, by its indices.

    Attributes:
        windowed: the letters of its operand of windows.
        kernel: those of the other one.
        result: those of the result.
        axes: of the image, along which the windows slide.
        slides: how they slide along each.
    """

    windowed: str
    kernel: str
    result: str
    axes: tuple[int, ...]
    slides: tuple[Sliding, ...]

    @classmethod
    def of(cls, node: Node) -> Convolution:
        """That of a contraction one of whose operands are windows."""
        op, place = node.op, windows_of(node)
        window = node.inputs[place].op
        assert isinstance(op, Contract)
        assert isinstance(window, Window)
        windowed, kernel = (op.a, op.b) if place == 0 else (op.b, op.a)
        names = _names(windowed, dict.fromkeys(op.a + op.b), window.axes)
        image, taps, result = (
            "".join(names[letter] for letter in each) for each in (windowed, kernel, op.result)
        )
        return cls(image, taps, result, window.axes, window.slides)

    def forward(self, image: Written, kernel: Written) -> Written:
        factors = [_at(image, self._read), _at(kernel, self.kernel)]
        return self._total(factors, self.result)

    def to_kernel(self, image: Written, above: Written) -> Written:
        factors = [_at(image, self._read), _at(above, self.result)]
        return self._total(factors, self.kernel)

    def to_image(self, above: Written, kernel: Written) -> Written:
        """Where a kernel moves by one pixel, from which position a tap comes is written out."""
        moved: dict[str, str] = {}
        conditions: list[str] = []
        for number, slide in enumerate(self.slides):
            position, tap, pixel = POSITIONS[number], TAPS[number], PIXELS[number]
            if slide.stride == 1:
                moved[position] = f"{pixel} − {_times(slide.dilation, tap)}"
            else:
                conditions.append(f"{_read(slide, number)} = {pixel}")
        factors = [_at(above, [moved.get(x, x) for x in self.result]), _at(kernel, self.kernel)]
        pixels = list(self.windowed[: -len(self.axes)])
        for axis, letter in zip(self.axes, PIXELS, strict=False):
            pixels[axis] = letter
        bound = [letter for letter in dict.fromkeys(self.result + self.kernel)
                 if letter not in pixels and letter not in moved]  # fmt: skip
        return _written(bound, conditions, factors, pixels)

    @property
    def _read(self) -> Sequence[str]:
        """The indices of the image: `p + i` along an axis of windows."""
        indices = list(self.windowed[: -len(self.axes)])
        for number, (axis, slide) in enumerate(zip(self.axes, self.slides, strict=True)):
            indices[axis] = _read(slide, number)
        return indices

    def _total(self, factors: Sequence[Written], result: str) -> Written:
        letters = dict.fromkeys(self.windowed + self.kernel + self.result)
        return _written([each for each in letters if each not in result], [], factors, result)


def windows_of(node: Node) -> int:
    """Which operand of a contraction is one of windows."""
    return next(i for i, operand in enumerate(node.inputs) if isinstance(operand.op, Window))


def _names(windowed: str, letters: Iterable[str], axes: Sequence[int]) -> Mapping[str, str]:
    """Positions as p, q, r and taps as i, j, k, whatever the contraction calls them."""
    names: dict[str, str] = {}
    for number, axis in enumerate(axes):
        names[windowed[axis]] = POSITIONS[number]
        names[windowed[number - len(axes)]] = TAPS[number]
    kept = [x for x in letters if x not in names and x not in POSITIONS + TAPS + PIXELS]
    names |= zip(kept, kept, strict=True)
    taken = {*POSITIONS, *TAPS, *PIXELS, *kept}
    free = (letter for letter in ascii_lowercase if letter not in taken)
    for letter in letters:
        if letter not in names:
            names[letter] = next(free)
    return names


def _read(slide: Sliding, number: int) -> str:
    position, tap = POSITIONS[number], TAPS[number]
    return f"{_times(slide.stride, position)} + {_times(slide.dilation, tap)}"


def _times(many: int, letter: str) -> str:
    return letter if many == 1 else f"{many}{letter}"


def _at(tensor: Written, indices: Sequence[str]) -> Written:
    """An element of a tensor."""
    inner, below = tensor.within(ATOM), ", ".join(indices)
    latex = f"{{{inner.latex}}}" if "_" in inner.latex else inner.latex
    return Written(f"{inner.text}[{below}]", f"{latex}_{{{_minus(below)}}}")


def _written(
    bound: Sequence[str],
    conditions: Sequence[str],
    factors: Sequence[Written],
    result: Sequence[str],
) -> Written:
    """A tensor by its elements: `[Σ[c, i] x[b, c, p + i]·w[o, c, i]][b, o, p]`."""
    below, free = ", ".join(bound), ", ".join(result)
    if conditions:
        below += f": {', '.join(conditions)}"
    text = "·".join(factor.text for factor in factors)
    latex = r" \, ".join(factor.latex for factor in factors)
    total = rf"\sum_{{{_minus(below)}}} {latex}"
    return Written(f"[Σ[{below}] {text}][{free}]", rf"\left[ {total} \right]_{{{free}}}")


def _minus(indices: str) -> str:
    return indices.replace("−", "-")
