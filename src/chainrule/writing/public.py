"""Which names of a package are for its users, and names that are found when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from types import ModuleType

# of the packages' own files
_TOOLS = (
    "TYPE_CHECKING",
    "answer_calls",
    "bind_numpy",
    "public_names",
    "shown_later",
)


def public_names(namespace: Mapping[str, object], modules: Collection[str] = ()) -> list[str]:
    """What `dir`, `help` and a tab key show: all but modules, and of these the given ones."""
    return sorted(
        name
        for name, value in namespace.items()
        if not name.startswith("_")
        and name not in _TOOLS
        and (name in modules or not isinstance(value, ModuleType))
    )


def shown_later(
    namespace: dict[str, object], places: Mapping[str, str], answer: Callable[[list[str]], None]
) -> tuple[Callable[[str], object], list[str]]:
    """The `__getattr__` of a package, which imports what is first asked for, and its `__all__`.

    Args:
        namespace: of the package, where a name stands from then on.
        places: the module of each name, or the module that the name itself stands for.
        answer: is called with the names that are there, now and when one has come.
    """

    def find(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        module = import_module(places[name])
        namespace[name] = getattr(module, name, module)
        answer([name])
        return namespace[name]

    now = public_names(namespace)
    answer(now)
    return find, sorted({*now, *places})
