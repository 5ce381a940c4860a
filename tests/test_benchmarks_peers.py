"""`python -m bgcam.benchmarks peers`, on a small clip and a network made here, for which red is a person."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from clips import write_clip
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bgcam.benchmarks import __main__ as command
from bgcam.benchmarks import peers
from bgcam.realtime.errors import SourceError

pytest.importorskip("onnxruntime", reason="onnxruntime runs the peer's network")
NETWORK_WH = (64, 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """peers.json and a network: (1, h, w, 3) RGB in [0, 1] to (1, h, w, 1), its red channel."""
    width, height = NETWORK_WH
    channel = numpy_helper.from_array(np.array([0], np.int64), "channel")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["picture", "channel"], ["alpha"], axis=3)],
        "red",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, height, width, 3])],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, height, width, 1])],
        [channel],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    made = tmp_path / "peers"
    made.mkdir()
    (made / "red.onnx").write_bytes(model.SerializeToString())
    onnx.checker.check_model(model)
    (made / "peers.json").write_text(json.dumps({peers.NETWORK: {"file": "red.onnx", "input_wh": NETWORK_WH}}))
    return made


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", frames=6)


def arguments(clip: Path, folder: Path, model: Path, *more: object) -> list[str]:
    given = ("peers", "--input", clip, "--peers", folder, "--model", model, "--frames", 5, "--rounds", 2)
    return [str(one) for one in (*given, "--background", "#00ff00", *more)]


def test_json_has_one_ratio_a_model(
    clip: Path, folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments(clip, folder, tiny_model, "--size", "128x64", "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["fps"]) == [peers.PEER, "tiny"]
    assert list(result["ratio"]) == list(result["ratios"]) == list(result["backends"]) == ["tiny"]
    assert isinstance(result["ratio"]["tiny"], float)
    assert min(result["cpu_ms"].values()) > 0
    assert len(result["ratios"]["tiny"]) == 2
    assert (result["size"], result["input"], result["frames"], result["rounds"]) == ("128x64", "clip.mp4", 5, 2)
    assert "red.onnx on ONNX Runtime" in result["peer"]
    assert {"machine", "versions", "commit"} <= set(result)
    assert str(clip.parent) not in json.dumps(result)


def test_a_table_for_people_beside_a_file(
    clip: Path, folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    assert command.main(arguments(clip, folder, tiny_model, "--json", written)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "clip.mp4 at 96x64, 2 rounds of 5 frames in turn"
    assert [line.split()[0] for line in lines[1:]] == ["fps", peers.PEER, "tiny"]
    assert lines[2].split()[2] == "1.00"
    ratio = json.loads(written.read_text())["ratio"]["tiny"]
    assert float(lines[3].split()[2]) == pytest.approx(ratio, abs=0.006)


def test_the_loop_lays_the_person_before_the_picture(folder: Path) -> None:
    # Red is at the right half: far from the edge each side is whole, at it the two are mixed.
    random = np.random.default_rng(0)
    bgr = random.integers(0, 100, (96, 192, 3), np.uint8)
    bgr[:, 96:, 2] += 150
    behind = random.integers(0, 256, (96, 192, 3), np.uint8)
    made = peers.peer_frame(peers.network_of(folder), behind, frame_wh=(192, 96))(bgr)
    assert np.array_equal(made[:, 120:], bgr[:, 120:])
    assert np.array_equal(made[:, :72], behind[:, :72])
    expected = loop_reference(bgr, behind, (bgr[..., 2] >= 150).astype(np.float64))
    assert np.abs(made.astype(int) - expected).max() <= 1


def loop_reference(bgr: NDArray[np.uint8], behind: NDArray[np.uint8], mask: NDArray[np.float64]) -> NDArray[np.intp]:
    """The loop after its network, in plain NumPy, for a mask (H, W) whose rows are alike: columns alone count."""
    # Down to a third and up again linearly; column x of the frame lies at (x + 0.5) / 3 - 0.5 of the small mask.
    row = mask[0, 1::3]
    row = np.interp((np.arange(len(mask[0])) + 0.5) / 3 - 0.5, np.arange(len(row)), row)
    gauss = cv2.getGaussianKernel(7, 0)[:, 0]
    row = np.convolve(np.pad(row, 3, mode="reflect"), gauss, mode="valid")
    row = np.stack([np.pad(row, 2)[at : at + len(row)] for at in range(5)]).max(axis=0)
    padded = np.pad(row, (5, 4), mode="reflect")  # a window of 10: 5 to the left, itself, 4 to the right
    row = np.stack([padded[at : at + len(row)] for at in range(10)]).mean(axis=0)
    alpha = row[None, :, None]
    return np.asarray(np.rint(bgr * alpha + behind * (1 - alpha)), np.intp)


def test_contenders_take_turns_and_each_round_begins_with_another() -> None:
    ran: list[str] = []

    def contender(name: str) -> peers.Contender:
        def run_block(pictures: peers.Frames) -> float:
            ran.append(name)
            return float(len(ran))

        return run_block

    seconds, busy = peers.take_turns({name: contender(name) for name in "abc"}, [], rounds=3)
    assert "".join(ran) == "cab" + "abc" + "bca" + "cab"
    assert seconds == {"a": [4, 9, 11], "b": [5, 7, 12], "c": [6, 8, 10]}
    assert {name: len(own) for name, own in busy.items()} == {"a": 3, "b": 3, "c": 3}


def test_figures_by_hand() -> None:
    found = peers.figures({peers.PEER: [1.0, 2.0, 4.0], "ours": [0.5, 0.5, 1.0]}, frames=60)
    assert found == {
        "fps": {peers.PEER: 30.0, "ours": 120.0},
        "ratio": {"ours": 4.0},
        "ratios": {"ours": [2.0, 4.0, 4.0]},
    }


def test_lead_and_tail_are_not_counted() -> None:
    # A frame a second in the lead and in the tail, and 7 frames of 10 ms between.
    gaps = [1.0] * peers.LEAD + [0.01] * 7 + [1.0] * peers.TAIL
    assert peers.counted(list(np.cumsum(gaps))) == pytest.approx(0.07)


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--peers", "nowhere"], 1, "nowhere/peers.json: no such file; give --peers"),
        (["--input", "nowhere.mp4"], 1, "nowhere.mp4"),
        (["--background", "blur"], 2, "--background blur: not a still picture"),
        (["--rounds", "0"], 2, "--frames 5 --rounds 0"),
        (["--json", "no/such/folder.json"], 1, "folder.json: cannot be written"),
    ],
)
def test_what_is_missing_is_told_in_one_line(
    options: list[str],
    status: int,
    says: str,
    clip: Path,
    folder: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(arguments(clip, folder, tiny_model, *options)) == status
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "does not describe"), ("{}", peers.NETWORK), ("[]", "does not describe")],
)
def test_a_peers_json_that_says_nothing(folder: Path, text: str, says: str) -> None:
    (folder / "peers.json").write_text(text)
    with pytest.raises(SourceError, match=says):
        peers.network_of(folder)


def test_a_network_that_is_gone(folder: Path) -> None:
    (folder / "red.onnx").unlink()
    with pytest.raises(SourceError, match=r"red\.onnx: no such file"):
        peers.network_of(folder)
