// Requests to the running bgcam. The key is in this page's address; what changes something sends it in a header too.

const KEY = location.pathname.split("/")[1];
const LOOK_MS = 3000, CHANGE_MS = 20000, UPLOAD_MS = 600000;

/** An error that bgcam has given: its kind, such as "UsageError", and one line for the user. */
export class Refused extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** bgcam cannot be reached. */
export class Gone extends Error {}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, {cache: "no-store", ...options});
  } catch {
    throw new Gone("bgcam does not answer");
  }
  const text = await answer.text().catch(() => "");
  let found = null;
  try {
    found = JSON.parse(text);
  } catch { /* a refusal of the server's is plain text */ }
  if (answer.ok && found) return found;
  if (found && found.error) throw new Refused(found.error.kind, found.error.message);
  throw new Refused(String(answer.status), text.trim() || `the answer was ${answer.status}`);
}

export const get = (name) => ask(`api/${name}`, {signal: AbortSignal.timeout(LOOK_MS)});

export const post = (name, details = {}) => ask(`api/${name}`, {
  method: "POST",
  headers: {"Content-Type": "application/json", "X-Bgcam-Key": KEY},
  body: JSON.stringify(details),
  signal: AbortSignal.timeout(CHANGE_MS),
});

export const upload = (file) => ask(`api/upload?name=${encodeURIComponent(file.name)}`, {
  method: "POST",
  headers: {"Content-Type": "application/octet-stream", "X-Bgcam-Key": KEY},
  body: file,
  signal: AbortSignal.timeout(UPLOAD_MS),
});

export const thumbnail = (spec) => `api/thumbnail?spec=${encodeURIComponent(spec)}`;
