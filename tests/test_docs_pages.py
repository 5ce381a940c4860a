"""The documentation can be read: each question has a short page, and each page is near the README and in the menu."""

from __future__ import annotations

import re

import pytest
from doc_pages import HOME, ROOT, links, pages, question_pages, spans, words

from bgcam.realtime.command.doctor.checks import CHECKS
from bgcam.realtime.control.requests import REQUESTS

HOME_WORDS = 900
PAGE_WORDS = 600
CLICKS = 2
QUESTIONS = (
    "install",
    "in-a-call",
    "control",
    "picture",
    "files",
    "gpu",
    "privacy",
    "doctor",
    "python",
    "training",
    "troubleshooting",
    "uninstall",
)


def test_every_question_has_its_page() -> None:
    assert {f"docs/{name}.md" for name in QUESTIONS} <= set(question_pages())


@pytest.mark.parametrize("page", question_pages())
def test_a_page_is_short(page: str) -> None:
    advice = "move what few need to docs/reference/, and what proves it to docs/evidence/"
    assert words(page) <= PAGE_WORDS, f"{page} has {words(page)} words, over {PAGE_WORDS}; {advice}"


def test_the_readme_is_read_in_a_minute_or_two() -> None:
    assert words(HOME) <= HOME_WORDS


def test_the_readmes_first_lines_have_both_commands() -> None:
    begin = (ROOT / HOME).read_text(encoding="utf-8").splitlines()[:12]
    assert any(line.startswith("make run") for line in begin)
    assert any(line.startswith("make test") for line in begin)


def test_every_page_is_two_clicks_away() -> None:
    near = {HOME}
    for _ in range(CLICKS):
        near |= {target for page in near if page.endswith(".md") for target in links(page)}
    far = sorted(set(pages()) - near)
    assert far == [], "link them from the README, or from a page that it links to"


@pytest.mark.parametrize("page", pages())
def test_its_links_lead_to_files(page: str) -> None:
    assert [target for target in links(page) if not (ROOT / target).exists()] == []


def test_the_menu_has_every_question_before_references_and_evidence() -> None:
    menu = re.findall(r"^ +- (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    listed = {f"docs/{name}" for name in menu}
    assert {page for page in pages() if page.startswith("docs/")} <= listed
    folders = [name.partition("/")[0] if "/" in name else "" for name in menu]
    assert folders.index("reference") > max(menu.index(f"{name}.md") for name in QUESTIONS)


@pytest.mark.parametrize("page", pages())
def test_it_names_files_that_are_there(page: str) -> None:
    named = [span for span in spans(page) if re.fullmatch(r"(docs|tests|realtime|benchmarks|train)/[\w./]+", span)]
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


TABLES = {"docs/reference/socket.md": [*REQUESTS], "docs/doctor.md": [*CHECKS]}


@pytest.mark.parametrize("page", TABLES)
def test_its_table_has_all_that_there_is(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert re.findall(r"^\| `?([a-z_ ]+)`? \|", text, re.MULTILINE) == TABLES[page]
