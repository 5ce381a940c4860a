// Small helpers for the document. Texts only ever become text: nothing is parsed as HTML.

export const byId = (id) => document.getElementById(id);

/** A new element with attributes (those that are false or null are left out) and children: elements and texts. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Set a text if it differs, so that screen readers read only what is new. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

let hiding = 0;

/** Show one line at the lower edge for some seconds. */
export function toast(text) {
  const target = byId("message");
  target.hidden = false;
  target.textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => { target.hidden = true; }, 8000);
}
