// The page of a model that writes: what is typed is checked, and the worker goes on from it.
const { vocabulary, pairs, length, most } = TOLD.lesson, LIKELIEST = 8, PATIENCE = 1500;
const code = pairs ? new PairTokens(pairs) : new CharacterTokens(vocabulary);
let seed = 1n, latest = -PATIENCE;

// The tokens of what is typed, and the letters that the model does not know.
function typed() {
    const { known, strange } = code.encode(Array.from(field("prompt").value).slice(0, most).join(""));
    return { known: known.slice(0, most), strange };
}

// What a token is called where it stands alone.
function nameOf(token) {
    const text = code.decode([token]);
    return { " ": "space", "\n": "new line" }[text] ?? text.replaceAll(" ", "␣").replaceAll("\n", "⏎");
}

function temperature() {
    const given = field("temperature").valueAsNumber;
    return given >= 0.1 && given <= 2 ? given : 1;
}

function askFollowing() {
    const { known } = typed();
    if (known.length === 0) return [];
    const read = known.slice(-length), x = new Int32Array(length), heat = Float32Array.of(temperature());
    x.set(read);
    const calls = [{ name: "following", inputs: { x, temperature: heat }, told: read }];
    if (playing && performance.now() - latest < PATIENCE) return calls;
    latest = performance.now();
    return [...calls, { name: "write", inputs: { prompt: Int32Array.from(known), temperature: heat, seed: BigInt64Array.of(seed) }, told: known }];
}

function showFollowing({ results }) {
    const { strange } = typed();
    const few = [...new Set(strange)].slice(0, 10).join(" ");
    if (!playing) say(strange.length ? `The text that it reads has no ${few}: left out.` : "");
    for (const { text, told } of results.write ?? []) {
        field("given").textContent = code.decode(told);
        field("text").textContent = code.decode(text.values);
    }
    if (!results.following) {
        field("given").textContent = pairs ? "Type something." : "Type a letter that it knows.";
        field("text").textContent = "";
        return;
    }
    const [found] = results.following, { values } = found.shares;
    const shares = values.subarray((found.told.length - 1) * code.size, found.told.length * code.size);
    const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, LIKELIEST);
    showShares(order.map(nameOf), order.map((each) => shares[each]));
    showLooks(found, found.told.map(nameOf));
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
