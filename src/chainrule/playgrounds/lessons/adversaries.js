// The page of two networks against each other: points of the one, and what the other takes for real.
const places = Float32Array.from(TOLD.lesson.places);
let seed = 1n;

nameColours();
field("again").addEventListener("click", () => {
    seed += 1n;
    look();
});
parts.push({
    calls: () => [{ name: "made", inputs: { seed: BigInt64Array.of(seed) } }, { name: "judged", inputs: { places, ...paints() } }],
    show({ results }) {
        const { values } = results.made[0].points, made = [];
        for (let i = 0; i < values.length; i += 2) made.push([values[i], values[i + 1], 0]);
        showPlane(results.judged[0].painted.values, [...TOLD.lesson.points, ...made]);
    },
});
