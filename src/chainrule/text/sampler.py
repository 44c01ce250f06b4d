"""Text that a model writes, token by token, in one loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainc.ir import Node, describe
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.types import int32
from chainc.ops import (
    arange,
    astype,
    broadcast_to,
    concat,
    expand_dims,
    maximum,
    minimum,
    reshape,
    stack,
    take,
)
from chainrule.declare.arguments import count, number
from chainrule.declare.leaves import constant, input, size
from chainrule.nn.module import Module
from chainrule.sequences.scan import scan
from chainrule.text.choosing import choose

Choose = Callable[[Node], Node]
Carry = Sequence[Node]


def sampler(
    model: Module,
    length: int = 500,
    *,
    temperature: float | Node = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Node:
    """What a model writes behind a beginning: `length` tokens of int32, in one loop.

        writer = cr.compile(text.sampler(model, length=200)).bind(result.state)
        tokens = writer(prompt=corpus.encode("ROMEO:"), seed=1)

    The model gives logits for the token that follows. It goes through the prompt, of any length,
    and on from there, by `start` and `step`, so that no token is read again. A model that knows
    a number of positions begins anew where these end, from the last half of them, and reads of a
    longer prompt so many tokens; that half is all that it remembers.

    Nothing is kept between calls. To go on, give all that there is as the prompt, and another seed:
    reading takes no longer than writing, a recurrent network then remembers what it did, and a
    model that knows a number of positions would begin from the last half of them in any case.

    Args:
        model: of layers that say how they go on from one token to the next.
        length: how many tokens are written.
        temperature: what logits are divided by; 0 always chooses the most likely token, and takes
            no seed. A scalar input of the logits' type is given anew at each call, above 0.
        top_k: choose among so many of the most likely tokens; by default among all.
        top_p: choose among the most likely ones that have this probability together.

    Raises:
        InputError: what is given is no model, or a number is out of its range.
        GraphError: a layer does not say how it goes on.
        ShapeError: the model gives no row of logits for a token.
    """
    hint = "give text.sampler(model, length=500, temperature=0.8, top_k=40, top_p=0.9)"
    given: object = model
    if not isinstance(given, Module):
        raise InputError(f"sampler: a {type(given).__name__} is no model", hint=hint)
    tokens = count("sampler", "length", length, hint=hint)
    heat = _temperature(temperature, hint)
    most = None if top_k is None else count("sampler", "top_k", top_k, hint=hint)
    share = None if top_p is None else number("sampler", "top_p", top_p, above=0, hint=hint)
    seed = input("seed", (), "int64")

    def chosen(logits: Node) -> Node:
        return astype(choose(logits, heat, most, share, seed), int32)

    return _Writing(model, chosen).written(tokens)


class _Writing:
    def __init__(self, model: Module, choose: Choose) -> None:
        self.model, self.choose = model, choose
        self.longest = model.longest()
        first = model.step(model.start(1, self.longest), _tokens(constant(0, int32)), _zero())
        self.logits = first[1].type
        if self.logits.ndim != 2 or not self.logits.dtype.is_float:
            raise ShapeError(
                f"sampler: the model gives {self.logits} for a token, not a row of logits",
                where=describe(first[1]),
                hint="end the model with a layer such as nn.Linear(128, corpus.size)",
            )

    def written(self, length: int) -> Node:
        prompt = input("prompt", ("time",), "int32")
        vocabulary = self.logits.shape[-1]
        known = take(arange(vocabulary, int32), prompt)  # refuses others before anything is done
        if self.longest is None:
            state = self._read(known)
            return self._write(state, length)[1]
        return self._by_pieces(known, length, max(self.longest // 2, 1))

    def _start(self) -> Carry:
        """The position, logits that no one reads, and what the model remembers."""
        logits = broadcast_to(constant(0.0, self.logits.dtype), self.logits.shape)
        return (_zero(), logits, *self.model.start(1, self.longest))

    def _next(self, carry: Carry, token: Node) -> Carry:
        position, _, *remembered = carry
        after, logits = self.model.step(remembered, token, position)
        return (position + 1, logits, *after)

    def _read(self, prompt: Node) -> Carry:
        def read(carry: Carry, token: Node) -> tuple[Carry, None]:
            return self._next(carry, _tokens(token)), None

        last, _ = scan(read, self._start(), prompt)
        assert isinstance(last, tuple)
        return last

    def _write(self, carry: Carry, length: int) -> tuple[Carry, Node]:
        """What is remembered after so many tokens, and these."""

        def write(carry: Carry) -> tuple[Carry, Node]:
            token = self.choose(carry[1])
            return self._next(carry, token), token

        return _scanned(write, carry, length)

    def _by_pieces(self, prompt: Node, length: int, half: int) -> Node:
        """As many tokens at a time as are remembered where positions end.

        Two windows go over them. The first began before, and its logits tell the next token; the
        second begins with the first of them, and takes its place once it has read them all. So
        none is read again, and weights are read once for both.
        """
        assert self.longest is not None
        time = astype(size("time"), int32)
        places = minimum(arange(half, int32) + maximum(time - half, 0), time - 1)
        known = minimum(time, half)
        tokens = expand_dims(take(prompt, places), 0)
        remembered, every = self.model.read(tokens, known, self.longest)
        logits = reshape(take(every, expand_dims(known - 1, 0), axis=1), self.logits.shape)

        def piece(carry: Carry) -> tuple[Carry, Node]:
            last, written = self._write_in_both(carry, half)
            second = [each[1] for each in last[2:]]
            return (constant(half, int32), last[1][1:], *second), written

        return _scanned(piece, (known, logits, *remembered), -(-length // half))[1][:length]

    def _write_in_both(self, first: Carry, length: int) -> tuple[Carry, Node]:
        """So many tokens behind the first window; how many, logits of both, what both remember."""
        known, logits, *remembered = first
        nothing = self.model.start(1, self.longest)

        def write(carry: Carry) -> tuple[Carry, Node]:
            count, logits, *windows = carry
            token = self.choose(logits[:1])
            return (count + 1, *self._both(token, stack([known + count, count]), windows)), token

        both = [stack([old, new]) for old, new in zip(remembered, nothing, strict=True)]
        return _scanned(write, (_zero(), concat([logits, logits]), *both), length)

    def _both(self, token: Node, places: Node, windows: Carry) -> Carry:
        """Logits of both windows, and what both remember after a token.

        No window needs the other: the loop over them is one step of two rows. What the first one
        says of its last token is not asked for: a context of one has no room for that.
        """
        assert self.longest is not None

        def step(_: object, window: Carry) -> tuple[tuple[()], Carry]:
            place, *before = window
            after, logits = self.model.step(before, token, place)
            return (), (logits, *after)

        _, found = scan(step, (), (minimum(places, self.longest - 1), *windows))
        assert isinstance(found, tuple)
        logits, *after = found
        return reshape(logits, (2, self.logits.shape[-1])), *after


def _scanned(
    body: Callable[[Carry], tuple[Carry, Node]], first: Carry, length: int
) -> tuple[Carry, Node]:
    """What is carried after so many turns, and all tokens that these gave, side by side."""
    last, tokens = scan(body, first, length=length)
    assert isinstance(last, tuple)
    assert isinstance(tokens, Node)
    return last, reshape(tokens, (-1,))


def _temperature(given: float | Node, hint: str) -> float | Node:
    if not isinstance(given, Node):
        return number("sampler", "temperature", given, at_least=0, hint=hint)
    if given.ndim or not given.dtype.is_float:
        raise InputError(
            f"sampler: the temperature {describe(given)} is no scalar",
            hint='declare it with cr.input("temperature")',
        )
    return given


def _tokens(token: Node) -> Node:
    """One token as the next one of one sequence."""
    return expand_dims(token, 0)


def _zero() -> Node:
    return constant(0, int32)
