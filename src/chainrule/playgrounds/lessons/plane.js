// The plane: each place in the colours of the classes, by their shares, and points in it.
const COLOURS = [
    [217, 95, 2], [8, 119, 189], [27, 135, 85], [184, 62, 140], [140, 110, 20], [100, 80, 190],
    [200, 50, 50], [20, 140, 150], [110, 110, 110], [90, 130, 30],
];

function shade(label) {
    return COLOURS[label % COLOURS.length];
}

// The colours that a function of the compiler mixes.
function paints() {
    const palette = Float32Array.from(classes.flatMap((_, label) => shade(label)));
    return { palette, page: Float32Array.of(isDark() ? 30 : 255) };
}

function showPlane(painted, points) {
    const canvas = field("plane"), context = canvas.getContext("2d"), { grid, reach } = TOLD.lesson;
    const image = new ImageData(new Uint8ClampedArray(painted), grid, grid);
    const small = new OffscreenCanvas(grid, grid);
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    const placed = ([x, y]) => [(x - reach[0]) / (reach[1] - reach[0]) * canvas.width, (reach[3] - y) / (reach[3] - reach[2]) * canvas.height];
    context.strokeStyle = isDark() ? "#14171b" : "#ffffff";
    for (const label of [...classes.keys()].reverse()) {
        context.beginPath();
        for (const point of points) {
            if (point[2] !== label) continue;
            const [u, v] = placed(point);
            context.moveTo(u + 3.2, v);
            context.arc(u, v, 3.2, 0, 7);
        }
        context.fillStyle = `rgb(${shade(label).join(",")})`;
        context.stroke();
        context.fill();
    }
}

function nameColours() {
    field("plane-keys").append(...classes.map((name, label) => {
        const swatch = element("canvas", { width: 14, height: 14 });
        swatch.getContext("2d").fillStyle = `rgb(${shade(label).join(",")})`;
        swatch.getContext("2d").fillRect(0, 0, 14, 14);
        return element("span", { className: "swatch" }, swatch, ` ${name}`);
    }));
}
