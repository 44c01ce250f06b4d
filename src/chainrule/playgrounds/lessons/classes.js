// The page of a classifier: answers to what is drawn, or over the plane, and all its errors.
// The class with the largest share in a row; of one share, whether it is more than a half.
function classOf(shares, row) {
    const { width } = TOLD.lesson;
    if (width === 1) return shares[row] > 0.5 ? 1 : 0;
    const part = shares.subarray(width * row, width * (row + 1));
    return part.indexOf(Math.max(...part));
}

function showConfusion({ tested }) {
    const truth = TOLD.lesson.truth, counts = classes.map(() => classes.map(() => 0));
    truth.forEach((label, row) => { counts[label][classOf(tested, row)] += 1; });
    const right = counts.reduce((sum, row, i) => sum + row[i], 0);
    field("accuracy").textContent = truth.length ? `${(100 * right / truth.length).toFixed(1)} %` : "–";
    showCounts(confusion, counts.flat());
}

function showAnswer(found) {
    const shares = TOLD.lesson.width === 1 ? [1 - found[0], found[0]] : [...found];
    field("answer").textContent = isEmpty() ? "Nothing is drawn yet." : `It is taken for ${classes[classOf(found, 0)]}.`;
    showShares(classes, isEmpty() ? null : shares);
}

function showPicture({ number, results }) {
    const [taken] = results.picture ?? [];
    if (taken && pixels && number === asked) {  // nothing has been drawn since
        take(taken.x.values);
        return say(`Scaled to ${wide} × ${tall} pixels: that is all of it that the network sees.`);
    }
    showAnswer(results.predict[0]);
    showLooks(results.looks[0]);
    saliency = results.looks[0][`look${TOLD.lesson.looks.length - 1}`].values;  // the last of them
    if (field("show-saliency").checked) showDrawn();
}

if (TOLD.lesson.size) {
    prepareDrawing();
    prepareLooks();
    parts.push({
        calls: () => [
            { name: "predict", inputs: { [TOLD.program.told.x]: drawn } }, { name: "looks", inputs: { [TOLD.program.told.x]: drawn } },
            ...(pixels ? [{ name: "picture", inputs: { pixels } }] : []),
        ],
        show: showPicture,
    });
}
if (TOLD.lesson.grid) {
    field("plane-part").hidden = false;
    nameColours();
    parts.push({
        calls: () => [{ name: "paint", inputs: paints() }],
        show: ({ results }) => showPlane(results.paint[0].painted.values, TOLD.lesson.points),
    });
}
field("try-part").hidden = !TOLD.lesson.size && !TOLD.lesson.grid;
field("confusion-part").hidden = false;
addFact("accuracy", "Test accuracy");
const confusion = makeConfusion(classes);
parts.push({ show: showConfusion });
