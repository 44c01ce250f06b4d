"""Which axis of each buffer holds the lanes of vectors, so that it may lie in panels along it.

Contractions decide, and what is computed from their elements follows:

    x[64, 784] @ w[784, 256]              the last axis of the result, and so of w
    window(x)[b,c,h,w,i,j] · w[o,c,i,j]   o: neighbours along h and w belong to many windows, so
                                          their elements can be no lanes; images lie in panels
                                          along their channels, and so does all between them

Windows decide first, but for images of few channels (`images.py`). Another contraction does as what
it reads and writes, or takes its last axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import field

from chainc.dataclass import dataclass
from chainc.lowering.kernels import Applied, Contraction, Kernel, Reduction
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.schedules.layout.images import Place, in_rows, is_slid
from chainc.schedules.layout.images import sliding as convolution
from chainc.schedules.layout.machine import Machine

WORTH_PANELS = 4  # an axis shorter than a vector by more than this factor is no lanes
ADDING_UP = 8.0  # products of vectors that take as long as the lanes of one take to be added up
GAINED = 0.85  # of the time of a sum: what another way must do with
TURNED = 0.75  # the same where a copy of a weight has to serve the way forward
TURNED_FOR_STEPS = 0.85  # which is little where a row of a batch is many
WORTH_TURNING = 32  # products of vectors, for each row of a batch, that are spared then
NEAR = 27 << 10  # bytes of rows that stay in the first-level cache beside columns that come and go
FEWEST_ROWS = 3  # of a tile


def lane_axes(
    program: Program, machine: Machine, fixed: Mapping[Buffer, int]
) -> Mapping[Buffer, int]:
    """For each buffer that contractions read or write, or that is computed from such, an axis.

    Without contractions what has its axis `fixed` decides.
    """
    choice = _Choice(machine, neighbours(program))
    roots = [kernel.root for kernel in program.body]
    contractions = [root for root in roots if isinstance(root, Contraction)]
    choice.keep({} if contractions else fixed)
    sliding = [root for root in contractions if _slides(root)]
    letters = [_letter_beside_windows(root, machine) for root in sliding]
    known = [convolution(*pair, machine) for pair in zip(sliding, letters, strict=True)]
    rows = in_rows([each for each in known if each is not None], choice.neighbours)
    choice.keep_rows(rows)
    for root, letter, found in zip(sliding, letters, known, strict=True):
        if found is None or found.image not in rows:
            choice.decide(root, letter)
        elif found.sums_lanes(rows):
            choice.decide(root, found.summed_letter)
    for root in sliding:
        choice.read_by_windows(root)
    undecided = [root for root in contractions if root not in sliding]
    for root in undecided:
        if _is_better_turned(root, machine):
            choice.decide(root, root.letters[2][0])
    while followers := [root for root in undecided if choice.leads_elsewhere(root)]:
        for root in followers:
            choice.decide(root, choice.letter_of_neighbours(root))
        undecided = [root for root in undecided if root not in followers]
    for root in undecided:
        choice.take_last_axes(root)
    choice.spread()
    return {buffer: axis for buffer, axis in choice.axes.items() if buffer not in choice.plain}


def _is_better_turned(root: Contraction, machine: Machine) -> bool:
    """Does the gradient of a weight have few columns, which fill vectors worse than its rows do?

    d_w[48, 18] = x.T @ d_z    18 times three vectors of rows, where 48 times two of columns go on
    """
    first, _, result = root.letters
    inner = [letter for letter in first if letter not in result]
    if len(result) != 2 or all(isinstance(root.extents[letter], int) for letter in inner):
        return False
    rows, columns = (root.extents[letter] for letter in result)
    lanes = machine.lanes(root.factor_type)
    if not isinstance(rows, int) or not isinstance(columns, int) or columns <= lanes:
        return False
    turned, usual = columns * -(-rows // lanes), rows * -(-columns // lanes)
    steps = math.prod(n for letter in inner if isinstance(n := root.extents[letter], int))
    most = TURNED if len(inner) == 1 else TURNED_FOR_STEPS
    return turned < most * usual and (usual - turned) * steps >= WORTH_TURNING


def vector_letter(kernel: Kernel, root: Contraction, machine: Machine) -> str:
    """Along which vectors of a contraction run: the axis in panels of what is written.

    Or one that is summed over, see `letter_across`.
    """
    panels = [target.panels.axis for _, target in kernel.stored if target.panels is not None]
    if panels:
        return letter_across(root, panels[0], machine) or root.letters[2][panels[0]]
    if _slides(root):
        by_strides = machine.masks and _goes_by_strides(root)
        return "" if by_strides else _letter_beside_windows(root, machine)
    return root.letters[2][-1:]


def letter_across(root: Contraction, position: int, machine: Machine) -> str:
    """A long axis that is summed over, where few columns would fill vectors badly.

    d_x[110, 18] = d_z[110, 1168] @ w.T    73 vectors for each sum, and their lanes added up, are
                                           less than 1,168 times two vectors for each 18 sums
    """
    a, b, result = root.letters
    inner = [letter for letter in dict.fromkeys(a + b) if letter not in result]
    if len(result) != 2 or len(inner) != 1 or not root.factor_type.is_float:
        return ""
    columns, depth = root.extents[result[position]], root.extents[inner[0]]
    lanes = machine.lanes(root.factor_type)
    if not isinstance(columns, int) or not isinstance(depth, int) or columns <= lanes or not depth:
        return ""
    if rows_near(depth * root.factor_type.itemsize) < FEWEST_ROWS:
        return ""
    usual = -(-columns // lanes) * depth / columns
    across = -(-depth // lanes) + ADDING_UP
    reads = zip((a, b), root.reads[:2], strict=True)
    fits = all(
        inner[0] in letters and _may_lie_along(view, letters.index(inner[0]))
        for letters, view in reads
    )
    return inner[0] if fits and across < GAINED * usual else ""


def rows_near(nbytes: int) -> int:
    """How many rows of so many bytes may be read again for other columns."""
    return max(NEAR // nbytes, 1)


def _may_lie_along(view: View, axis: int) -> bool:
    """Are its elements side by side along an axis, or can a copy be made that is so?"""
    source = view.source(axis)
    last = len(view.buffer.type.shape) - 1
    return source is not None and (view.buffer.panels is not None or source == last)


@dataclass
class _Choice:
    machine: Machine
    neighbours: Mapping[Place, Sequence[Place]]
    axes: dict[Buffer, int] = field(default_factory=dict)
    fresh: list[Place] = field(default_factory=list)  # chosen, and not yet spread
    plain: set[Buffer] = field(default_factory=set)  # lie row by row

    def choose(self, buffer: Buffer, axis: int) -> None:
        """The first choice counts."""
        if buffer not in self.axes:
            self.axes[buffer] = axis
            self.fresh.append((buffer, axis))

    def keep(self, fixed: Mapping[Buffer, int]) -> None:
        """What another program has chosen."""
        for buffer, axis in fixed.items():
            self.choose(buffer, axis)

    def spread(self) -> None:
        """To all that is handled in the same loops, and on from there."""
        while self.fresh:
            fresh, self.fresh = self.fresh, []
            for place in fresh:
                for buffer, axis in self.neighbours.get(place, ()):
                    self.choose(buffer, axis)

    def decide(self, root: Contraction, letter: str) -> None:
        """Vectors of the result run along a letter."""
        if letter:
            if letter in root.letters[2]:
                self.choose(root.out, root.letters[2].index(letter))
            for letters, view in zip(root.letters[:2], root.reads[:2], strict=True):
                axis = view.source(letters.index(letter)) if letter in letters else None
                if axis is not None:
                    self.choose(view.buffer, axis)
        self.spread()

    def keep_rows(self, places: Set[Place]) -> None:
        """Channels along which no panels are to lie."""
        self.axes.update(places)
        self.plain.update(buffer for buffer, _ in places)

    def read_by_windows(self, root: Contraction) -> None:
        """What is read element by element: neighbours along a channel are read one by one too."""
        for letters, view in zip(root.letters[:2], root.reads[:2], strict=True):
            lanes = self.machine.lanes(view.type.dtype)
            for letter in _channels(root, letters, view):
                axis, extent = view.source(letters.index(letter)), root.extents[letter]
                if axis is not None and isinstance(extent, int) and extent >= lanes:
                    self.choose(view.buffer, axis)
        self.spread()

    def leads_elsewhere(self, root: Contraction) -> bool:
        """Has anything that it reads or writes lanes along another axis than the last?"""
        buffers = [buffer for buffer in _buffers(root) if buffer in self.axes]
        chosen = [(buffer, self.axes[buffer]) for buffer in buffers]
        return any(axis != len(buffer.type.shape) - 1 for buffer, axis in chosen)

    def letter_of_neighbours(self, root: Contraction) -> str:
        if root.out in self.axes:
            return root.letters[2][self.axes[root.out]]
        return _letter_beside_windows(root, self.machine)

    def take_last_axes(self, root: Contraction) -> None:
        """Unless rows and columns of images, one after another, are lanes without panels."""
        for letters, buffer in zip(root.letters, _buffers(root), strict=True):
            if buffer.type.shape and not _stay_together(letters[-2:], root.letters):
                self.choose(buffer, len(buffer.type.shape) - 1)


def _buffers(root: Contraction) -> tuple[Buffer, Buffer, Buffer]:
    a, b = (view.buffer for view in root.reads[:2])
    return a, b, root.out


def _goes_by_strides(root: Contraction) -> bool:
    """Are its images in rows, or weights in panels along what is summed over?"""
    for letters, view in zip(root.letters[:2], root.reads[:2], strict=True):
        panels = view.buffer.panels
        if is_slid(view) and panels is None:
            return True
        if panels is not None and not is_slid(view):
            along = [x for i, x in enumerate(letters) if view.source(i) == panels.axis]
            return not any(letter in root.letters[2] for letter in along)
    return False


def _stay_together(pair: str, letters: Sequence[str]) -> bool:
    """Do two axes follow each other wherever one of them is?"""
    return len(pair) == 2 and all(pair in each or not set(pair) & set(each) for each in letters)


def _channels(root: Contraction, letters: str, view: View) -> Sequence[str]:
    """Those that are wherever the taps of a view are, summed over or not."""
    if not view.taps:
        return ()
    tap = letters[-1]
    return [x for x in letters if all((x in each) == (tap in each) for each in root.letters)]


def _slides(root: Contraction) -> bool:
    if any(map(is_slid, root.reads[:2])):
        return True
    return any(_stay_together(letters[-2:], root.letters) for letters in root.letters)


def _letter_beside_windows(root: Contraction, machine: Machine) -> str:
    """Best one that no image has and that fills vectors, if any lies whole in what is read."""
    factors = list(zip(root.letters[:2], root.reads[:2], strict=True))
    slid = [letters for letters, view in factors if is_slid(view)]
    together = [letters for letters, _ in factors if _stay_together(letters[-2:], root.letters)]
    within = set().union(*(slid or together))
    apart = {letter for letters, _ in factors for letter in letters} - within
    lanes = machine.lanes(root.factor_type)

    def lies_whole(letter: str) -> bool:
        inside = [(letters, view) for letters, view in factors if letter in letters]
        return isinstance(root.extents[letter], int) and all(
            view.source(letters.index(letter)) is not None for letters, view in inside
        )

    def worth(letter: str) -> tuple[bool, bool, float]:
        extent = root.extents[letter]
        assert isinstance(extent, int)
        filled = extent / (-(-extent // lanes) * lanes)
        return filled * WORTH_PANELS > 1, letter in apart, filled

    fitting = [letter for letter in root.letters[2] if lies_whole(letter)]
    return max(fitting, key=worth, default="")


def neighbours(program: Program) -> Mapping[Place, Sequence[Place]]:
    """Axes of buffers along which kernels go in one loop."""
    found: dict[Place, list[Place]] = {}
    for kernel in program.body:
        for one, other in _pairs(kernel):
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
    for slot, value in program.updates:
        if value.whole:
            for axis in range(len(slot.type.shape)):
                found.setdefault((slot, axis), []).append((value.buffer, axis))
                found.setdefault((value.buffer, axis), []).append((slot, axis))
    return found


def _pairs(kernel: Kernel) -> Iterator[tuple[Place, Place]]:
    for result, target in kernel.stored:
        if result is not target:
            yield from (((result, a), (target, a)) for a in range(len(target.type.shape)))
    for member in kernel.single:
        if not member.takes_panels:
            continue
        views = member.reads[2:] if isinstance(member, Contraction) else member.reads
        for view in views:
            for axis in range(len(view.buffer.type.shape)):
                position = _in_result(member, view, axis)
                if position is not None:
                    yield (view.buffer, axis), (member.out, position)
        if isinstance(member, Reduction):
            yield from _folded_together(member)


def _folded_together(member: Reduction) -> Iterator[tuple[Place, Place]]:
    """Axes of all that is read, by where they are in what is folded."""
    first: dict[int, Place] = {}
    for view in member.reads:
        for axis, dim in enumerate(view.buffer.type.shape):
            position = view.carried(axis)
            if position is None:
                continue
            position += member.folded.ndim - view.type.ndim
            if member.folded.shape[position] == dim:
                yield first.setdefault(position, (view.buffer, axis)), (view.buffer, axis)


def _in_result(member: Kernel, view: View, axis: int) -> int | None:
    """The axis of the result whose positions are those of an axis of what is read."""
    position = view.carried(axis)
    if position is None:
        return None
    if isinstance(member, Reduction):
        position += member.folded.ndim - view.type.ndim
        if position in member.axes:
            return None
        if not member.keepdims:
            position -= sum(reduced < position for reduced in member.axes)
    elif isinstance(member, Applied):
        return position if _alike(member, view) and position < len(member.out.type.shape) else None
    else:
        position += len(member.out.type.shape) - len(view.type.shape)
    same = member.out.type.shape[position] == view.buffer.type.shape[axis]
    return position if same else None


def _alike(member: Applied, view: View) -> bool:
    """Of a family, operands are read in the loops of the result as far as both have axes."""
    pairs = zip(view.type.shape, member.out.type.shape, strict=False)
    return view.whole and not member.one_by_one and all(one == other for one, other in pairs)
