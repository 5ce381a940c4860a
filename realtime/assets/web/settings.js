// Controls for settings, made from what bgcam says of each: its kind, range, choices and help.

import {edgeParts, edgeTexts, positionText} from "./edge.js";
import {byId, element, say} from "./dom.js";

// These come first and have names of their own; all other hot settings are below "More settings".
const LOOK = {
  edge: "Edge",
  light_wrap: "Light wrap",
  light_match: "Light match",
  mirror: "Mirror me",
  mirror_person: "Mirror me",
  mirror_background: "Mirror the background",
  frame: "Framing",
  presenter: "Presenter",
  presenter_size: "Presenter size",
};
const OTHER_TITLES = {view: "Outputs show", key: "Real screen behind me", key_colour: "Colour for “transparent”"};
const ELSEWHERE = ["background", "blur"];
const SLIDER_STEPS = 100;  // a range with more of them is a field for a number
const DELAY_MS = 150;

const plain = (name) => (name[0].toUpperCase() + name.slice(1)).replaceAll("_", " ").replace(/ m?s$/, "");
const titleOf = (info) => LOOK[info.name] || OTHER_TITLES[info.name] || plain(info.name);

// Name: shows a value in its control. A control that the user is using keeps its own.
const shows = new Map();
let change = async () => {};
let serial = 0;

function row(title, help, control, value = null) {
  control.id = `setting-${serial += 1}`;
  const parts = [element("label", {for: control.id}, title), control];
  if (value) parts.push(value);
  if (help) {
    const text = element("p", {class: "help", id: `${control.id}-help`}, help);
    control.setAttribute("aria-describedby", text.id);
    parts.push(text);
  }
  return element("div", {class: "row"}, ...parts);
}

/** Call at most once in DELAY_MS, and always with the last value. */
function calmly(action) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), DELAY_MS);
  };
}

const isUsed = (control) => document.activeElement === control && control.dataset.using === "yes";

function track(control) {
  control.addEventListener("input", () => { control.dataset.using = "yes"; });
  const done = () => setTimeout(() => { control.dataset.using = "no"; }, 4 * DELAY_MS);
  control.addEventListener("change", done);
  control.addEventListener("blur", () => { control.dataset.using = "no"; });
}

/** A slider with its value beside it: [row, show]. text: what is said of a value. */
export function slider({title, help = "", minimum, maximum, step, text = String}, onValue) {
  const control = element("input", {type: "range", min: minimum, max: maximum, step});
  const value = element("output");
  const label = () => {
    const words = text(Number(control.value));
    say(value, words);
    control.setAttribute("aria-valuetext", words);
  };
  const send = calmly(onValue);
  control.addEventListener("input", () => {
    label();
    send(Number(control.value));
  });
  track(control);
  const made = row(title, help, control, value);
  made.classList.add("slider");
  value.setAttribute("for", control.id);
  const show = (found) => {
    if (!isUsed(control)) control.value = found;
    label();
  };
  return [made, show];
}

function switchOf(info) {
  const control = element("input", {type: "checkbox", role: "switch"});
  control.addEventListener("change", () => change({[info.name]: control.checked}));
  const made = row(titleOf(info), info.help, control);
  made.classList.add("switch");
  return [made, (found) => { control.checked = found === true; }];
}

function choiceOf(info) {
  const choice = (one) => element("option", {value: one}, plain(one));
  const control = element("select", {}, ...info.choices.map(choice));
  control.addEventListener("change", () => change({[info.name]: control.value}));
  const show = (found) => {
    // Some settings take other values too, which only a command can give.
    const known = found === null || [...control.options].some((one) => one.value === found);
    if (!known) control.append(choice(found));
    control.value = found;
  };
  return [row(titleOf(info), info.help, control), show];
}

function stepOf({minimum, maximum, default: usual}) {
  if (maximum - minimum <= 5) return 0.1;
  return Number.isInteger(usual) && maximum - minimum > 20 ? 1 : 0.5;
}

function numberOf(info) {
  const {minimum, maximum} = info;
  const step = stepOf(info);
  const unit = info.unit ? ` ${info.unit}` : "";
  if (minimum !== null && maximum !== null && (maximum - minimum) / step <= SLIDER_STEPS) {
    const text = (value) => `${value}${unit}`;
    return slider({title: titleOf(info), help: info.help, minimum, maximum, step, text},
      (value) => change({[info.name]: value}));
  }
  const control = element("input", {type: "number", min: minimum, max: maximum, step: "any", inputmode: "decimal"});
  control.addEventListener("change", () => {
    if (control.value !== "") change({[info.name]: Number(control.value)});
  });
  track(control);
  const title = info.unit ? `${titleOf(info)} (${info.unit})` : titleOf(info);
  return [row(title, info.help, control), (found) => { if (!isUsed(control)) control.value = found ?? ""; }];
}

function textOf(info) {
  const isList = info.kind === "texts";
  const control = element("input", {type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off"});
  control.addEventListener("change", () => {
    const parts = control.value.split(",").map((part) => part.trim()).filter(Boolean);
    change({[info.name]: isList ? parts : control.value.trim()});
  });
  track(control);
  const show = (found) => {
    if (!isUsed(control)) control.value = isList ? (found || []).join(", ") : found ?? "";
  };
  return [row(titleOf(info), info.help, control), show];
}

function edgeOf(info) {
  const now = {position: 0, sharp: 0};
  const send = () => change({edge: edgeTexts(now)});
  const [position, showPosition] = slider(
    {title: "Edge", help: "Move the person's outline in or out.", minimum: -5, maximum: 5, step: 0.5, text: positionText},
    (value) => { now.position = value; return send(); });
  const [sharp, showSharp] = slider(
    {title: "Sharper edge", minimum: 0, maximum: 5, step: 0.5},
    (value) => { now.sharp = value; return send(); });
  const show = (found) => {
    Object.assign(now, edgeParts(found));
    showPosition(now.position);
    showSharp(now.sharp);
  };
  return [element("div", {class: "settings", role: "group", "aria-label": info.help}, position, sharp), show];
}

const KINDS = {switch: switchOf, number: numberOf, text: textOf, texts: textOf};

function controlOf(info) {
  if (info.name === "edge" && info.kind === "texts") return edgeOf(info);
  if (info.choices.length && info.kind === "text") return choiceOf(info);
  return KINDS[info.kind](info);
}

/** Make the controls, once. changeByUser: is called with values, and gives a promise. */
export function startSettings(settings, changeByUser) {
  change = changeByUser;
  const hot = settings.filter((info) => info.hot && !ELSEWHERE.includes(info.name));
  const first = Object.keys(LOOK);
  const order = (info) => first.indexOf(info.name);
  const look = hot.filter((info) => info.name in LOOK).sort((one, other) => order(one) - order(other));
  const others = hot.filter((info) => !(info.name in LOOK));
  for (const [target, chosen] of [["look", look], ["others", others]]) {
    for (const info of chosen) {
      const [made, show] = controlOf(info);
      shows.set(info.name, show);
      byId(target).append(made);
    }
  }
  byId("more").hidden = !others.length;
}

export function showSettings(values) {
  for (const [name, show] of shows) show(values[name]);
}
