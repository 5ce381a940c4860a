"""The pages of the documentation, read as Markdown: their code, their links, their words."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

import bgcam

ROOT = Path(bgcam.__file__).resolve().parent
HOME = "README.md"


@dataclass(frozen=True)
class Block:
    """A block of code. page: its file, from the root. line: of its fence, from 1. language: "" if none is named."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """README, CONTRIBUTING and all of docs/."""
    inside = sorted((ROOT / "docs").rglob("*.md"))
    return [HOME, "CONTRIBUTING.md", *(path.relative_to(ROOT).as_posix() for path in inside)]


def question_pages() -> list[str]:
    """Those that answer one question each: docs/, but for what the programs write and what is in its folders."""
    return [page for page in pages() if re.fullmatch(r"docs/[^/]+\.md", page) and page != "docs/api.md"]


@cache
def _tokens(page: str) -> list[Token]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return MarkdownIt("commonmark").enable("table").parse(text)


def _inline(page: str) -> Iterator[Token]:
    for token in _tokens(page):
        yield from token.children or ()


def blocks(page: str) -> list[Block]:
    """Its blocks of code, in order, also those within lists."""
    fences = (token for token in _tokens(page) if token.type in ("fence", "code_block"))
    return [Block(page, (token.map or [0])[0] + 1, token.info.strip(), token.content) for token in fences]


def spans(page: str) -> list[str]:
    """Its pieces of code within text and tables."""
    return [token.content for token in _inline(page) if token.type == "code_inline"]


def links(page: str) -> set[str]:
    """The files of the repository that it links to, from the root."""
    targets = (str(token.attrs["href"]) for token in _inline(page) if token.type == "link_open")
    own = (target.partition("#")[0] for target in targets if "://" not in target and not target.startswith("mailto:"))
    return {posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) for target in own if target}


def words(page: str) -> int:
    """How many words a reader meets: text, tables and code; not marks, nor the addresses of links."""
    read = [token.content for token in _inline(page) if token.type in ("text", "code_inline")]
    read += [block.text for block in blocks(page)]
    return sum(any(map(str.isalnum, word)) for text in read for word in text.split())
