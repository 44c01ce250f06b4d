"use strict";
// Beside a page: does what it is asked for.
onmessage = ({ data: request }) => ACTIONS[request.kind](request);

function bytesOfText(text) {
    return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
}
