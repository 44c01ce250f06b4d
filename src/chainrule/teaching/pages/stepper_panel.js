// The panel: what happens at a step, in formulas and numbers; and the same in one sentence.

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

class Panel {
  constructor(holder, passes, onJump) {
    this.holder = holder;
    this.passes = passes;
    this.onJump = onJump;
  }

  show(step) {
    const { node: number, backward } = this.passes.at(step);
    const node = this.passes.nodes[number];
    const turn = backward ? step - this.passes.nodes.length : step;
    const of = backward ? this.passes.data.backward.length : this.passes.nodes.length;
    const pass = backward ? "Backward" : "Forward";
    this.holder.replaceChildren(
      element("p", { class: `pass ${backward ? "gradient" : "value"}` },
        `${pass} · ${turn + 1} of ${of}`),
      element("h2", {}, node.label, " ", element("small", {}, kindOf(node))),
      ...(backward ? this.backward(number, step) : this.forward(node)),
      this.facts(node),
    );
    this.holder.scrollTop = 0;
  }

  facts(node) {
    const names = this.passes.layers.around(node.layer).map((l) => this.passes.data.layers[l].name);
    const list = element("dl", { class: "facts" });
    const fact = (name, ...content) =>
      list.append(element("div", {}, element("dt", {}, name), element("dd", {}, ...content)));
    if (names.length) fact("layer", names.join(" / "));
    if (node.line) fact("line", node.line, node.code ? element("code", {}, node.code) : "");
    return list;
  }

  forward(node) {
    const shown = [element("h3", {}, "Value")];
    if (node.formula) shown.push(element("pre", { class: "formula" }, node.formula));
    shown.push(this.block("value", node.value, node.numbers ? `= ${node.numbers} =` : ""));
    if (node.slides) shown.push(new Sliding(node.slides).holder);
    if (node.operands.some(isStep)) shown.push(element("h3", {}, "Operands"), this.operands(node));
    return shown;
  }

  operands(node) {
    const list = element("ul", { class: "operands" });
    for (const { role, node: number } of node.operands.filter(isStep)) {
      const { value, shape } = this.passes.nodes[number];
      list.append(element("li", {}, element("b", {}, role), " = ", this.link(number),
        shape === "scalar" ? " " : ` ${shape} `, this.block("value", value)));
    }
    return list;
  }

  backward(number, step) {
    const node = this.passes.nodes[number];
    const shown = [element("h3", {}, "Gradient from above"), ...this.fromAbove(node)];
    const onward = node.operands.filter((operand) => operand.local !== undefined);
    if (onward.length) shown.push(element("h3", {}, "On to the operands"));
    else if (node.operands.length) {
      shown.push(element("p", { class: "quiet" }, "No gradient goes on from here."));
    } else shown.push(element("p", { class: "quiet" }, "The backward pass ends here."));
    node.operands.forEach((operand, position) => {
      if (operand.local === undefined) return;
      shown.push(this.contribution(number, operand, position, step));
    });
    return shown;
  }

  // ∂loss/∂node, as the sum of what its readers gave.
  fromAbove(node) {
    const total = this.block("gradient", node.gradient, "G = ∂loss/∂this =");
    if (node.parts.length === 1 && node.parts[0].reader < 0) {
      return [total, element("p", { class: "quiet" }, "The loss with respect to itself is 1.")];
    }
    const list = element("ul", { class: "parts" });
    if (node.parts.length === 1) {
      return [total, element("p", {}, "from ", this.link(node.parts[0].reader))];
    }
    for (const part of node.parts) {
      const from = part.reader < 0 ? "the loss itself" : this.link(part.reader);
      list.append(element("li", {}, "from ", from, this.block("gradient", part.value)));
    }
    const count = element("p", { class: "quiet" }, `Fan-out: the sum of ${node.parts.length} parts`);
    return [total, count, list];
  }

  contribution(number, operand, position, step) {
    const card = element("article", { class: "contribution" });
    const target = this.passes.nodes[operand.node];
    const shape = target.shape === "scalar" ? "" : ` ${target.shape}`;
    card.append(element("h4", {}, `to ${operand.role} = `, this.link(operand.node), shape));
    const own = (part) => part.reader === number && part.operand === position;
    const index = target.parts.findIndex(own);
    const part = target.parts[index];
    card.append(...this.product(this.passes.nodes[number], operand, part));
    if (target.parts.length > 1) card.append(...this.runningSum(target, index));
    return card;
  }

  // The local derivative times the gradient from above.
  product(node, operand, part) {
    const words = /\bG\b/.test(operand.local);
    const rule = element("p", {}, words ? "gives " : "local derivative ",
      element("code", { class: "local" }, operand.local));
    if (operand.localNumber !== undefined && operand.localNumber !== operand.local) {
      rule.append(" = ", element("code", {}, operand.localNumber));
    }
    if (operand.localNumber === undefined) {
      const name = words ? "so" : "× G =";
      return [rule, this.block("gradient", part.value, name)];
    }
    const factors = [operand.localNumber, this.passes.text(node.gradient).join("\n")];
    const [local, above] = factors.map((text) => (text.startsWith("−") ? `(${text})` : text));
    return [rule, this.block("gradient", part.value, `${local} × ${above} =`)];
  }

  runningSum(target, index) {
    const { parts } = target;
    const name = element("p", { class: "quiet" },
      `running sum, ${index + 1} of ${parts.length} parts:`);
    const scalars = target.shape === "scalar";
    const sum = scalars && index > 0
      ? `${parts[index - 1].sumShort} + ${bracketed(parts[index].short)} =` : "";
    return [name, this.block("gradient", parts[index].sum, sum)];
  }

  // A number in the text's line, an array as lines of its own.
  block(kind, number, before = "") {
    const lines = this.passes.text(number);
    const name = lines.length > 1 ? "pre" : "span";
    const made = element(name, { class: `number ${kind}` }, lines.join("\n"));
    if (!before) return made;
    return element("p", { class: "equation" }, `${before} `, made);
  }

  link(number) {
    const button = element("button", { type: "button", class: "link" },
      this.passes.nodes[number].label);
    button.addEventListener("click", () => this.onJump(number));
    return button;
  }

  // For a screen reader.
  sentence(step) {
    const { node: number, backward } = this.passes.at(step);
    const { label, value, gradient } = this.passes.nodes[number];
    const [pass, name, text] = backward ? ["backward", "gradient", gradient]
      : ["forward", "value", value];
    const numbers = this.passes.text(text).join(", ");
    return `Step ${step + 1} of ${this.passes.count}, ${pass}: ${label}, ${name} ${numbers}`;
  }
}

// A constant is none: it stands in the formula.
function isStep(operand) {
  return operand.node !== undefined;
}

// `multiply · [4,8]`, `parameter · [8,16]`.
function kindOf({ kind, op, shape }) {
  return `${["forward", "gradient"].includes(kind) ? op : kind} · ${shape}`;
}

function bracketed(text) {
  return text.startsWith("−") ? `(${text})` : text;
}
