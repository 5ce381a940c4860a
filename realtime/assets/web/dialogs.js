// Questions that need an explicit answer.

import {byId} from "./dom.js";

/** Ask; gives true for yes alone. "No" has the focus, so that Enter does nothing. */
export function confirmed(title, text, yes, no = "Cancel") {
  const dialog = byId("dialog");
  byId("dialog-title").textContent = title;
  byId("dialog-text").textContent = text;
  byId("dialog-yes").textContent = yes;
  byId("dialog-no").textContent = no;
  dialog.returnValue = "no";
  byId("dialog-yes").onclick = () => dialog.close("yes");
  byId("dialog-no").onclick = () => dialog.close("no");
  dialog.showModal();
  byId("dialog-no").focus();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), {once: true});
  });
}

export const isAsking = () => byId("dialog").open;
