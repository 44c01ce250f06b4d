// The controls: which step is shown, and every way to change it.

const byId = (id) => document.getElementById(id);
const RESULTS = 30; // found nodes that are listed

class Stepper {
  constructor(data) {
    this.layers = new Layers(data);
    this.layers.closeUntilSmall();
    this.passes = new Passes(data, this.layers);
    this.picture = new Picture(byId("picture"), this.passes, this.layers, (key) => this.pick(key));
    this.panel = new Panel(byId("panel"), this.passes, (node) => this.jump(node));
    this.step = 0;
    this.timer = null;
    byId("position").max = this.passes.count - 1;
    const hasLayers = data.layers.length > 0;
    byId("open").hidden = !hasLayers;
    byId("close").hidden = !hasLayers;
    this.picture.draw();
    this.picture.begin();
    this.go(0);
  }

  get last() {
    return this.passes.count - 1;
  }

  go(step) {
    this.step = Math.max(0, Math.min(this.last, step));
    const sentence = this.panel.sentence(this.step);
    this.picture.show(this.step);
    this.panel.show(this.step);
    const position = byId("position");
    position.value = this.step;
    position.setAttribute("aria-valuetext", sentence);
    byId("where").textContent = `Step ${this.step + 1} of ${this.passes.count}`;
    byId("summary").textContent = sentence;
    for (const id of ["first", "back"]) this.disable(id, this.step === 0);
    for (const id of ["next", "last"]) this.disable(id, this.step === this.last);
  }

  // Kept in the order of focus, so that a keyboard does not lose its place at the ends.
  disable(id, off) {
    byId(id).setAttribute("aria-disabled", String(off));
  }

  move(step) {
    this.pause();
    this.go(step);
  }

  play() {
    if (this.step === this.last) this.go(0);
    const tick = () => {
      this.go(this.step + 1);
      if (this.step === this.last) this.pause();
      else this.timer = setTimeout(tick, Number(byId("speed").value));
    };
    this.timer = setTimeout(tick, Number(byId("speed").value));
    this.label("Pause");
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = null;
    this.label("Play");
  }

  toggle() {
    if (this.timer === null) this.play();
    else this.pause();
  }

  label(text) {
    byId("play").textContent = text;
    byId("play").setAttribute("aria-label", text);
  }

  // To a node's step, with the layers around it open.
  jump(node) {
    if (this.layers.reveal(node)) this.picture.draw();
    this.move(this.passes.stepOf(node, this.passes.at(this.step).backward));
  }

  pick(key) {
    if (key[0] === "n") {
      this.jump(Number(key.slice(1)));
      return;
    }
    const layer = Number(key.slice(1));
    this.layers.toggle(layer);
    this.redraw();
    (this.picture.boxes.get(layer) ?? this.picture.views.get(key)?.group)?.focus();
  }

  redraw() {
    this.picture.draw();
    this.picture.show(this.step);
  }

  layersAll(open) {
    if (open) this.layers.openAll();
    else this.layers.closeAll();
    this.redraw();
  }

  zoom(factor) {
    this.picture.scale(this.picture.zoom * factor);
    this.picture.show(this.step);
  }

  fit() {
    this.picture.scale(this.picture.whole());
    this.picture.show(this.step);
  }
}

function connect(stepper) {
  const click = (id, action) => byId(id).addEventListener("click", action);
  click("first", () => stepper.move(0));
  click("back", () => stepper.move(stepper.step - 1));
  click("play", () => stepper.toggle());
  click("next", () => stepper.move(stepper.step + 1));
  click("last", () => stepper.move(stepper.last));
  click("smaller", () => stepper.zoom(1 / ZOOM.step));
  click("larger", () => stepper.zoom(ZOOM.step));
  click("fit", () => stepper.fit());
  click("open", () => stepper.layersAll(true));
  click("close", () => stepper.layersAll(false));
  byId("position").addEventListener("input", (event) => stepper.move(Number(event.target.value)));
  connectKeys(stepper);
  connectTheme();
  new Search(stepper);
}

function connectKeys(stepper) {
  const actions = {
    ArrowRight: () => stepper.move(stepper.step + 1),
    ArrowLeft: () => stepper.move(stepper.step - 1),
    Home: () => stepper.move(0),
    End: () => stepper.move(stepper.last),
    " ": () => stepper.toggle(),
    "/": () => byId("search").focus(),
  };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest("input, select, textarea")) return;
    if (target.closest("#picture g[role=button]") && (key === "Enter" || key === " ")) {
      event.preventDefault();
      target.dispatchEvent(new MouseEvent("click"));
      return;
    }
    if (!(key in actions) || (key === " " && target.closest("button"))) return;
    event.preventDefault();
    actions[key]();
  });
}

function connectTheme() {
  const root = document.documentElement;
  const button = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  show();
}

connect(new Stepper(JSON.parse(byId("data").textContent)));
