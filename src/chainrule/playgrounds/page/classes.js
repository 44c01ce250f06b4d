// Of classes: the share of each, and which is taken for which.
// The share of each name, as a bar; the shares are those of all, or null.
function showShares(names, shares) {
    const place = field("shares");
    while (place.children.length < names.length) {
        place.append(element("div", { className: "share" }, element("span"), element("meter", { min: 0, max: 1 }), element("span")));
    }
    [...place.children].forEach((line, i) => {
        line.children[0].textContent = names[i];
        line.children[1].value = shares ? shares[i] : 0;
        line.children[1].ariaLabel = `share of ${names[i]}`;
        line.children[2].textContent = shares ? `${(100 * shares[i]).toFixed(1)} %` : "";
    });
}

// The cells of the table of what is taken for what, row by row.
function makeConfusion(names) {
    const cells = names.map(() => names.map(() => element("td")));
    const head = element("tr", {}, element("td"), ...names.map((name) => element("th", { textContent: name, scope: "col" })));
    const rows = cells.map((row, i) => element("tr", {}, element("th", { textContent: names[i], scope: "row" }), ...row));
    field("confusion").append(element("table", {}, head, ...rows));
    return cells;
}

function showCounts(cells, counts) {
    cells.forEach((row, i) => row.forEach((cell, j) => {
        const count = counts[cells.length * i + j], text = String(count || "·");
        if (cell.textContent === text) return;
        cell.textContent = text;
        cell.className = i === j ? "right" : count ? "wrong" : "";
    }));
}
