"""Dataclasses that are quickly made.

`dataclasses` writes and compiles a text for every method of every class; with hundreds of classes
that is half of what it takes to import them. Here `__init__` is compiled once for all classes with
as many fields, and only names differ in it; the other methods read the fields by their names.
Instances are made, compared and hashed as quickly. All else is as in `dataclasses`, whose `field`,
`fields` and `replace` hold for these classes as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, FrozenInstanceError
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from sys import modules
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from dataclasses import dataclass

__all__ = ["dataclass"]

Field: TypeAlias = "dataclasses.Field[object]"
Method = Callable[..., object]
Methods = dict[str, Method | None]
Values = Callable[[object], tuple[object, ...]]

# where the standard library notes the fields of a class, how it was made, and what a field is
FIELDS, PARAMETERS, KIND = "__dataclass_fields__", "__dataclass_params__", "_field_type"


@dataclasses.dataclass(init=False, repr=False, eq=False)
class _Standard:
    """One that the standard library has made."""

    field: int


class _New:
    """The default of a field whose value is made for each instance."""

    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make

    def __repr__(self) -> str:
        return "<factory>"


def _dataclass(cls: type | None = None, /, **options: bool) -> object:
    """A decorator of classes; what is seldom asked for is left to the standard library."""
    if not options.keys() <= {"frozen", "init", "repr", "eq"}:
        return dataclasses.dataclass(**options)
    return _decorator(options) if cls is None else _decorator(options)(cls)


if not TYPE_CHECKING:
    dataclass = _dataclass


def _decorator(options: Mapping[str, bool]) -> Callable[[type], type]:
    def decorated(cls: type) -> type:
        fields = _fields(cls)
        given = [field for field in fields.values() if field.init and not _by_name(field)]
        positions = tuple(field.name for field in given)
        given += [field for field in fields.values() if field.init and _by_name(field)]
        notes = {FIELDS: fields, "__match_args__": positions,
                 PARAMETERS: SimpleNamespace(frozen=options.get("frozen", False))}  # fmt: skip
        for name, note in notes.items():
            setattr(cls, name, note)
        for name, method in _methods(cls, tuple(fields.values()), given, options).items():
            if cls.__dict__.get(name) is None:  # the class's own comes first
                setattr(cls, name, _named(method, name, cls))
        return cls

    return decorated


def _by_name(field: Field) -> bool:
    return field.kw_only is True


def _methods(
    cls: type, fields: Sequence[Field], given: Sequence[Field], options: Mapping[str, bool]
) -> Methods:
    methods: Methods = {}
    frozen = options.get("frozen", False)
    if options.get("init", True):
        methods["__init__"] = _initializer(cls, given)
    if options.get("repr", True):
        methods["__repr__"] = _shown([field.name for field in fields if field.repr])
    if options.get("eq", True):
        values = _values([field.name for field in fields if field.compare])
        methods["__eq__"] = _equal(values)
        methods["__hash__"] = _hashed(values) if frozen else None
    return methods | _refusing(cls, {field.name for field in fields}) if frozen else methods


def _named(method: Method | None, name: str, cls: type) -> Method | None:
    if method is not None:
        method.__name__, method.__qualname__ = name, f"{cls.__qualname__}.{name}"
    return method


def _fields(cls: type) -> dict[str, Field]:
    """Those of the classes it is made of, and its own, by name."""
    found: dict[str, Field] = {}
    for base in cls.__mro__[:0:-1]:
        found.update(base.__dict__.get(FIELDS, {}))
    for name, annotation in cls.__annotations__.items():
        if not annotation.startswith("ClassVar"):
            found[name] = _field(cls, name, annotation)
    return found


def _field(cls: type, name: str, annotation: str) -> Field:
    given = cls.__dict__.get(name, MISSING)
    described = isinstance(given, dataclasses.Field)
    made: Field = given if described else dataclasses.field(default=given)
    made.name, made.type, made.kw_only = name, annotation, _by_name(made)
    setattr(made, KIND, getattr(getattr(_Standard, FIELDS)["field"], KIND))
    if made.default is not MISSING:
        setattr(cls, name, made.default)
    elif described:
        delattr(cls, name)
    return made


def _refusing(cls: type, names: Collection[str]) -> Methods:
    """What keeps fields as they are; other names are left to what the class is made of."""
    assign: Method = cls.__setattr__
    delete: Method = cls.__delattr__

    def assigned(self: object, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        assign(self, name, value)

    def deleted(self: object, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        delete(self, name)

    return {"__setattr__": assigned, "__delattr__": deleted}


def _initializer(cls: type, given: Sequence[Field]) -> FunctionType:
    """The pattern for as many fields, with their names."""
    new = tuple(field.default_factory is not MISSING for field in given)
    pattern = _pattern(new, sum(map(_by_name, given)), hasattr(cls, "__post_init__"))
    names: dict[object, str] = {f"p{place}": field.name for place, field in enumerate(given)}
    code = pattern.__code__.replace(
        co_varnames=tuple(names.get(each, each) for each in pattern.__code__.co_varnames),
        co_consts=tuple(names.get(each, each) for each in pattern.__code__.co_consts),
    )
    scope = modules[cls.__module__].__dict__
    made = FunctionType(code, scope, "__init__", closure=pattern.__closure__)
    having = [field for field in given if _default(field) is not MISSING]
    made.__defaults__ = tuple(_default(field) for field in having if not _by_name(field))
    made.__kwdefaults__ = {field.name: _default(field) for field in having if _by_name(field)}
    made.__annotations__ = {**{field.name: field.type for field in given}, "return": None}
    return made


def _default(field: Field) -> object:
    make = field.default_factory
    return field.default if make is MISSING else _New(make)


@cache
def _pattern(new: tuple[bool, ...], by_name: int, then: bool) -> FunctionType:
    """Assigns its arguments to fields called as they are: p0, p1, ….

    Args:
        new: of each field, whether its default is made for each instance.
        by_name: how many fields, the last ones, are given by name only.
        then: whether `__post_init__` is called.
    """
    names = [f"p{place}" for place in range(len(new))]
    lines = [
        f"  __keep(self, {name!r}, {name}.make() if type({name}) is __new else {name})"
        if made
        else f"  __keep(self, {name!r}, {name})"
        for name, made in zip(names, new, strict=True)
    ]
    lines += ["  self.__post_init__()"] if then else ["  return None"]
    positional = len(names) - by_name
    given = ["self", *names[:positional], *["*"] * (by_name > 0), *names[positional:]]
    head = ["def pattern(__keep, __new):", f" def __init__({', '.join(given)}):"]
    found: dict[str, Callable[..., FunctionType]] = {}
    exec("\n".join([*head, *lines, " return __init__"]), {}, found)
    return found["pattern"](object.__setattr__, _New)


def _values(names: Sequence[str]) -> Values:
    """Of the fields with these names."""
    if not names:
        return lambda _: ()
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda instance: (read(instance),)


def _equal(values: Values) -> Method:
    def equal(self: object, other: object) -> object:
        if other is self:
            return True
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    return equal


def _hashed(values: Values) -> Method:
    def hashed(self: object) -> int:
        return hash(values(self))

    return hashed


def _shown(names: Sequence[str]) -> Method:
    @recursive_repr()
    def shown(self: object) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({fields})"

    return shown
