// The plane: each place in the colours of the classes, by their shares, and points in it.
const COLOURS = [
    [217, 95, 2], [8, 119, 189], [27, 135, 85], [184, 62, 140], [140, 110, 20], [100, 80, 190],
    [200, 50, 50], [20, 140, 150], [110, 110, 110], [90, 130, 30],
];

function shade(label) {
    return COLOURS[label % COLOURS.length];
}

function showPlane(surface, points) {
    const canvas = field("plane"), context = canvas.getContext("2d"), { width, grid, reach } = TOLD.lesson;
    const image = new ImageData(grid, grid), page = isDark() ? 30 : 255;
    for (let i = 0; i < grid * grid; i++) {
        for (let k = 0; k < 3; k++) {
            let mixed = width === 1 ? (1 - surface[i]) * COLOURS[0][k] + surface[i] * COLOURS[1][k] : 0;
            for (let label = 0; label < width && width > 1; label++) mixed += surface[width * i + label] * shade(label)[k];
            image.data[4 * i + k] = 0.6 * mixed + 0.4 * page;
        }
        image.data[4 * i + 3] = 255;
    }
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
