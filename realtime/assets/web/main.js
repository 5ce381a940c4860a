// The control page: asks bgcam once a second what it does, and sends what the user changes.

import {Gone, Refused, get, post} from "./api.js";
import {showBackground, loadBackgrounds, startBackgrounds} from "./backgrounds.js";
import {confirmed} from "./dialogs.js";
import {byId, toast} from "./dom.js";
import {followVisibility, startPreview, stopPreview} from "./preview.js";
import {startRoom} from "./room.js";
import {showSettings, slider, startSettings} from "./settings.js";
import {showNumbers, showState, showStatus, startPanic} from "./state.js";

const EVERY_MS = 1000, HIDDEN_EVERY_MS = 5000, MISSES = 2, QUIT_MS = 15000;
const BLUR = {least: 1, most: 10, usual: 5};

let values = {}, ended = false, quitAt = -Infinity, showBlur = () => {};

// Blur's strength is a setting of its own, or part of the background's: "blur:7".
let blurSetting = null;

function blurStrength() {
  if (blurSetting) return Number(values[blurSetting] ?? BLUR.usual);
  return Number(String(values.background).split(":")[1]) || BLUR.usual;
}

const isBlurred = () => /^blur(:|$)/i.test(String(values.background ?? ""));

function showValues(found) {
  values = found;
  showBackground(String(values.background ?? ""));
  byId("blur-row").hidden = !isBlurred();
  if (isBlurred()) showBlur(blurStrength());
  showSettings(values);
}

// What is yet to be sent, and the sending of it. One request at a time: a slow change must not be overtaken.
let pending = null, sending = null;

/** Change settings; where it would show the room, ask first. Gives whether the last change was made. */
function change(wanted) {
  pending = {...pending, ...wanted};
  sending ??= sendAll();
  return sending;
}

async function sendAll() {
  let made = false;
  while (pending) {
    const wanted = pending;
    pending = null;
    made = await send(wanted);
  }
  sending = null;
  showValues(values);
  return made;
}

async function send(wanted) {
  try {
    let answer;
    try {
      answer = await post("set", {values: wanted});
    } catch (error) {
      if (!(error instanceof Refused) || error.kind !== "ConfirmationNeeded") throw error;
      const text = "Everyone in the call will see what is really behind you.";
      if (!await confirmed("Show your room?", text, "Show my room", "Keep it hidden")) return false;
      answer = await post("set", {values: wanted, confirm_room: true});
    }
    values = answer.values;
    return true;
  } catch (error) {
    toast(error.message);
    return false;
  }
}

async function step(way) {
  try {
    showValues((await post(way)).values);
  } catch (error) {
    toast(error.message);
  }
}

async function quit() {
  const text = "The picture in the call ends: others see what the call shows without a camera.";
  if (!await confirmed("Quit bgcam?", text, "Quit bgcam")) return;
  try {
    await post("quit");
    quitAt = performance.now();
    stopped();
  } catch (error) {
    toast(error.message);
  }
}

function stopped() {
  ended = true;
  showState("stopped");
  showNumbers({});
  stopPreview("bgcam has stopped");
  byId("stopped").hidden = false;
  for (const part of document.querySelectorAll("main, header button")) part.inert = true;
}

function back() {
  ended = false;
  byId("stopped").hidden = true;
  for (const part of document.querySelectorAll("main, header button")) part.inert = false;
  loadBackgrounds().catch(() => {});
  startPreview();
}

let misses = 0;

async function look() {
  try {
    const found = await get("status");
    misses = 0;
    if (performance.now() - quitAt < QUIT_MS) throw new Gone("it is ending");
    if (ended) back();
    showStatus(found.status, found.values);
    if (!sending) showValues(found.values);
  } catch (error) {
    // A server of another run refuses this page's key: it is not the one that this page is about.
    misses += error instanceof Gone || ended ? 1 : error.kind === "403" ? MISSES : 0;
    if (misses >= MISSES && !ended) stopped();
    else if (misses && !ended) showState("unknown");
  }
  setTimeout(look, document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
}

async function start() {
  startPanic();
  startRoom();
  for (const way of ["next", "previous"]) byId(way).addEventListener("click", () => step(way));
  byId("quit").addEventListener("click", quit);
  byId("preview-view").addEventListener("change", (event) => startPreview(event.target.value));
  followVisibility();
  startPreview();
  const {settings} = await get("settings");
  const blur = settings.find((one) => one.name === "blur" && one.kind === "number" && one.hot);
  blurSetting = blur ? blur.name : null;
  const range = {minimum: blur?.minimum ?? BLUR.least, maximum: blur?.maximum ?? BLUR.most, step: 0.5};
  const [row, show] = slider({title: "Blur strength", ...range},
    (value) => change(blurSetting ? {[blurSetting]: value} : {background: `blur:${value}`}));
  showBlur = show;
  byId("blur-row").replaceWith(Object.assign(row, {id: "blur-row", hidden: true}));
  startSettings(settings, change);
  await startBackgrounds((spec) => change({background: spec}));
  look();
}

start().catch((error) => {
  toast(error.message);
  stopped();
});
