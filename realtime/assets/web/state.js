// What bgcam is doing, in words, shape and colour; and the panic switch.

import {post} from "./api.js";
import {isAsking} from "./dialogs.js";
import {byId, element, say, toast} from "./dom.js";
import {showRoom} from "./room.js";

const STATES = {
  live: ["LIVE", "You are shown."],
  room: ["ROOM VISIBLE", "Others see what is really behind you."],
  placeholder: ["BACKGROUND ONLY", "Something failed: you are not shown."],
  panic: ["PANIC", "You are hidden. Only the background is shown."],
  starting: ["STARTING", "Waiting for the first picture."],
  waiting: ["WAITING", "Nobody is watching; the camera is off."],
  unknown: ["NO ANSWER", "bgcam is not answering."],
  stopped: ["STOPPED", "bgcam is not running."],
};

const number = (value, digits, unit) => value === null || value === undefined ? "–" : `${value.toFixed(digits)}${unit}`;

const time = (seconds) => new Date(seconds * 1000).toLocaleString([], {dateStyle: "medium", timeStyle: "short"});

const ABOUT = [
  ["Camera or input", (status) => status.source],
  ["Outputs", (status) => status.outputs.join(", ")],
  ["Model", (status) => `${status.model} on ${status.backend}`],
  ["Frames", (status) => `${status.frames}, ${status.dropped} dropped`],
  ["Version", (status) => `${status.version}, process ${status.pid}, since ${time(status.since_s)}`],
];

/** Show a state of STATES. */
export function showState(name) {
  const [word, text] = STATES[name] || STATES.placeholder;
  document.body.dataset.state = name;
  document.title = `${word} – bgcam`;
  say(byId("state-word"), word);
  say(byId("state-text"), text);
}

/** Those of a status; a dash for each that it lacks. */
export function showNumbers({fps, latency_ms: latencyMs, cpu_percent: cpuPercent}) {
  say(byId("fps"), number(fps, 1, ""));
  say(byId("latency"), number(latencyMs, 0, " ms"));
  say(byId("cpu"), number(cpuPercent, 0, " %"));
}

/** Whether the outputs show the real room: as the background, or in a picture of all layers. */
const showsRoom = (values) => /^none$/i.test(values.background) || values.view === "side-by-side";

export function showStatus(status, values) {
  showState(status.state === "live" && showsRoom(values) ? "room" : status.state);
  // While a press is on its way, the switch shows what was asked for.
  if (!pressing) showPanic(status.state === "panic");
  showNumbers(status);
  say(byId("notice"), status.notice || "none");
  showRoom(status.room);
  const about = byId("about");
  if (!about.children.length) {
    for (const [name] of ABOUT) about.append(element("dt", {}, name), element("dd"));
  }
  ABOUT.forEach(([, text], index) => say(about.children[2 * index + 1], text(status)));
}

let on = false, pressing = 0;

function showPanic(value) {
  on = value;
  byId("panic").setAttribute("aria-pressed", String(on));
  say(byId("panic-text"), on ? "You are hidden: press to show yourself again" : "Hide me: show only the background");
}

async function press() {
  showPanic(!on);
  pressing += 1;
  try {
    await post("panic", {on});
  } catch (error) {
    showPanic(!on);
    toast(`Panic did not work: ${error.message}`);
  } finally {
    pressing -= 1;
  }
}

const TYPING = "input:not([type=range]):not([type=checkbox]):not([type=radio]), select, textarea";

export function startPanic() {
  byId("panic").addEventListener("click", press);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "p" || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.matches?.(TYPING)) return;
    // A question on the screen must not keep the picture on.
    if (isAsking()) byId("dialog").close("no");
    event.preventDefault();
    press();
  });
}
