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
    "found_later",
    "public_names",
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


def found_later(
    namespace: dict[str, object], places: Mapping[str, str], found: Callable[[list[str]], None]
) -> Callable[[str], object]:
    """The `__getattr__` of a package, which imports what is first asked for.

    Args:
        namespace: of the package, where a name stands from then on.
        places: the module of each name, or the module that the name itself stands for.
        found: is called with the names that have come.
    """

    def find(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        module = import_module(places[name])
        namespace[name] = getattr(module, name, module)
        found([name])
        return namespace[name]

    return find
