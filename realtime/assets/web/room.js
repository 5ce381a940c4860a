// The empty room, which bgcam learns while nobody is in the picture: asking for it, and what became of that.

import {post} from "./api.js";
import {byId, say, toast} from "./dom.js";

const TEXTS = {
  off: "Not learnt in this run.",
  unknown: "Not learnt yet.",
  learning: "Step out of the picture until it is learnt.",
  known: "Learnt. It stays in bgcam's memory.",
  unused: "Learnt, but it does not fit now.",
};

let shown = {};

/** What a status says of the room: its state, and why it could not be learnt when that was asked for last. */
export function showRoom(room) {
  shown = room ?? {};
  const learning = shown.state === "learning";
  say(byId("room-text"), !learning && shown.failed || TEXTS[shown.state] || "");
  byId("learn-room").disabled = learning;
  byId("forget-room").hidden = !["known", "unused"].includes(shown.state);
}

async function ask(forget) {
  try {
    showRoom((await post("learn_room", {forget})).room);
  } catch (error) {
    toast(error.message);
  }
}

export function startRoom() {
  byId("learn-room").addEventListener("click", () => ask(false));
  byId("forget-room").addEventListener("click", () => ask(true));
}
