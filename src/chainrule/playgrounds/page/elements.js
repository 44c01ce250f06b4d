// Elements of HTML, colours, and the curve of losses.
const EDGE = 6;

function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

function field(id) {
    return document.getElementById(id);
}

function isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

// Of the style in use; asked for once, until another one is chosen.
const colours = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colours.clear());

function colour(name) {
    if (!colours.has(name)) {
        colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    }
    return colours.get(name);
}

// For each byte its colour, from the red, green and blue of 0, of the middle and of 255.
function rampOf(minus, zero, plus) {
    return Uint32Array.from({ length: 256 }, (_, i) => {
        const share = Math.abs(i - 127.5) / 127.5, end = i < 127.5 ? minus : plus;
        const [r, g, b] = zero.map((from, k) => Math.round(from + (end[k] - from) * share));
        return (255 << 24) | (b << 16) | (g << 8) | r;
    });
}

// Losses of all epochs so far, in at most 400 places.
class Curve {
    constructor() {
        this.clear();
    }

    clear() {
        this.points = [];
        this.every = 1;
    }

    add(epoch, train, test, beside) {
        const last = this.points[this.points.length - 1];
        if (last && epoch < last[0]) this.clear();
        if (last && epoch - last[0] < this.every) return;
        this.points.push([epoch, train, test, beside]);
        if (this.points.length <= 400) return;
        this.points = this.points.filter((_, i) => i % 2 === 0);
        this.every *= 2;
    }

    draw() {
        const canvas = field("curve"), context = canvas.getContext("2d");
        const { width, height } = canvas;
        context.clearRect(0, 0, width, height);
        const finite = this.points.flatMap(([, ...losses]) => losses).filter(Number.isFinite);
        const most = Math.max(1e-9, ...finite), last = Math.max(1, this.points.at(-1)?.[0] ?? 1);
        for (const [k, name] of [[3, "--quiet"], [2, "--test"], [1, "--train"]]) {
            context.beginPath();
            for (const point of this.points) {
                if (!Number.isFinite(point[k])) continue;
                context.lineTo(4 + point[0] / last * (width - 8), height - 4 - point[k] / most * (height - 26));
            }
            context.strokeStyle = colour(name);
            context.lineWidth = 2;
            context.stroke();
        }
        context.fillStyle = colour("--quiet");
        context.font = "13px sans-serif";
        if (finite.length) context.fillText(most.toPrecision(3), 4, 14);
    }
}
