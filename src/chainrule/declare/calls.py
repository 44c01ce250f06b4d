"""Calls that do not fit a signature: which argument does not, and which ones there are.

Python refuses such a call before the function begins, so what is public stands in a wrapper that
looks only when a TypeError comes out. Functions are wrapped where a package shows them, so that
calls inside of Chainrule stay direct; classes are changed in place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import _lru_cache_wrapper, wraps
from inspect import Parameter
from types import FunctionType
from typing import ParamSpec, TypeVar

from chainc.ir import Op
from chainc.ir.errors import InputError
from chainrule.writing.phrases import counted
from chainrule.writing.public import no_name, public_names

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")
AnyFunction = Callable[..., object]


class CallError(InputError, TypeError):
    """A call that lacks an argument, or has one that the function does not take."""


def answer_calls(namespace: dict[str, object], names: Iterable[str], shown: str) -> None:
    """Let the functions, classes and ops of a package say which argument does not fit.

    The package itself says which name it does not have, unless it finds others when asked.

    Args:
        namespace: of the package, where the functions are replaced.
        names: what of it is public.
        shown: what users call the package, such as `cr`.
    """
    for name in names:
        value, title = namespace[name], f"{shown}.{name}()"
        if isinstance(value, FunctionType | _lru_cache_wrapper):
            namespace[name] = _found_in(namespace, answering(value, title))
        elif isinstance(value, Op):
            _answer_method(type(value), "__call__", title)
        elif isinstance(value, type) and value.__module__.startswith("chainrule."):
            _answer_methods(value, title)
    namespace.setdefault("__getattr__", _nothing_else(namespace, shown))


def _nothing_else(namespace: Mapping[str, object], shown: str) -> Callable[[str], object]:
    def find(name: str) -> object:
        raise no_name(f"chainrule.{shown}", name, public_names(namespace))

    return find


def answers_calls(kind: type[T]) -> type[T]:
    """The same for a class that is made elsewhere than by its name."""
    _answer_methods(kind, f"{kind.__name__}()")
    return kind


def answering(function: Callable[P, R], title: str) -> Callable[P, R]:
    """The function; a call of it that does not fit is refused under this title."""

    @wraps(function)
    def answered(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            return function(*arguments, **named)
        except TypeError as error:
            refusal = _misfit(error, title, function, arguments, named)
        raise refusal

    return answered


def _answering_method(function: AnyFunction, title: str) -> AnyFunction:
    """The same for a method, whose object is none of the arguments that are counted."""

    @wraps(function)
    def answered(self: object, /, *arguments: object, **named: object) -> object:
        try:
            return function(self, *arguments, **named)
        except TypeError as error:
            bound = function.__get__(self)
            refusal = _misfit(error, title, bound, arguments, named)
        raise refusal

    return answered


def _found_in(namespace: Mapping[str, object], function: AnyFunction) -> AnyFunction:
    """`pickle` and `help` look for a function by its name where it is shown."""
    function.__module__ = str(namespace["__name__"])
    return function


def _answer_methods(kind: type, title: str) -> None:
    for name, value in {"__init__": getattr(kind, "__init__", None), **vars(kind)}.items():
        if name == "__init__" and isinstance(value, FunctionType):  # its own, or its base's
            _answer_method(kind, name, title)
        elif name == "__call__":
            _answer_method(kind, name, f"a call of a {kind.__name__}")
        elif not name.startswith("_") and isinstance(value, FunctionType | classmethod):
            _answer_method(kind, name, f"{kind.__name__}.{name}()")


def _answer_method(kind: type, name: str, title: str) -> None:
    method = vars(kind).get(name, getattr(kind, name))
    if isinstance(method, classmethod):
        setattr(kind, name, classmethod(_answering_method(method.__func__, title)))
    elif not hasattr(vars(kind).get(name), "__wrapped__"):  # a class may be shown in two places
        setattr(kind, name, _answering_method(method, title))


def _misfit(
    error: TypeError,
    title: str,
    function: AnyFunction,
    arguments: Sequence[object],
    named: Mapping[str, object],
) -> TypeError:
    """What of a call does not fit; the error itself where that has another cause."""
    try:
        accepted = inspect.signature(function)
    except ValueError:  # one that is not written in Python
        return _from_outside(error, title, function)
    try:
        accepted.bind(*arguments, **named)
    except TypeError:
        parameters = list(accepted.parameters.values())
        return _refusal(title, parameters, len(arguments), list(named))
    return _from_outside(error, title, function)


def _from_outside(error: TypeError, title: str, function: AnyFunction) -> TypeError:
    """The error, unless it comes from a function of Python's own, such as `len`, in its words."""
    traceback = error.__traceback__
    if traceback is None or traceback.tb_next is not None:
        return error
    return CallError(
        f"{title} cannot be {function!r}, which does not take what it is called with",
        hint="give a function of your own",
    )


def _refusal(title: str, parameters: list[Parameter], given: int, named: list[str]) -> CallError:
    """The first that does not fit: a name, the number of those by position, or what is missing."""
    by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_name = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    open_ended = {p.kind for p in parameters if not _is_one(p)}
    shown = ", ".join(map(_shown, parameters))
    hint = f"its arguments are ({shown})" if shown else "leave the parentheses empty"
    unknown = [name for name in named if name not in by_name]
    if unknown and Parameter.VAR_KEYWORD not in open_ended:
        what = f"{title} has no argument {unknown[0]!r}"
        return CallError(what, hint=_nearest(unknown[0], by_name) + hint)
    if given > len(by_position) and Parameter.VAR_POSITIONAL not in open_ended:
        takes = counted(len(by_position), "argument")
        return CallError(f"{title} takes {takes} by position, not {given}", hint=hint)
    taken = [p.name for p in by_position[:given]]
    twice = [name for name in named if name in taken]
    if twice:
        return CallError(f"{title} has {twice[0]!r} by position and by name", hint=hint)
    needed = [p.name for p in parameters if p.default is p.empty and _is_one(p)]
    missing = [repr(name) for name in needed if name not in {*taken, *named}]
    return CallError(f"{title} needs {', '.join(missing)}", hint=hint)


def _is_one(parameter: Parameter) -> bool:
    return parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _shown(parameter: Parameter) -> str:
    """`name`, or `name=` for one that is given by name alone."""
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f"{parameter.name}="
    return str(parameter).partition(":")[0].partition("=")[0].strip()


def _nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    return "".join(f"{near}=; " for near in get_close_matches(name, known, n=1))
