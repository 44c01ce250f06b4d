"use strict";
// The graph as it is drawn: which layers are closed, and by which item each node is shown.
// An item is "n3" for a node or "l2" for a layer; the outermost level is the layer −1.

const OUTSIDE = -1;
const DRAWN_AT_FIRST = 90; // items; deeper layers begin closed beyond it

class Layers {
  constructor(data) {
    this.nodes = data.nodes;
    this.layers = data.layers;
    this.closed = new Set();
    this.members = data.layers.map(() => []); // the nodes in each layer and in the layers in it
    data.nodes.forEach((node, number) => {
      for (const layer of this.around(node.layer)) this.members[layer].push(number);
    });
  }

  // The layers around, outermost first, the given one last.
  around(layer) {
    const found = [];
    for (let at = layer; at !== OUTSIDE; at = this.layers[at].parent) found.unshift(at);
    return found;
  }

  // How the node is drawn: its item, and the open layers around the item.
  place(number) {
    const around = this.around(this.nodes[number].layer);
    const shut = around.findIndex((layer) => this.closed.has(layer));
    if (shut < 0) return { item: `n${number}`, open: around };
    return { item: `l${around[shut]}`, open: around.slice(0, shut) };
  }

  drawn() {
    return new Set(this.nodes.map((_, number) => this.place(number).item)).size;
  }

  closeAll() {
    this.layers.forEach((_, layer) => this.closed.add(layer));
  }

  openAll() {
    this.closed.clear();
  }

  toggle(layer) {
    if (!this.closed.delete(layer)) this.closed.add(layer);
  }

  // Open what hides a node; says whether anything changed.
  reveal(number) {
    const hiding = this.around(this.nodes[number].layer).filter((layer) => this.closed.has(layer));
    hiding.forEach((layer) => this.closed.delete(layer));
    return hiding.length > 0;
  }

  // Close layers from the innermost outwards until the picture is small.
  closeUntilSmall() {
    const depths = this.layers.map((_, layer) => this.around(layer).length);
    for (let depth = Math.max(0, ...depths); depth > 0; depth -= 1) {
      if (this.drawn() <= DRAWN_AT_FIRST) return;
      depths.forEach((own, layer) => own === depth && this.closed.add(layer));
    }
  }
}
