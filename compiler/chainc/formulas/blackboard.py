"""Formulas as one writes them on a blackboard, as plain text and as LaTeX at once.

A `Written` is also a value of the scalar vocabulary: `Blackboard` interprets the meaning of an
elementwise op over the names of its operands and gives back its formula.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir.types import DType

# How tightly a formula's outermost sign binds.
CASES, SUM, ENTRYWISE, PRODUCT, POWER, ATOM = range(6)

_DIGITS = "0123456789"
_INTEGER = re.compile(r"\d{1,6}")
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi",
    "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta",
    "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi",
    "Ω": "Omega",
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\textdollar{}", "&": r"\&",
    "#": r"\#", "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": "'",
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """A formula as text and as LaTeX (for math mode).

    Attributes:
        text: plain.
        latex: for math mode.
        binding: of its outermost sign.
        factors: of a product, without its sign.
    """

    text: str
    latex: str
    binding: int = ATOM
    factors: tuple[Written, ...] = ()

    @property
    def is_negative(self) -> bool:
        return self.text.startswith("−") and self.binding <= PRODUCT

    def within(self, binding: int) -> Written:
        """In brackets unless it binds at least so tightly."""
        if self.binding >= binding and not (binding > SUM and self.is_negative):
            return self
        return bracketed(self)


def bracketed(inner: Written) -> Written:
    tall = "\\frac" in inner.latex or "\\begin" in inner.latex or "\\sum" in inner.latex
    left, right = (r"\left(", r"\right)") if tall else ("(", ")")
    return Written(f"({inner.text})", f"{left}{inner.latex}{right}")


def escaped(words: str) -> str:
    """Words for LaTeX's text mode; what it would obey is printed instead."""
    printable = "".join(c if c.isprintable() else " " for c in words)
    return "".join(_SPECIAL.get(c, c) for c in printable)


def sentence(words: str, **names: Written) -> Written:
    """A rule in words, with formulas in place of `{name}`."""
    if words in ("0", "{G}"):
        return names.get("G", number(0)) if words == "{G}" else number(0)
    text = words.format(**{name: given.text for name, given in names.items()})
    latex = escaped(words).replace(r"\{", "{").replace(r"\}", "}")
    inserted = latex.format(**{name: f"${given.latex}$" for name, given in names.items()})
    return Written(text, rf"\text{{{inserted}}}", CASES)


def word(name: str) -> str:
    """A letter, a Greek letter, or an upright word, as LaTeX; a number at its end is an index."""
    base = name.rstrip(_DIGITS)
    if base.rstrip("_") and base != name:
        return f"{word(base.rstrip('_'))}_{{{name[len(base) :]}}}"
    if len(name) == 1 and name.isascii() and name.isalpha():
        return name
    if name in _GREEK:
        return "\\" + _GREEK[name]
    if name.isascii() and name.replace("_", "").isalnum():
        return rf"\mathrm{{{escaped(name)}}}"
    return rf"\text{{{escaped(name)}}}"


def number(value: float) -> Written:
    if not math.isfinite(value):
        latex = {"inf": r"\infty", "-inf": r"-\infty"}.get(str(value), r"\mathrm{nan}")
        return Written({"inf": "∞", "-inf": "−∞"}.get(str(value), "nan"), latex, SUM)
    mantissa, _, exponent = f"{value + 0.0:.6g}".partition("e")
    text = mantissa.replace("-", "−")
    binding = PRODUCT if value < 0 else ATOM
    if not exponent:
        return Written(text, mantissa, binding)
    power = str(int(exponent))
    raised = power.replace("-", "−").translate(_SUPERSCRIPTS)
    return Written(f"{text}·10{raised}", rf"{mantissa} \cdot 10^{{{power}}}", PRODUCT)


def name_of(name: str) -> Written:
    return Written(name, word(name))


def literal(text: str) -> Written:
    """A number, or named sizes such as `4*batch`, as a picture writes them."""
    plain = text.replace("−", "-")
    if re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", plain):
        return number(float(plain))
    parts = [part if part.isdigit() else word(part) for part in text.split("*")]
    binding = ATOM if len(parts) == 1 else PRODUCT
    return Written(text.replace("*", "·"), r" \cdot ".join(parts), binding)


def negative(x: Written) -> Written:
    if x.is_negative:
        return Written(x.text[1:], x.latex[1:], x.binding, x.factors)
    inner = x.within(ENTRYWISE)
    return Written(f"−{inner.text}", f"-{inner.latex}", min(inner.binding, PRODUCT), x.factors)


