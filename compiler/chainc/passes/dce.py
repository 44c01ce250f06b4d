"""Dead code: a graph holds only what its outputs and updates need.

    update w = w                 →   nothing

Nodes go with the last output or update that needs them.
"""

from __future__ import annotations

from chainc.ir import Graph


def dce(graph: Graph) -> Graph:
    """Drop updates that leave their slot as it is, and with them what only they needed.

    Needs: any graph. Leaves: nodes that an output or a change of a slot depends on; no others
    can be in a graph, which is known by what it ends in.
    """
    changes = {slot: value for slot, value in graph.updates.items() if value is not slot}
    if len(changes) == len(graph.updates):
        return graph
    return Graph(graph.outputs, changes, graph.names)
