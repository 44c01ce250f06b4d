"use strict";
// Beside a page: does what it is asked for, one thing after the other, even where one has to wait.
let before = Promise.resolve();
onmessage = ({ data: request }) => {
    before = before.then(() => ACTIONS[request.kind](request)).catch((error) => {
        setTimeout(() => { throw error; });  // the page hears of it
    });
};

function bytesOfText(text) {
    return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
}