def total(terms: Sequence[Written]) -> Written:
    """`a + b − c`."""
    if len(terms) == 1:
        return terms[0]
    first = terms[0] if terms[0].binding >= SUM else bracketed(terms[0])
    text, latex = first.text, first.latex
    for term in terms[1:]:
        inner = term if term.binding >= SUM else bracketed(term)
        if inner.is_negative:
            text, latex = f"{text} − {inner.text[1:]}", f"{latex} - {inner.latex[1:]}"
        else:
            text, latex = f"{text} + {inner.text}", f"{latex} + {inner.latex}"
    return Written(text, latex, SUM)


def product(factors: Sequence[Written]) -> Written:
    """`2·x²·(1 − x)`; in LaTeX side by side, with a dot only before a digit."""
    if len(factors) == 1:
        return factors[0]
    sign = sum(factor.is_negative for factor in factors) % 2 == 1
    positive = (negative(factor) if factor.is_negative else factor for factor in factors)
    gathered = _gathered([part for factor in positive for part in factor.factors or (factor,)])
    first, *others = gathered
    text, latex = first.within(PRODUCT).text, first.within(PRODUCT).latex
    for factor in others:
        inner = factor.within(PRODUCT)
        joint = r" \cdot " if inner.latex[:1].isdigit() else " "
        text, latex = f"{text}·{inner.text}", f"{latex}{joint}{inner.latex}"
    found = first if not others else Written(text, latex, PRODUCT, gathered)
    return negative(found) if sign else found


def _gathered(factors: Sequence[Written]) -> tuple[Written, ...]:
    """`2, x, 3, x, y` as `6, x², y`."""
    numbers = [factor for factor in factors if _INTEGER.fullmatch(factor.text)]
    names = [factor for factor in factors if factor not in numbers]
    found = [
        base if names.count(base) == 1 else power(base, number(names.count(base)))
        for base in dict.fromkeys(names)
    ]
    whole = math.prod(int(factor.text) for factor in numbers)
    return (number(whole), *found) if whole != 1 or not found else tuple(found)


def entrywise_product(a: Written, b: Written) -> Written:
    """`A ⊙ B`, which looks unlike the product of matrices."""
    sign = a.is_negative != b.is_negative
    left, right = (negative(x) if x.is_negative else x for x in (a, b))
    left, right = left.within(ENTRYWISE), right.within(ENTRYWISE)
    both = Written(f"{left.text} ⊙ {right.text}", rf"{left.latex} \odot {right.latex}", ENTRYWISE)
    return negative(both) if sign else both


def quotient(a: Written, b: Written) -> Written:
    if a.is_negative:
        return negative(quotient(negative(a), b))
    text = f"{a.within(PRODUCT).text}/{b.within(POWER).text}"
    return Written(text, rf"\frac{{{a.latex}}}{{{b.latex}}}", PRODUCT)


def power(base: Written, exponent: Written) -> Written:
    """`x²`, `a^(b − 1)`."""
    inner = base.within(ATOM)
    latex = f"{inner.latex}^{{{exponent.latex}}}"
    if exponent.text.lstrip("−").isdigit():
        return Written(inner.text + exponent.text.translate(_SUPERSCRIPTS), latex, POWER)
    return Written(f"{inner.text}^{exponent.within(ATOM).text}", latex, POWER)


def exponential(exponent: Written) -> Written:
    return power(Written("e", "e"), exponent)


def root(x: Written) -> Written:
    return Written(f"√{x.within(ATOM).text}", rf"\sqrt{{{x.latex}}}", ATOM)


def indexed(x: Written, place: str) -> Written:
    """`x[0]`."""
    inner = x.within(POWER)
    return Written(f"{inner.text}{place}", f"{inner.latex}{place}")


def call(function: str, *arguments: Written, raised: int = 1) -> Written:
    """`σ(x)`, and `tanh²(x)` where it is raised to a power."""
    exponent = str(raised).translate(_SUPERSCRIPTS) if raised != 1 else ""
    known = function in {"ln", "sin", "cos", "tanh", "max", "min", "exp"}
    sign = f"\\{function}" if known else word(function)
    sign = sign.replace(r"\mathrm", r"\operatorname")
    if exponent:
        sign += f"^{{{raised}}}"
    text = ", ".join(argument.text for argument in arguments)
    inner = bracketed(Written("", ", ".join(argument.latex for argument in arguments)))
    return Written(f"{function}{exponent}({text})", f"{sign}{inner.latex}")


