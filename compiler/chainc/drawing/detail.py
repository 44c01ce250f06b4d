"""Which parts of a graph are drawn as one closed box, at each level of detail.

The layers of a model open into ops, and ops fuse into kernels. What is still too large is folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from chainc.drawing.node_roles import NodeRoles, Path, before_loops
from chainc.drawing.stretches import Key, Keys, fold_repeats, fold_stretches, vertex_count
from chainc.ir import Node
from chainc.ir.errors import InputError

SMALL = 150  # vertices up to which a graph is drawn as it is
LARGEST = 300  # vertices beyond which even a graph asked for in full is folded
NAMES_SHOWN = 12  # scopes that an error lists

Detail = Literal["layers", "ops", "kernels"]
Folded = str | Sequence[str]


def check_detail(detail: object) -> None:
    """Refuse what is no level of detail.

    Raises:
        InputError: it is another value than those of `Detail`, or None.
    """
    levels = get_args(Detail)
    if detail is not None and not (isinstance(detail, str) and detail in levels):
        raise InputError(
            f"a picture has no detail {detail!r}",
            hint=f"use detail={', '.join(map(repr, levels))}",
        )


def keys_of(roles: NodeRoles, detail: Detail | None, fold: Folded) -> tuple[Keys, str]:
    """The vertex that stands for each node, and in words what is closed or folded."""
    named = _named(roles, fold)
    limit = LARGEST if detail in ("ops", "kernels") else SMALL
    keys, note = keys_with(roles, named), ""
    for closed, words, foldable in _choices(roles, detail):
        keys, note = keys_with(roles, named | closed), words
        if vertex_count(roles, keys) > limit and foldable:
            folded = fold_repeats(roles, keys, limit)
            note = words if folded is keys else _joined(words, "repeated parts folded")
            keys = folded
        if vertex_count(roles, keys) <= limit:
            return keys, note
    return fold_stretches(roles, keys), _joined(note, "long parts folded")


def _joined(*notes: str) -> str:
    return " · ".join(filter(None, notes))


def _choices(roles: NodeRoles, detail: Detail | None) -> Iterator[tuple[set[Path], str, bool]]:
    """What to close, in words, and whether to fold repetition then; the best choice first."""
    deepest = max((len(path) for path in roles.paths.values()), default=0)
    opened = detail in ("ops", "kernels") or not deepest
    if opened or (detail is None and not roles.optimizer_boxes):
        yield set(), "ops fused into kernels" if detail == "kernels" else "", opened
    if opened:
        return
    yield _innermost(roles), "layers closed", True
    for depth in range(deepest - 1, 0, -1):
        yield _at_depth(roles, depth), f"layers closed at depth {depth}", True


def _named(roles: NodeRoles, fold: Folded) -> set[Path]:
    """The boxes of the scopes that are to be closed, each given by its name or its path."""
    given = [fold] if isinstance(fold, str) or not isinstance(fold, Iterable) else list(fold)
    boxes = {path[:length] for path in roles.paths.values() for length in range(1, len(path) + 1)}
    found: set[Path] = set()
    for name in given:
        matching = {path for path in boxes if _is_called(path, name)}
        if not matching:
            raise _no_such_scope(name, boxes)
        found |= matching
    return found


def _is_called(path: Path, name: object) -> bool:
    own = "/".join(box.scope.name for box in path)
    return isinstance(name, str) and (own == name or own.endswith(f"/{name}"))


def _no_such_scope(name: object, boxes: set[Path]) -> InputError:
    names = sorted({"/".join(box.scope.name for box in path) for path in boxes})
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    known = ", ".join(map(repr, names[:NAMES_SHOWN])) + more
    return InputError(
        f"the graph has no scope {name!r} to fold",
        hint=f"fold one of its scopes: {known}" if names else 'name one: with cr.scope("encoder"):',
    )


def _at_depth(roles: NodeRoles, depth: int) -> set[Path]:
    outer = {path[:depth] for path in roles.paths.values() if len(path) >= depth}
    return outer | _innermost(roles)


def _innermost(roles: NodeRoles) -> set[Path]:
    """A loop closes with the layer around it, if there is one."""
    paths = {before_loops(path) or path for path in roles.paths.values()} - {()}
    return paths - {path[:length] for path in paths for length in range(len(path))}


def keys_with(roles: NodeRoles, closed: set[Path]) -> Keys:
    """What stands for each node where these boxes are closed."""
    keys: dict[Node, Key] = {}
    for node in roles.graph.nodes:
        drawn = roles.absorbed.get(node, node)
        if drawn is not None:
            path = roles.paths[drawn]
            prefixes = (path[:length] for length in range(1, len(path) + 1))
            keys[node] = next((prefix for prefix in prefixes if prefix in closed), drawn)
    return keys
