"""The page that the web output shows."""

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
  img { display: block; width: 100%; height: 100%; object-fit: contain; }
  .stopped img { opacity: .25; }
</style>
<header><i></i><b>bgcam</b><span id="state">live</span></header>
<main><img id="picture" src="stream" alt="the live picture"></main>
<script>
  const picture = document.getElementById("picture");
  const state = document.getElementById("state");
  const say = (text, stopped) => { state.textContent = text; document.body.classList.toggle("stopped", stopped); };
  const again = () => { picture.src = "stream?" + Date.now(); };
  picture.onerror = () => { say("no picture; trying again", true); setTimeout(again, 2000); };
  picture.onload = () => say("live", false);
  let gone = false;
  setInterval(async () => {
    try {
      if (!(await fetch("alive", {cache: "no-store"})).ok) throw new Error("another run, with another key");
      if (gone) { gone = false; say("live", false); again(); }
    } catch { gone = true; say("stopped; when bgcam runs again, open the address that it prints", true); }
  }, 2000);
</script>
"""
