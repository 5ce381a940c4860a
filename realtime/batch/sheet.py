"""The contact sheet: one HTML file with the least sure frames of each output, for a person to look through.

It shows what the outputs show, and nothing of the room where they do not. It needs no other file and no network.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

from bgcam.realtime.batch.ledger import Record
from bgcam.realtime.batch.unsure import THUMB_HEIGHT_PX
from bgcam.realtime.run.status import as_clock

SHEET = "bgcam-sheet.html"
# A browser can still show this many at once; the surer ones are left out.
MOST_OUTPUTS = 2000

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>bgcam batch</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 14px system-ui, sans-serif; margin: 1rem auto; max-width: 100rem; padding: 0 1rem;
  background: #181818; color: #ddd }}
section {{ border-top: 1px solid #444; padding: .4rem 0 }}
h1 {{ font-size: 1.2rem }} h2 {{ font-size: 1rem; margin: 0 }} p {{ margin: .2rem 0; color: #aaa }}
img {{ display: block; max-width: 100%; height: {height}px; object-fit: contain; object-position: left }}
.look {{ color: #fb8 }}
</style>
<h1>{title}</h1>
<p>Each row has an output's least sure frames, the worst first: where the matte is neither person nor room away from the
edge (unsure), or contradicts what is known of the room (flips), as shares of the picture.</p>
{rows}
"""


def sheet(records: Mapping[str, Record], strips: Mapping[str, bytes], *, title: str) -> bytes:
    """The page. records, strips: by ident; see `Ledger`. Those to look at come first."""
    rows = [_row(record, strips.get(ident)) for ident, record in least_sure_first(records)]
    return _PAGE.format(title=html.escape(title), rows="\n".join(rows), height=THUMB_HEIGHT_PX).encode()


def least_sure_first(records: Mapping[str, Record]) -> Sequence[tuple[str, Record]]:
    """At most MOST_OUTPUTS: those with frames that show the background alone, then by their worst frame."""

    def order(item: tuple[str, Record]) -> tuple[int, float, str]:
        record = item[1]
        score = max((frame.score for frame in record.least_sure), default=0.0)
        return -record.background_only, -score, record.output

    return sorted(records.items(), key=order)[:MOST_OUTPUTS]


def _row(record: Record, strip: bytes | None) -> str:
    facts = [f"{record.frames} frames" if record.frames > 1 else ""]
    if record.nobody:
        facts.append(f"nobody found in {record.nobody}")
    frames = [
        f"{as_clock(one.time_s) if record.frames > 1 else 'picture'}: {one.unsure:.2%} unsure, {one.flips:.2%} flips"
        for one in record.least_sure
    ]
    look = ""
    if record.background_only:
        said = f"{record.background_only} frames show the background alone: {record.why}"
        look = f'<p class="look">{html.escape(said)}</p>'
    picture = ""
    if strip:
        data = base64.b64encode(strip).decode("ascii")
        picture = f'<img loading="lazy" alt="" src="data:image/jpeg;base64,{data}">'
    about = html.escape(" · ".join(filter(None, [*facts, *frames])))
    return f"<section><h2>{html.escape(record.output)}</h2>{look}<p>{about}</p>{picture}</section>"
