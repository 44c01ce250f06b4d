"use strict";
// What the page is told, and the worker beside it, which computes.
const TOLD = JSON.parse(document.getElementById("data").textContent);
const worker = new Worker(URL.createObjectURL(new Blob([TOLD.worker], { type: "text/javascript" })));
