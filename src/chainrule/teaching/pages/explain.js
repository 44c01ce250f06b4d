"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const names = { numpy: "NumPy", loops: "Loops", c: "C", llvm: "LLVM", assembly: "Assembly" };
const panel = document.getElementById("panel");
const panelTitle = document.getElementById("panel-title");
const panelBody = document.getElementById("panel-body");
const listing = document.getElementById("listing");
const LEGIBLE = 1.7; // how much a picture may be reduced to be seen as a whole
const SNIPPET = 40; // lines of one kernel shown in the panel

// ----- small makers: text goes in as text

function made(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function nodeButton(number, text) {
  const node = data.nodes[number];
  const button = made("button", text ?? `${node.label} ${node.type}`, { type: "button", class: "link" });
  button.addEventListener("click", () => selectNodes([number]));
  return button;
}

function entry(list, name, ...contents) {
  const filled = contents.filter((content) => content !== "" && content !== undefined);
  if (!filled.length) return;
  list.append(made("dt", name));
  for (const content of filled) {
    const item = made("dd");
    item.append(content);
    list.append(item);
  }
}

function ruleText(each) {
  const item = made("span");
  item.append(ruleButton(each.rule), ", in place of ", nodeOrText(each));
  return item;
}

function becomesText(each) {
  const item = made("span");
  item.append(nodeOrText(each), " by ", ...each.rules.flatMap((rule) => [ruleButton(rule), " "]));
  return item;
}

function nodeOrText(each) {
  return each.node === null ? each.text : nodeButton(each.node, each.text);
}

// Leads to the rule's own lines in the list of the stage where it fired.
function ruleButton(rule) {
  const place = document.querySelector(`[data-rule="${CSS.escape(rule)}"]`);
  if (!place) return rule;
  const button = made("button", rule, { type: "button", class: "link rule" });
  button.addEventListener("click", () => {
    place.querySelector("details").open = true;
    place.scrollIntoView();
    place.querySelector("summary").focus({ preventScroll: true });
  });
  return button;
}

function originEntries(list, record) {
  entry(list, "Your line", record.where);
  entry(list, "Layer", record.scope);
  entry(list, "Chain rule", record.step);
  entry(list, "Local derivative", record.formula && made("code", record.formula));
  entry(list, "Rewritten by", ...(record.rules ?? []).map(ruleText));
}

// ----- what is selected

let selected = { families: new Set(), numbers: new Set(), lines: {} };

function show(title, ...contents) {
  panelTitle.textContent = title;
  panelBody.replaceChildren(...contents);
  panel.classList.add("open");
  panel.scrollTop = 0;
}

function select(numbers, families, lines) {
  selected = { numbers: new Set(numbers), families: new Set(families), lines };
  for (const shape of document.querySelectorAll("g.node")) {
    const own = shape.dataset.nodes.split(" ").map(Number);
    const exact = own.some((number) => selected.numbers.has(number));
    const kin = own.some((n) => data.nodes[n].families.some((f) => selected.families.has(f)));
    shape.classList.toggle("selected", exact);
    shape.classList.toggle("related", kin && !exact);
    shape.setAttribute("aria-pressed", String(exact || kin));
  }
  markLines();
}

// The lines of code that compute a node, as pairs of the first and the last.
function spanOf(node, code) {
  return data.spans[node.lines[code.name]];
}

function selectNodes(numbers) {
  const nodes = numbers.map((number) => data.nodes[number]);
  const lines = {};
  for (const code of data.codes) lines[code.name] = nodes.flatMap((n) => spanOf(n, code));
  select(numbers, nodes.flatMap((node) => node.families), lines);
  if (nodes.length > 1) {
    const list = made("ul");
    for (const number of numbers) {
      const item = made("li");
      item.append(nodeButton(number));
      list.append(item);
    }
    show(`${nodes.length} nodes`, list);
    return;
  }
  showNode(nodes[0]);
}

function showNode(node) {
  const list = made("dl");
  originEntries(list, node);
  if (node.value.length) entry(list, "Value", made("pre", node.value.join("\n")));
  if (node.becomes) entry(list, "Becomes", becomesText(node.becomes));
  entry(list, "Ops in this kernel", ...node.parts.map(partText));
  entry(list, "Computed from", ...node.operands.map((number) => nodeButton(number)));
  show(`${node.label} ${node.type}`, list, ...data.codes.map((code) => snippet(code, node)));
}

function partText(part) {
  const about = [part.where, part.scope, part.step].filter(Boolean).join(" · ");
  return made("span", about ? `${part.label} — ${about}` : part.label);
}

function snippet(code, node) {
  const ranges = spanOf(node, code);
  const box = made("section");
  if (!ranges.length) return box;
  const text = ranges.map(([first, last]) => (first === last ? first : `${first}–${last}`)).join(", ");
  const go = made("button", `${names[code.name]}: lines ${text}`, { type: "button", class: "go" });
  go.addEventListener("click", () => {
    openCode(code);
    moveTo(ranges[0][0], true);
    listing.focus();
  });
  const all = ranges.flatMap(([first, last]) => linesOf(code).slice(first - 1, last));
  const more = all.length > SNIPPET ? `\n… ${all.length - SNIPPET} more lines` : "";
  box.append(go, made("pre", all.slice(0, SNIPPET).join("\n") + more, { class: "snippet" }));
  return box;
}

function selectLine(number) {
  const run = openedCode.runs.find(([first, last]) => first <= number && number <= last);
  const title = `${names[openedCode.name]}, line ${number}`;
  const text = made("pre", linesOf(openedCode)[number - 1].trim(), { class: "snippet" });
  if (!run) {
    select([], [], { [openedCode.name]: [[number, number]] });
    show(title, text, made("p", "This line is for the program as a whole."));
    return;
  }
  const { computes, families } = openedCode.purposes[run[2]];
  const numbers = computes.map((each) => each.node).filter((each) => each !== null);
  const alike = openedCode.runs.filter((each) => each[2] === run[2]);
  select(numbers, families, { [openedCode.name]: alike.map(([first, last]) => [first, last]) });
  const several = computes.length > 1;
  const heading = several ? "This line serves all of these, in this order:" : "";
  show(title, text, made("p", heading), ...computes.map(computedText));
}

function computedText(each) {
  const list = made("dl");
  entry(list, "Computes", made("strong", each.op));
  originEntries(list, each);
  if (each.node !== null) entry(list, "Node", nodeButton(each.node));
  return list;
}

function clear() {
  select([], [], {});
  panel.classList.remove("open");
  show("Nothing selected", made("p", "Choose a node of a picture, or a line of code."));
  panel.classList.remove("open");
}

// ----- pictures: one tab stop each, arrows inside, Enter chooses

function shapesOf(figure) {
  return [...figure.querySelectorAll("g.node")];
}

function chooseShape(shape) {
  selectNodes(shape.dataset.nodes.split(" ").map(Number));
}

function stepInPicture(figure, from, by) {
  const shapes = shapesOf(figure);
  const next = shapes[(shapes.indexOf(from) + by + shapes.length) % shapes.length];
  from.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

// A picture that is not much wider than the page begins whole, a wider one where a rule fired.
function begin(figure) {
  const shapes = shapesOf(figure);
  const shape = shapes.find((each) => each.textContent.includes("rule 1:")) ?? shapes[0];
  const svg = figure.querySelector("svg");
  const wide = svg.getBoundingClientRect().width;
  if (wide > figure.clientWidth && wide < LEGIBLE * figure.clientWidth) {
    document.querySelector(`button[aria-controls="${figure.id}"]`).click();
  } else if (shape) {
    const [frame, box] = [figure, shape].map((element) => element.getBoundingClientRect());
    figure.scrollLeft = box.left - frame.left - figure.clientWidth / 3;
    figure.scrollTop = box.top - frame.top - figure.clientHeight / 3;
  }
}

for (const figure of document.querySelectorAll("figure.picture")) {
  shapesOf(figure)[0]?.setAttribute("tabindex", "0");
  figure.addEventListener("click", (event) => {
    const shape = event.target.closest("g.node");
    if (shape) chooseShape(shape);
  });
  figure.addEventListener("keydown", (event) => {
    const shape = event.target.closest("g.node");
    if (!shape) return;
    if (event.key in STEPS) stepInPicture(figure, shape, STEPS[event.key]);
    else if (event.key === "Enter" || event.key === " ") chooseShape(shape);
    else return;
    event.preventDefault();
  });
}

for (const button of document.querySelectorAll("button.whole")) {
  button.addEventListener("click", () => {
    const figure = document.getElementById(button.getAttribute("aria-controls"));
    button.setAttribute("aria-pressed", String(figure.classList.toggle("fitted")));
  });
}

for (const button of document.querySelectorAll("button[data-nodes]")) {
  button.addEventListener("click", () => selectNodes([Number(button.dataset.nodes)]));
}

// ----- code: one language at a time, its lines made when it is opened

let openedCode = null;
let active = 1;

function linesOf(code) {
  code.lines ??= code.text.split("\n");
  return code.lines;
}

function openCode(code) {
  if (openedCode === code) return;
  openedCode = code;
  active = 1;
  const known = new Set(code.runs.flatMap(([first, last]) => range(first, last)));
  const lines = linesOf(code).map((text, index) => {
    const line = made("div", text || " ", { role: "option", id: `line-${index + 1}`, "aria-selected": "false" });
    if (known.has(index + 1)) line.classList.add("known");
    line.dataset.number = index + 1;
    return line;
  });
  if (code.more) lines.push(made("p", `… ${code.more} more lines`));
  listing.replaceChildren(...lines);
  for (const each of data.codes) {
    const tab = document.getElementById(`tab-${each.name}`);
    tab.setAttribute("aria-selected", String(each === code));
    tab.setAttribute("tabindex", each === code ? "0" : "-1");
  }
  listing.setAttribute("aria-label", `Lines of ${names[code.name]}`);
  markLines();
  moveTo(1, false);
}

function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function markLines() {
  if (!openedCode) return;
  const lit = new Set((selected.lines[openedCode.name] ?? []).flatMap(([a, b]) => range(a, b)));
  for (const line of listing.querySelectorAll("[role=option]")) {
    const on = lit.has(Number(line.dataset.number));
    if (line.classList.toggle("lit", on) !== (line.getAttribute("aria-selected") === "true")) {
      line.setAttribute("aria-selected", String(on));
    }
  }
}

function moveTo(number, scroll) {
  document.getElementById(`line-${active}`)?.classList.remove("active");
  active = Math.min(Math.max(number, 1), linesOf(openedCode).length);
  const line = document.getElementById(`line-${active}`);
  line.classList.add("active");
  listing.setAttribute("aria-activedescendant", line.id);
  if (scroll) {
    listing.scrollTop = line.offsetTop - listing.offsetTop - listing.clientHeight / 3;
    listing.scrollIntoView({ block: "nearest" });
  }
}

listing.addEventListener("click", (event) => {
  const line = event.target.closest("[role=option]");
  if (!line) return;
  moveTo(Number(line.dataset.number), false);
  selectLine(active);
});

listing.addEventListener("keydown", (event) => {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -1e9, End: 1e9 };
  if (event.key in steps) moveTo(active + steps[event.key], true);
  else if (event.key === "Enter" || event.key === " ") selectLine(active);
  else return;
  event.preventDefault();
});

data.codes.forEach((code, index) => {
  const tab = document.getElementById(`tab-${code.name}`);
  tab.addEventListener("click", () => openCode(code));
  tab.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = data.codes[(index + by + data.codes.length) % data.codes.length];
    openCode(next);
    document.getElementById(`tab-${next.name}`).focus();
  });
});

// ----- the page

document.getElementById("close").addEventListener("click", clear);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") clear();
});
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
openCode(data.codes[0]);
for (const figure of document.querySelectorAll("figure.picture")) begin(figure);
