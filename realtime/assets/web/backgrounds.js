// The backgrounds as a group of radio buttons with pictures, and new ones by drag and drop or a file button.

import {get, thumbnail, upload} from "./api.js";
import {byId, element, say, toast} from "./dom.js";

const MAX_BYTES = 200e6;
const group = byId("backgrounds");
const SECTIONS = [
  ["Blur and colours", ["blur", "colour"]],
  ["Pictures", ["shipped"]],
  ["Yours", ["yours", "slides"]],
  ["Other cameras", ["camera"]],
  ["Nothing hidden", ["room"]],
];

let chosen = "", choose = () => {};

// "blur:7" is the card "blur"; a card's own spec goes first.
function cardOf(spec) {
  const cards = [...group.querySelectorAll("[role=radio]")];
  const word = spec.split(":")[0].toLowerCase();
  return cards.find((card) => card.dataset.spec === spec)
    || (word === "blur" ? cards.find((card) => card.dataset.kind === "blur") : undefined);
}

function makeCard(background) {
  // Of the room there is no thumbnail: a page that is open in a shared window must not show it; nor of another camera,
  // which would be switched on for it.
  const instead = {room: "real room", camera: "live"}[background.kind];
  const picture = instead ? element("span", {class: "picture"}, instead)
    : element("img", {class: "picture", src: thumbnail(background.spec), alt: "", width: 160, height: 90, loading: "lazy"});
  picture.addEventListener("error", () => picture.classList.add("broken"));
  const title = background.kind === "slides" ? `${background.name} (slides)` : background.name;
  const name = element("span", {class: "name"}, title);
  const card = element("button", {
    type: "button", role: "radio", "aria-checked": "false", tabindex: "-1", class: `card ${background.kind}`,
    title: background.credit ? `${background.name}, ${background.credit}` : background.name,
  }, picture, name);
  card.dataset.spec = background.spec;
  card.dataset.kind = background.kind;
  card.addEventListener("click", () => choose(background.spec));
  return card;
}

/** Read the list anew. */
export async function loadBackgrounds() {
  const {backgrounds} = await get("backgrounds");
  const cards = [];
  for (const [title, kinds] of SECTIONS) {
    const own = backgrounds.filter((one) => kinds.includes(one.kind));
    if (!own.length) continue;
    cards.push(element("h3", {}, title), element("div", {class: "grid", role: "presentation"}, ...own.map(makeCard)));
  }
  group.replaceChildren(...cards);
  showBackground(chosen);
}

/** Mark what is shown now. */
export function showBackground(spec) {
  chosen = spec;
  const card = cardOf(spec);
  for (const other of group.querySelectorAll("[role=radio]")) {
    other.setAttribute("aria-checked", String(other === card));
    other.tabIndex = -1;
  }
  const first = card || group.querySelector("[role=radio]");
  if (first) first.tabIndex = 0;
}

const STEPS = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1};

// Arrows move the focus and choose, as in any radio group; but neither the room nor a camera is chosen by moving past.
function move(event) {
  const cards = [...group.querySelectorAll("[role=radio]")];
  const at = cards.indexOf(document.activeElement);
  if (at < 0 || !(event.key in STEPS || event.key === "Home" || event.key === "End")) return;
  event.preventDefault();
  const to = event.key === "Home" ? 0 : event.key === "End" ? cards.length - 1
    : (at + STEPS[event.key] + cards.length) % cards.length;
  for (const card of cards) card.tabIndex = card === cards[to] ? 0 : -1;
  cards[to].focus();
  if (!["room", "camera"].includes(cards[to].dataset.kind)) choose(cards[to].dataset.spec);
}

async function add(files) {
  const report = byId("upload");
  for (const file of files) {
    if (file.size > MAX_BYTES) {
      say(report, `${file.name} is larger than 200 MB; give a smaller one`);
      continue;
    }
    say(report, `Adding ${file.name}…`);
    try {
      const {background} = await upload(file);
      await loadBackgrounds();
      say(report, `${background.name} was added`);
      await choose(background.spec);
    } catch (error) {
      say(report, error.message);
    }
  }
}

function acceptDrops() {
  const area = byId("drop");
  let inside = 0;
  const mark = (change) => {
    inside = Math.max(0, inside + change);
    area.classList.toggle("dropping", inside > 0);
  };
  const hasFiles = (event) => [...event.dataTransfer?.types || []].includes("Files");
  area.addEventListener("dragenter", (event) => { if (hasFiles(event)) mark(1); });
  area.addEventListener("dragleave", (event) => { if (hasFiles(event)) mark(-1); });
  // Anywhere on the page: otherwise the browser would leave it, and show the file.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    mark(0);
    const files = [...event.dataTransfer?.files || []];
    if (files.length) add(files);
  });
}

/** Once, at the start. chosenByUser: is called with a spec, and gives a promise. */
export function startBackgrounds(chosenByUser) {
  choose = chosenByUser;
  group.addEventListener("keydown", move);
  byId("add").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => {
    add([...event.target.files]);
    event.target.value = "";
  });
  acceptDrops();
  return loadBackgrounds().catch((error) => toast(error.message));
}
