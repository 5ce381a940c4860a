"""Write the manual page from the options: docs/bgcam.1, which a wheel installs.

python docs/make_man.py
"""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

PAGE = Path(__file__).resolve().parent / "bgcam.1"


def page() -> str:
    """The page as groff reads it, the same on every day and terminal."""
    os.environ["COLUMNS"] = "100"
    from argparse_manpage.manpage import Manpage

    from bgcam.realtime.command.options import build_parser

    parser = build_parser()
    parser.man_short_description = "replace what a webcam shows behind a person"  # type: ignore[attr-defined]
    manual = Manpage(parser)
    manual.date, manual.manual = "", "User Commands"
    # "usage: " is cut by its colon, and the second line of ours begins with spaces.
    manual.synopsis = ["bgcam", "[OPTIONS]", "|", "COMMAND", "[OPTIONS]"]
    text, _, notes = str(manual).partition(".SH COMMENTS\nexamples:\n")
    examples, _, codes = notes.partition("exit code: ")
    return f"{text}.SH EXAMPLES\n.nf\n{dedent(examples).strip()}\n.fi\n\n.SH EXIT STATUS\n{_tagged(codes)}"


def _tagged(codes: str) -> str:
    """A paragraph for each exit code, whose line begins with it."""
    lines = [line.strip() for line in codes.strip().splitlines()]
    return "\n".join(f".TP\n.B {line[0]}\n{line[2:]}" if line[:1].isdigit() else line for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
