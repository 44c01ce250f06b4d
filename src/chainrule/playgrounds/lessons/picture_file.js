// A picture in a file from anywhere: how large it is, is asked before anything decodes it.
let reading = 0;  // files that have been given
const MOST_FILE = 10_000_000, MOST_PIXELS = 50_000_000;  // bytes, and what they may become

// Width and height that a PNG, GIF or JPEG says it has; null of anything else.
function sizeIn(bytes) {
    const view = new DataView(bytes);
    if (bytes.byteLength < 24) return null;
    if (view.getUint32(0) === 0x89504e47) return [view.getUint32(16), view.getUint32(20)];
    if (view.getUint32(0) === 0x47494638) return [view.getUint16(6, true), view.getUint16(8, true)];
    return view.getUint16(0) === 0xffd8 ? sizeInFrame(view) : null;
}

// A JPEG is a row of segments; the one whose mark is C0 to CF begins the frame, but for C4, C8 and CC.
function sizeInFrame(view) {
    for (let at = 2; at + 9 <= view.byteLength; at += 2 + view.getUint16(at + 2)) {
        const mark = view.getUint16(at) - 0xffc0;
        if (mark < 0) return null;
        if (mark < 16 && ![4, 8, 12].includes(mark)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    }
    return null;
}

// The middle of the picture, scaled by the browser to the size that the model takes.
async function readFile(file) {
    const number = ++reading;
    if (file.size > MOST_FILE) return say("The file is too large: 10 MB are the most.");
    const size = sizeIn(await file.arrayBuffer());
    if (!size) return say("This is no picture: PNG, JPEG and GIF are known.");
    if (size[0] * size[1] > MOST_PIXELS) return say("The picture is too large: 50 million pixels are the most.");
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (number !== reading) return bitmap?.close();  // another was given while this one was read
    if (!bitmap) return say("The browser cannot read this picture.");
    const { width, height } = bitmap;
    const scale = Math.min(width / wide, height / tall), [w, h] = [scale * wide, scale * tall];
    const context = new OffscreenCanvas(wide, tall).getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h, 0, 0, wide, tall);
    bitmap.close();
    pixels = new Uint8Array(context.getImageData(0, 0, wide, tall).data);
    say("");
    look();
}

function readFirst(files) {
    if (files.length > 0) readFile(files[0]);
}

function prepareDrop(place) {
    const drop = (name, does) => place.addEventListener(name, (event) => {
        event.preventDefault();
        field("drawn").classList.toggle("over", name === "dragover");
        does?.(event);
    });
    drop("dragover");
    drop("dragleave");
    drop("drop", (event) => readFirst(event.dataTransfer.files));
    field("file").addEventListener("change", () => readFirst(field("file").files));
}
