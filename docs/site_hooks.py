"""Hooks of mkdocs.yml: pages that lie outside docs/ become pages of the site, and links to source files plain text."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# File in the repository -> page of the site. What is in docs/ is a page already.
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "realtime/assets/CREDITS.md": "credits.md",
    "models/README.md": "model.md",
    "train/RESULTS.md": "train-results.md",
    "benchmarks/RESULTS.md": "benchmark-results.md",
}
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/."""
    for path, uri in OUTSIDE.items():
        files.append(File.generated(config, uri, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links between files of the repository at pages of the site."""
    uri = page.file.src_uri
    path = next((path for path, made in OUTSIDE.items() if made == uri), f"docs/{uri}")
    return _LINK.sub(lambda link: _on_site(link, path, posixpath.dirname(uri)), markdown)


def _on_site(link: re.Match[str], path: str, folder: str) -> str:
    """The link as the site's page in `folder` has it; `path` is that page's file in the repository."""
    begin, target, anchor = link[1], link[2], link[3] or ""
    if "://" in target or target.startswith("mailto:"):
        return link[0]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if not (ROOT / place).exists():
        return link[0]  # mkdocs reports it
    if place in OUTSIDE or place.startswith("docs/"):
        on_site = OUTSIDE.get(place) or place.removeprefix("docs/")
        return f"{begin}{posixpath.relpath(on_site, folder or '.')}{anchor})"
    return begin[begin.index("[") + 1 : -2]  # a source file: the site has no copy of it