def between(left: str, x: Written, right: str, latex: tuple[str, str]) -> Written:
    """`|x|`, `⌊x⌋`."""
    return Written(f"{left}{x.text}{right}", f"{latex[0]}{x.latex}{latex[1]}")


def infix(sign: str, latex: str, a: Written, b: Written) -> Written:
    """A comparison or a logical connective."""
    left, right = a.within(SUM), b.within(SUM)
    return Written(f"{left.text} {sign} {right.text}", f"{left.latex} {latex} {right.latex}", CASES)


def cases(value: Written, condition: Written, otherwise: Written) -> Written:
    """`1 if x > 0 else 0`."""
    return Written(
        f"{value.text} if {condition.text} else {otherwise.text}",
        rf"\begin{{cases}} {value.latex} & {condition.latex} \\ "
        rf"{otherwise.latex} & \text{{otherwise}} \end{{cases}}",
        CASES,
    )


def partial(of: Written, by: Written) -> Written:
    """`∂y/∂x`."""
    text = f"∂{of.within(ATOM).text}/∂{by.within(ATOM).text}"
    return Written(text, rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}", PRODUCT)


@dataclass(frozen=True)
class Blackboard:
    """The scalar vocabulary as formulas."""

    def const(self, value: float | int | bool) -> Written:
        return number(float(value))

    def add(self, a: Written, b: Written) -> Written:
        return total([a, b])

    def subtract(self, a: Written, b: Written) -> Written:
        return total([a, negative(b)])

    def multiply(self, a: Written, b: Written) -> Written:
        return power(a, number(2)) if a == b else product([a, b])

    def divide(self, a: Written, b: Written) -> Written:
        return quotient(a, b)

    def floor_divide(self, a: Written, b: Written) -> Written:
        return self.floor(quotient(a, b))

    def remainder(self, a: Written, b: Written) -> Written:
        left, right = a.within(ATOM), b.within(ATOM)
        latex = rf"{left.latex} \bmod {right.latex}"
        return Written(f"{left.text} mod {right.text}", latex, SUM)

    def power(self, a: Written, b: Written) -> Written:
        return power(a, b)

    def maximum(self, a: Written, b: Written) -> Written:
        return call("max", a, b)

    def minimum(self, a: Written, b: Written) -> Written:
        return call("min", a, b)

    def negative(self, a: Written) -> Written:
        return negative(a)

    def absolute(self, a: Written) -> Written:
        return between("|", a, "|", (r"\left|", r"\right|"))

    def floor(self, a: Written) -> Written:
        return between("⌊", a, "⌋", (r"\left\lfloor ", r"\right\rfloor "))

    def sqrt(self, a: Written) -> Written:
        return root(a)

    def exp(self, a: Written) -> Written:
        return exponential(a)

    def expm1(self, a: Written) -> Written:
        return total([exponential(a), number(-1)])

    def log(self, a: Written) -> Written:
        return call("ln", a)

    def log1p(self, a: Written) -> Written:
        return call("ln", total([number(1), a]))

    def sin(self, a: Written) -> Written:
        return call("sin", a)

    def cos(self, a: Written) -> Written:
        return call("cos", a)

    def tanh(self, a: Written) -> Written:
        return call("tanh", a)

    def erf(self, a: Written) -> Written:
        return call("erf", a)

    def less(self, a: Written, b: Written) -> Written:
        return infix("<", "<", a, b)

    def less_equal(self, a: Written, b: Written) -> Written:
        return infix("≤", r"\le", a, b)

    def equal(self, a: Written, b: Written) -> Written:
        return infix("=", "=", a, b)

    def logical_and(self, a: Written, b: Written) -> Written:
        return infix("and", r"\land", a, b)

    def logical_or(self, a: Written, b: Written) -> Written:
        return infix("or", r"\lor", a, b)

    def logical_not(self, a: Written) -> Written:
        inner = a.within(SUM)
        return Written(f"not {inner.text}", rf"\lnot {inner.latex}", CASES)

    def select(self, condition: Written, a: Written, b: Written) -> Written:
        return cases(a, condition, b)

    def cast(self, a: Written, dtype: DType) -> Written:
        return a if dtype.is_float else self.floor(a)


@dataclass(frozen=True)
class EntrywiseBlackboard(Blackboard):
    """The scalar vocabulary as formulas of matrices, element by element."""

    def multiply(self, a: Written, b: Written) -> Written:
        return power(a, number(2)) if a == b else entrywise_product(a, b)
