"""Models and options that lie, and frames of odd sizes through the whole command: one clear line, and no hang."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from lies import damage, damages, frames_of, one_line, quick, smooth
from tiny_model import SPEC, write_tiny_model

from bgcam.realtime.command import cli
from bgcam.realtime.command.options import build_parser
from bgcam.realtime.errors import BgcamError, ModelError
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.spec import MAX_SIDE, ModelSpec, read_spec
from bgcam.realtime.sources.images import read_picture


@pytest.mark.parametrize("size_wh", [(2, 2), (18, 2), (2, 96), (66, 34)])
def test_odd_sizes_go_through_the_whole_command(tmp_path: Path, tiny_model: Path, size_wh: tuple[int, int]) -> None:
    write_clip(tmp_path / "a.mp4", frames=3, size_wh=size_wh)
    out = tmp_path / "out.mkv"
    code = cli.main(
        ["--model", str(tiny_model), "--threads", "1", "--input", str(tmp_path / "a.mp4"), "--output", str(out)]
    )
    assert code == 0
    assert frames_of(out) == 3


def test_a_folder_of_all_sizes_goes_through_the_whole_command(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = [(1, 1), (3, 200), (200, 3), (65, 49), (1, 480), (1999, 1001)]
    (tmp_path / "in").mkdir()
    for number, size_wh in enumerate(sizes):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), smooth(size_wh))
    for background in ("blur", "beach"):
        out = tmp_path / background
        arguments = ["--background", background, "--input", str(tmp_path / "in"), "--output", f"{out}/"]
        code = cli.main(["--model", str(tiny_model), "--threads", "1", *arguments])
        assert (code, capsys.readouterr().err) == (0, "")
        assert [read_picture(path).shape[1::-1] for path in sorted(out.iterdir())] == sizes


def test_8k_goes_through_the_whole_command(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4320, 7680, 3), 90, np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    arguments = ["--background", "green", "--input", str(tmp_path / "a.png"), "--output", "null"]
    code = cli.main(["--model", str(tiny_model), "--threads", "1", *arguments])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "7680x4320" in out


def test_damaged_models(tmp_path: Path, tiny_model: Path) -> None:
    whole = tiny_model.read_bytes()
    seen = {"read": 0, "refused": 0}

    @settings(quick, max_examples=200)
    @given(damages)
    def check(changes: list[tuple[float, bytes, str]]) -> None:
        path = tmp_path / "a.onnx"
        path.write_bytes(damage(whole, changes))
        try:
            assert isinstance(read_spec(path), ModelSpec)
            seen["read"] += 1
        except ModelError as error:
            one_line(error, "a.onnx")
            seen["refused"] += 1

    check()
    assert min(seen.values()) > 10, seen


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_backend_refuses_what_is_damaged_behind_the_spec(tmp_path: Path, tiny_model: Path, backend: str) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed on this machine")
    whole = tiny_model.read_bytes()
    seen = {"ran": 0, "refused": 0}

    @settings(quick, max_examples=25)
    @given(damages)
    def check(changes: list[tuple[float, bytes, str]]) -> None:
        path = tmp_path / "a.onnx"
        path.write_bytes(damage(whole, [(share, new, how) for share, new, how in changes if how != "cut"]))
        try:
            Matting(path, backend=backend, threads=1).prepare((320, 240))
            seen["ran"] += 1
        except BgcamError as error:
            one_line(error, "")
            seen["refused"] += 1

    check()
    assert seen["refused"] > 5, seen


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(quick, max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(json.loads(SPEC.to_json()))), json_values, max_size=3))
def test_a_spec_of_anything_is_a_spec_or_refused(changes: dict[str, object]) -> None:
    try:
        spec = ModelSpec.from_json(json.dumps(json.loads(SPEC.to_json()) | changes))
    except (ValueError, TypeError, KeyError):
        return
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert all(np.isfinite(spec.mean + spec.std))
    assert max(max(size) for size in spec.sizes_wh) <= MAX_SIDE


@pytest.mark.parametrize("text", ["[" * 100_000, "1", '"a"', "null", "{}", "[]", '{"sizes_wh": [[1e999, 16]]}'])
def test_a_spec_that_is_none(tmp_path: Path, text: str) -> None:
    class Wrong(ModelSpec):
        def to_json(self) -> str:
            return text

    path = write_tiny_model(tmp_path / "a.onnx", spec=Wrong("a", "b", "c"))
    with pytest.raises(ModelError, match=r"a\.onnx: its spec is damaged"):
        read_spec(path)


def test_models_are_data_only() -> None:
    """No part that runs in a call unpickles or runs what a file holds."""
    root = Path(__file__).parents[1] / "realtime"
    for path in root.rglob("*.py"):
        found = re.search(r"pickle|torch\.load\(|marshal|(?<![.\w])(eval|exec)\(", path.read_text())
        assert found is None, f"{path.name}: {found}"


# ---- options

OPTIONS = [
    "--size",
    "--fps",
    "--watchdog-ms",
    "--edge",
    "--light-wrap",
    "--light-match",
    "--frame",
    "--view",
    "--threads",
]


@settings(quick, max_examples=200)
@given(st.sampled_from(OPTIONS), st.text(max_size=12) | st.text("0123456789.:xe-+naif", max_size=12))
def test_an_options_value_is_taken_or_refused(option: str, value: str) -> None:
    with contextlib.suppress(SystemExit):
        assert build_parser().parse_args([f"{option}={value}"])
