"""Which names of a package are for its users: what `dir`, `help` and a tab key show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import ModuleType

# of the packages' own files
_TOOLS = (
    "TYPE_CHECKING",
    "answer_calls",
    "bind_numpy",
    "import_module",
    "public_names",
)


def public_names(namespace: Mapping[str, object], modules: Collection[str] = ()) -> list[str]:
    """Functions, classes and constants, and of the modules the given ones alone."""
    return sorted(
        name
        for name, value in namespace.items()
        if not name.startswith("_")
        and name not in _TOOLS
        and (name in modules or not isinstance(value, ModuleType))
    )
