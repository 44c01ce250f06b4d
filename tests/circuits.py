"""Circuits read back from their SVG: which value and gradient stands on which wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"

Numbers = tuple[str, str]  # the text above a wire and the one below it


@dataclass(frozen=True)
class Circuit:
    """A picture from left to right, taken apart."""

    svg: str

    @cached_property
    def texts(self) -> Mapping[str, list[str]]:
        """The lines of each node and cluster, by its name in the DOT text."""
        found: dict[str, list[str]] = {}
        for group in ElementTree.fromstring(self.svg).iter(f"{SVG}g"):
            if group.get("class") in ("node", "cluster"):
                lines = ["".join(text.itertext()) for text in group.iter(f"{SVG}text")]
                name = str(group.findtext(f"{SVG}title"))
                found[name] = [line.replace("\xa0", " ").strip() for line in lines]
        return found

    @cached_property
    def edges(self) -> list[tuple[str, str]]:
        groups = ElementTree.fromstring(self.svg).iter(f"{SVG}g")
        titles = [
            str(g.findtext(f"{SVG}title")).replace("\xa0", " ")
            for g in groups
            if g.get("class") == "edge"
        ]
        ends = [title.partition("->") for title in titles]
        return [(tail.partition(":")[0], head.partition(":")[0]) for tail, _, head in ends]

    def beside(self, wire: str) -> Numbers:
        above, below = (self.texts.get(f"cluster_{wire}{place}", []) for place in "tb")
        return "\n".join(above), "\n".join(below)

    def label(self, node: str) -> str:
        return "\n".join(self.texts[node])

    def small_print(self, label: str) -> list[str]:
        """The lines below the sign of the one op of this label."""
        (name,) = [name for name in self.texts if self.label(name) == label and name[0] == "n"]
        return self.texts[f"cluster_{name}"]

    def leaving(self, *labels: str) -> Numbers:
        """On the one wire from a node of this label which reads nodes of the other labels."""
        own, *read = labels
        (found,) = [
            self.beside(head)
            for tail, head in self.edges
            if head.startswith("wire") and self.label(tail) == own and tail[0] == "n"
            if set(read) <= self.read_by(tail)
        ]
        return found

    def read_by(self, node: str) -> set[str]:
        """Labels of all that the node is computed from."""
        before = [tail for tail, head in self.edges if head == node]
        labels = {self.label(tail) for tail in before if tail.startswith("n")}
        return labels.union(*map(self.read_by, before))

    def branches(self, label: str) -> Mapping[str, str]:
        """Readers of the value of the one node of this label, each with the part it gives back."""
        (trunk,) = [h for t, h in self.edges if h.startswith("wire") and self.label(t) == label]
        parts = [head for tail, head in self.edges if tail == trunk and head.startswith("wire")]
        return {
            self.label(head): self.beside(tail)[1] for tail, head in self.edges if tail in parts
        }
