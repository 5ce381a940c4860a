"""A composed frame, which outputs take, is made in one file: nothing else can make one of a camera's picture."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bgcam

REALTIME = Path(bgcam.__file__).resolve().parent / "realtime"
MAKER = REALTIME / "picture" / "composed.py"
COMPOSED = ("ComposedFrame", "CutoutFrame", "COMPOSITOR")


def makings(code: str, *, defines: bool = False) -> Iterator[int]:
    """The lines where a composed frame's class is used for something else than to name a type.

    defines: whether this is where the class is, and compares who makes it.
    """
    tree = ast.parse(code)
    as_types: set[ast.AST] = set()
    for node in ast.walk(tree):
        types: list[ast.AST | None] = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Subscript):
            types.append(node.slice)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            types += node.args[1:]
        if defines and isinstance(node, ast.Compare):
            types += node.comparators
        if defines and isinstance(node, ast.Assign):
            types += node.targets
        if isinstance(node, ast.Compare) and ast.unparse(node.left).startswith("type("):
            types += node.comparators
        as_types.update(inner for one in types if isinstance(one, ast.AST) for inner in ast.walk(one))
    for node in ast.walk(tree):
        name = getattr(node, "id", getattr(node, "attr", ""))
        renamed = isinstance(node, ast.alias) and node.name in COMPOSED and node.asname is not None
        # `dataclasses.replace` would put a camera's picture into a frame that is composed.
        replaced = (
            isinstance(node, ast.Call)
            and {"bgr", "bgra"} & {given.arg for given in node.keywords}
            and (getattr(node.func, "id", getattr(node.func, "attr", "")) == "replace")
        )
        if renamed or replaced or (name in COMPOSED and node not in as_types):
            yield node.lineno  # type: ignore[attr-defined]


def test_composed_frames_are_made_in_one_file_alone() -> None:
    for path in sorted(REALTIME.rglob("*.py")):
        lines = list(makings(path.read_text(encoding="utf-8"), defines=path.name == "frames.py"))
        assert bool(lines) == (path == MAKER), f"{path.relative_to(REALTIME)}: lines {lines}"


@pytest.mark.parametrize(
    "line",
    [
        "shown = ComposedFrame(1, 0, 0, bgr=camera.room_bgr, made_by=key)",
        "shown = frames.ComposedFrame(1, 0, 0, i420=i420, made_by=key)",
        "make = ComposedFrame",
        "key = COMPOSITOR",
        "made = frames.COMPOSITOR",
        "make = partial(ComposedFrame, 1)",
        "from bgcam.realtime.frames import ComposedFrame as Frame",
        "class Mine(ComposedFrame): pass",
        "shown = replace(shown, bgr=camera.room_bgr)",
        "shown = ComposedFrame.__new__(ComposedFrame)",
        "shown = CutoutFrame(1, np.dstack([camera.room_bgr, alpha]), 0, 0)",
        "shown = replace(shown, bgra=bgra)",
    ],
)
def test_what_makes_one_is_found(line: str) -> None:
    assert list(makings(line))


@pytest.mark.parametrize(
    "line",
    [
        "def f(frame: ComposedFrame) -> list[ComposedFrame]: pass",
        "Draw = Callable[[CameraFrame], ComposedFrame]",
        "right = isinstance(frame, ComposedFrame)",
        "wrong = type(frame) is not ComposedFrame",
        "from bgcam.realtime.frames import ComposedFrame",
    ],
)
def test_what_only_names_the_type_is_not(line: str) -> None:
    assert not list(makings(line))
