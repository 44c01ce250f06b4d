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
        const shares = width === 1 ? [1 - surface[i], surface[i]] : surface.subarray(width * i, width * (i + 1));
        for (let k = 0; k < 3; k++) {
            const mixed = shares.reduce((sum, share, label) => sum + share * shade(label)[k], 0);
            image.data[4 * i + k] = 0.6 * mixed + 0.4 * page;
        }
        image.data[4 * i + 3] = 255;
    }
    const small = new OffscreenCanvas(grid, grid);
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    for (const [x, y, label] of points) {
        context.beginPath();
        context.arc((x - reach[0]) / (reach[1] - reach[0]) * canvas.width, (reach[3] - y) / (reach[3] - reach[2]) * canvas.height, 3.2, 0, 7);
        context.fillStyle = `rgb(${shade(label).join(",")})`;
        context.strokeStyle = isDark() ? "#14171b" : "#ffffff";
        context.fill();
        context.stroke();
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
