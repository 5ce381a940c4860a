"""The page that the web output shows.

Its script reads the stream itself: a picture in an <img> would stay for ever if bgcam was killed or stopped. It
blanks the picture when no new one has arrived for 500 ms, or for 2.5 frame intervals, up to 2 s; and it
skips pictures that arrived while it was busy.
"""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bgcam</title>
<link rel="icon" href="data:,">
<style>
  html, body { height: 100%; margin: 0; background: #111418; color: #aab3bd; font: 15px/1.4 system-ui, sans-serif; }
  body { display: grid; grid-template-rows: auto 1fr; overflow: hidden; }
  header { padding: 10px 16px; display: flex; align-items: center; gap: 8px; letter-spacing: .02em; }
  header b { color: #f2f5f8; font-weight: 600; }
  header i { width: 8px; height: 8px; border-radius: 50%; background: #3ecf8e; }
  .stopped header i { background: #5b6570; }
  main { min-height: 0; padding: 0 16px 16px; }
  canvas { display: block; width: 100%; height: 100%; object-fit: contain; }
  .stopped canvas { visibility: hidden; }
</style>
<body class="stopped">
<header><i></i><b>bgcam</b><span id="state">waiting for a picture</span></header>
<noscript>The picture needs JavaScript.</noscript>
<main><canvas id="picture" role="img" aria-label="the live picture"></canvas></main>
<script>
  const picture = document.getElementById("picture"), state = document.getElementById("state");
  const context = picture.getContext("2d");
  const say = (text, stopped) => { state.textContent = text; document.body.classList.toggle("stopped", stopped); };
  // When the newest picture arrived, how long after the previous one, and whether it may be shown; in ms.
  let cameAt = 0, between = 0, fresh = false;
  const patience = () => Math.min(2000, Math.max(500, 2.5 * between));
  const blank = (why) => {
    [fresh, newest] = [false, null];
    say(why, true);
    context.clearRect(0, 0, picture.width, picture.height);
  };
  const look = () => { if (fresh && performance.now() - cameAt > patience()) blank("no new picture"); };
  setInterval(look, 50);
  document.addEventListener("visibilitychange", look);  // a hidden page's timers are slow

  // The newest picture, until it is drawn. The stream is read on meanwhile, or old ones would wait in it.
  let newest = null, drawing = false;
  async function draw() {
    if (drawing) return;
    drawing = true;
    while (newest) {
      const jpeg = newest;
      newest = null;
      const bitmap = await createImageBitmap(new Blob([jpeg], {type: "image/jpeg"})).catch(() => null);
      if (!bitmap || !fresh) continue;  // blanked while it was decoded
      if (picture.width !== bitmap.width || picture.height !== bitmap.height) {
        [picture.width, picture.height] = [bitmap.width, bitmap.height];
      }
      context.drawImage(bitmap, 0, 0);
      bitmap.close();
      say("live", false);
    }
    drawing = false;
  }

  // Takes the whole pictures from the front of the bytes: gives the last one, and what is left.
  function split(bytes) {
    let last = null;
    for (;;) {
      const head = new TextDecoder("latin1").decode(bytes.subarray(0, 300));
      const found = head.match(/Content-Length: ([0-9]+)\\r\\n\\r\\n/i);
      const end = found && found.index + found[0].length + Number(found[1]);
      if (!found || bytes.length < end) return [last, bytes];
      last = bytes.slice(end - Number(found[1]), end);
      bytes = bytes.subarray(end);
    }
  }

  async function watch() {
    const answer = await fetch("stream", {cache: "no-store"});
    if (!answer.ok) return (await answer.text()).trim();
    const reader = answer.body.getReader();
    let left = new Uint8Array(0), last = null;
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return "stopped";
      const bytes = new Uint8Array(left.length + value.length);
      bytes.set(left);
      bytes.set(value, left.length);
      [last, left] = split(bytes);
      if (!last) continue;
      const now = performance.now();
      between = now - cameAt < 2000 ? now - cameAt : 0;
      [cameAt, fresh, newest] = [now, true, last];
      draw();
    }
  }

  const again = "when bgcam runs again, open the address that it prints";
  (async () => {
    for (;;) {
      const why = await watch().catch(() => "stopped");
      blank(why === "stopped" ? `stopped; ${again}` : why);
      await new Promise((go) => setTimeout(go, 2000));
    }
  })();
</script>
"""
