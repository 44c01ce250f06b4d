"""Which names of a package are for its users, and names that are found when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from types import ModuleType

from chainc.ir.python.foreign import NoAttributeError

LIKENESS = 0.75  # from 0 to 1, of a name that may have been meant
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


def no_name(module: str, name: str, known: Collection[str]) -> AttributeError:
    """A name that a package does not show, with the one that is most like it."""
    what = f"module {module!r} has no attribute {name!r}"
    if name.startswith("_"):  # asked for by Python itself, and by what looks at packages
        return AttributeError(what)
    from difflib import get_close_matches

    alike = {_folded(each): each for each in known}
    near = get_close_matches(_folded(name), alike, n=1, cutoff=LIKENESS)
    hint = f"there is {alike[near[0]]!r}" if near else f"dir({module}) lists what there is"
    return NoAttributeError(what, hint=hint)


def _folded(name: str) -> str:
    return name.replace("_", "").casefold()


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
            raise no_name(str(namespace["__name__"]), name, {*public_names(namespace), *places})
        module = import_module(places[name])
        itself = module.__name__.rpartition(".")[2] == name and name not in vars(module)
        namespace[name] = module if itself else getattr(module, name, module)
        answer([name])
        return namespace[name]

    now = public_names(namespace)
    answer(now)
    return find, sorted({*now, *places})
