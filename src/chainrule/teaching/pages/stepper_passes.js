// What happens at each step: all nodes forward, then back through those that have a gradient.

class Passes {
  constructor(data, layers) {
    this.data = data;
    this.layers = layers;
    this.nodes = data.nodes;
    this.count = data.nodes.length + data.backward.length;
    this.stepBack = new Map(data.backward.map((node, i) => [node, data.nodes.length + i]));
    this.readers = data.nodes.map(() => []);
    data.nodes.forEach((node, reader) => {
      for (const { node: operand } of node.operands) {
        if (operand !== undefined) this.readers[operand].push(reader);
      }
    });
  }

  at(step) {
    const backward = step >= this.nodes.length;
    return { backward, node: backward ? this.data.backward[step - this.nodes.length] : step };
  }

  // The step of a node, in the pass that is being shown if the node is in it.
  stepOf(node, backward) {
    return (backward ? this.stepBack.get(node) : undefined) ?? node;
  }

  text(number) {
    return this.data.texts[number];
  }

  // The parts of a node's gradient that its readers have handed to it up to a step.
  known(node, step) {
    const whenOf = (part) =>
      part.reader < 0 ? this.nodes.length : this.stepBack.get(part.reader);
    return (this.nodes[node].parts ?? []).filter((part) => whenOf(part) <= step);
  }

  valueText(node, step) {
    return step >= node ? this.nodes[node].short : "";
  }

  // The gradient, or its sum so far with … where parts are still to come.
  gradientText(node, step) {
    if (step < this.nodes.length) return "";
    const known = this.known(node, step);
    if (!known.length) return "";
    if (known.length === this.nodes[node].parts.length) return this.nodes[node].gradientShort;
    return unfinished(known[known.length - 1].sumShort);
  }

  // All texts that will ever stand above or below a node.
  shorts(node) {
    const { short, gradientShort, parts = [] } = this.nodes[node];
    const sums = parts.slice(0, -1).map((part) => unfinished(part.sumShort));
    return gradientShort === undefined ? [short] : [short, gradientShort, ...sums];
  }

  // The nodes of a layer that others outside of it read.
  resultsOf(layer) {
    const inside = (node) => this.layers.around(this.nodes[node].layer).includes(layer);
    return this.layers.members[layer].filter((node) => {
      const readers = this.readers[node];
      return !readers.length || !readers.every(inside);
    });
  }
}

// `4` -> `4 + …`, `[4,8] ▁▂▅█` -> `[4,8] + … ▁▂▅█`.
function unfinished(short) {
  return short.replace(/( [▁-█]+)?$/u, " + …$1");
}
