// The live preview: a stream of JPEGs, read by hand so that no old picture stays when bgcam has stopped.

import {byId} from "./dom.js";

const PATIENCE_MS = 2500;
const AGAIN_MS = 1000;
const canvas = byId("preview"), context = canvas.getContext("2d");

let reading = null;  // stops the stream
let view = "composite", cameAt = 0, newest = null, drawing = false, shown = false;

/** Show no picture, and say why. */
export function blank(why) {
  newest = null;
  shown = false;
  context.clearRect(0, 0, canvas.width, canvas.height);
  byId("no-preview").textContent = why;
  byId("no-preview").hidden = false;
}

async function draw() {
  if (drawing) return;
  drawing = true;
  while (newest) {
    const jpeg = newest;
    newest = null;
    const bitmap = await createImageBitmap(new Blob([jpeg], {type: "image/jpeg"})).catch(() => null);
    if (!bitmap || !reading) continue;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    }
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    if (!shown) byId("no-preview").hidden = shown = true;
  }
  drawing = false;
}

// The whole pictures at the front of the bytes: the last one, and what is left.
function split(bytes) {
  let last = null;
  for (;;) {
    const head = new TextDecoder("latin1").decode(bytes.subarray(0, 300));
    const found = head.match(/Content-Length: ([0-9]+)\r\n\r\n/i);
    const end = found && found.index + found[0].length + Number(found[1]);
    if (!found || bytes.length < end) return [last, bytes];
    last = bytes.slice(end - Number(found[1]), end);
    bytes = bytes.subarray(end);
  }
}

async function read(signal) {
  const answer = await fetch(`api/preview?view=${view}`, {cache: "no-store", signal});
  if (!answer.ok) {
    const found = await answer.json().catch(() => null);
    throw new Error(found?.error?.message || "No picture");
  }
  const reader = answer.body.getReader();
  let left = new Uint8Array(0), last = null;
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    const bytes = new Uint8Array(left.length + value.length);
    bytes.set(left);
    bytes.set(value, left.length);
    [last, left] = split(bytes);
    if (!last) continue;
    [cameAt, newest] = [performance.now(), last];
    draw();
  }
}

async function watch(mine) {
  while (!mine.signal.aborted) {
    let why = "No picture";
    await read(mine.signal).catch((error) => { if (!(error instanceof TypeError)) why = error.message; });
    if (mine.signal.aborted) return;
    blank(why);
    await new Promise((go) => setTimeout(go, AGAIN_MS));
  }
}

/** Begin to watch, unless this page is hidden; ends what was watched before. */
export function startPreview(chosen = view) {
  stopPreview("Waiting for a picture");
  view = chosen;
  if (document.hidden) return;
  reading = new AbortController();
  cameAt = performance.now();
  watch(reading);
}

export function stopPreview(why) {
  reading?.abort();
  reading = null;
  blank(why);
}

/** Once, at the start. */
export function followVisibility() {
  // A browser opens only a few connections to one address: hidden pages must not use them up.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stopPreview("Paused while this page is hidden");
    else startPreview();
  });
  setInterval(() => { if (shown && performance.now() - cameAt > PATIENCE_MS) blank("No new picture"); }, 250);
}
