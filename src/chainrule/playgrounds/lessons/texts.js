// The page of a model that writes: what is typed is checked, and the worker goes on from it.
const { vocabulary, length, most } = TOLD.lesson, LIKELIEST = 8, PATIENCE = 1500;
const numbers = new Map(vocabulary.map((letter, i) => [letter, i]));
let seed = 1n, latest = -PATIENCE;

// The letters of what is typed that the model knows, and those that it does not.
function typed() {
    const letters = Array.from(field("prompt").value.slice(0, most));
    return { known: letters.filter((each) => numbers.has(each)), strange: letters.filter((each) => !numbers.has(each)) };
}

function temperature() {
    const given = field("temperature").valueAsNumber;
    return given >= 0.1 && given <= 2 ? given : 1;
}

function askFollowing() {
    const { known } = typed();
    if (known.length === 0) return [];
    const read = known.slice(-length), x = new Int32Array(length), heat = Float32Array.of(temperature());
    read.forEach((letter, i) => { x[i] = numbers.get(letter); });
    const calls = [{ name: "following", inputs: { x, temperature: heat }, told: read }];
    if (playing && performance.now() - latest < PATIENCE) return calls;
    latest = performance.now();
    const prompt = Int32Array.from(known, (letter) => numbers.get(letter));
    return [...calls, { name: "write", inputs: { prompt, temperature: heat, seed: BigInt64Array.of(seed) }, told: known }];
}

function showFollowing({ results }) {
    const { strange } = typed();
    const few = [...new Set(strange)].slice(0, 10).join(" ");
    if (!playing) say(strange.length ? `The text that it reads has no ${few}: left out.` : "");
    for (const { text, told } of results.write ?? []) {
        field("given").textContent = told.join("");
        field("text").textContent = Array.from(text.values, (each) => vocabulary[each]).join("");
    }
    if (!results.following) {
        field("given").textContent = "Type a letter that it knows.";
        field("text").textContent = "";
        return;
    }
    const [found] = results.following, { values } = found.shares;
    const shares = values.subarray((found.told.length - 1) * vocabulary.length, found.told.length * vocabulary.length);
    const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, LIKELIEST);
    showShares(order.map((each) => ({ " ": "space", "\n": "new line" })[vocabulary[each]] ?? vocabulary[each]), order.map((each) => shares[each]));
    showLooks(found, found.told);
}

function showTemperature() {
    field("temperature-shown").textContent = temperature().toFixed(2);
    look();
}

field("prompt").maxLength = most;
field("prompt").value = TOLD.lesson.begins;
field("prompt").addEventListener("input", look);
field("temperature").addEventListener("input", showTemperature);
field("temperature-shown").textContent = temperature().toFixed(2);
field("again").addEventListener("click", () => {
    seed += 1n;
    latest = -PATIENCE;
    look();
});
prepareLooks();
parts.push({ calls: askFollowing, show: showFollowing });
