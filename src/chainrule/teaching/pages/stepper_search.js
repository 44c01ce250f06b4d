// The search: a combobox over names, ops, layers and lines of all nodes.

class Search {
  constructor(stepper) {
    this.stepper = stepper;
    this.input = byId("search");
    this.list = byId("found");
    this.chosen = 0;
    this.found = [];
    const { nodes, layers: all } = stepper.layers;
    this.paths = nodes.map(({ layer }) =>
      stepper.layers.around(layer).map((at) => all[at].name).join("/"));
    this.texts = nodes.map(({ label, op, kind, line = "", code = "" }, number) =>
      [label, op, kind, this.paths[number], line, code].join("\n").toLowerCase());
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.hide());
  }

  // Every word is in it; nodes called exactly so come first.
  search() {
    const wanted = this.input.value.trim().toLowerCase();
    const words = wanted.split(/\s+/);
    const fits = (text) => words.every((word) => text.includes(word));
    const exact = (number) => Number(this.texts[number].split("\n").includes(wanted));
    const numbers = this.texts.flatMap((text, number) => (fits(text) ? [number] : []));
    this.found = wanted ? numbers.sort((a, b) => exact(b) - exact(a) || a - b) : [];
    this.chosen = 0;
    this.show(wanted !== "");
  }

  show(asked) {
    const listed = this.found.slice(0, RESULTS);
    this.list.replaceChildren(...listed.map((number, i) => this.option(number, i)));
    if (asked && this.found.length !== listed.length) this.say(`${this.found.length} found`);
    if (asked && !this.found.length) this.say("nothing found");
    this.list.hidden = !asked;
    this.input.setAttribute("aria-expanded", String(asked));
    this.mark();
  }

  say(text) {
    const note = element("li", { class: "quiet", role: "option", "aria-disabled": "true" });
    note.textContent = text;
    this.list.append(note);
  }

  option(number, i) {
    const node = this.stepper.layers.nodes[number];
    const facts = [kindOf(node), this.paths[number], node.line];
    const made = element("li", { role: "option", id: `found${i}` },
      element("b", {}, node.label), ` ${facts.filter(Boolean).join(" · ")}`);
    made.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.take(number);
    });
    return made;
  }

  mark() {
    [...this.list.children].forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === this.chosen));
      if (i === this.chosen) option.scrollIntoView({ block: "nearest" });
    });
    if (this.found.length) this.input.setAttribute("aria-activedescendant", `found${this.chosen}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    const count = Math.min(this.found.length, RESULTS);
    const turn = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (turn && count) {
      event.preventDefault();
      this.chosen = (this.chosen + turn + count) % count;
      this.mark();
    }
    if (event.key === "Enter" && count) this.take(this.found[this.chosen]);
    if (event.key === "Escape") this.leave();
  }

  take(number) {
    this.stepper.jump(number);
    this.leave();
  }

  leave() {
    this.input.value = "";
    this.hide();
    byId("picture").focus();
  }

  hide() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
