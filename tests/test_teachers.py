"""Networks that serve as teachers: ours and other tools', what they agree on, and what is refused."""

import cv2
import numpy as np
import pytest
from teachers_setup import matte_of, photo

from bgcam.train import label
from bgcam.train.__main__ import main, parser, teachers_of
from bgcam.train.teachers import consensus, corrected, doubtful, load_peers, peer_teacher

PEERS = """
import numpy as np
SPECS = {"still": {}, "recurrent": {}}
class Peer:
    def __init__(self, name):
        self.name, self.state, self.calls = name, {}, 0
    def reset(self):
        self.state, self.calls = {}, 0
    def __call__(self, rgb):
        self.calls += 1
        if self.name == "recurrent":
            self.state = {"r": 1}
        return np.full(rgb.shape[:2], 0.25 * self.calls, np.float32)
"""


def test_a_recurrent_peer_sees_a_still_twice_and_forgets_the_one_before(tmp_path) -> None:
    (tmp_path / "peers.py").write_text(PEERS, encoding="utf-8")
    peers = load_peers(tmp_path)
    for name, seen in (("still", 0.25), ("recurrent", 0.5)):
        teacher = peer_teacher(peers, name)
        assert [float(teacher(photo(4, 6)).mean()) for _ in range(2)] == [seen, seen]
    with pytest.raises(ValueError, match=r"peers\.py: no network 'gone'; there are still, recurrent"):
        peer_teacher(peers, "gone")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SPECS = {}", "has no Peer"),
        ("import nothing_of_this_name", "needs nothing_of_this_name; run: .*pip install nothing_of_this_name"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("def (", "cannot be loaded: SyntaxError"),
    ],
)
def test_a_peers_file_that_is_none_is_told(text, message, tmp_path) -> None:
    (tmp_path / "peers.py").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_peers(tmp_path)


def test_a_peer_named_twice_counts_double(tmp_path) -> None:
    (tmp_path / "peers.py").write_text(PEERS, encoding="utf-8")
    asked = parser().parse_args(["correct", "x", "--peers", str(tmp_path), "--peer", "recurrent", "recurrent", "still"])
    assert consensus(teachers_of(asked), photo(4, 6)).alpha.mean() == pytest.approx((0.5 + 0.5 + 0.25) / 3)


def test_the_commands_pass_on_what_they_are_told(tmp_path, monkeypatch) -> None:
    (tmp_path / "peers.py").write_text(PEERS, encoding="utf-8")
    told = {}
    monkeypatch.setattr(label, "label", lambda teachers, sources, out, **more: told.update(more) or (0, 0))
    monkeypatch.setattr(label, "correct", lambda teachers, folder, **more: told.update(more) or (0, 0.0))
    teachers = ["--peers", str(tmp_path), "--peer", "still"]
    assert main(["label", "photos", "--out", "own", "--limit", "0.1", *teachers]) == 0
    assert main(["correct", "set", "--without", "ccp", "street", *teachers]) == 0
    assert told == {"limit": 0.1, "without": ["ccp", "street"]}


def test_a_limit_is_a_disagreement(capsys) -> None:
    for text in ("nan", "-0.1", "0.7", "x"):
        with pytest.raises(SystemExit):
            parser().parse_args(["label", "a", "--out", "b", f"--limit={text}"])
        assert "give a number from 0 to 0.5" in capsys.readouterr().err


def test_teachers_are_averaged_and_their_disagreement_measured() -> None:
    alpha = np.zeros((40, 50), np.float32)
    alpha[:, 10:30] = 1
    other = alpha.copy()
    other[:, 10:20] = 0
    same = consensus([matte_of(alpha), matte_of(alpha)], photo(40, 50))
    assert same.disagreement == 0
    assert np.array_equal(same.alpha, alpha)
    mixed = consensus([matte_of(alpha), matte_of(other)], photo(40, 50))
    assert mixed.disagreement == pytest.approx(0.25)
    assert mixed.alpha[0, 12] == 0.5
    assert consensus([matte_of(alpha * 0)], photo(40, 50)).disagreement == 0


def test_a_label_gives_way_where_teachers_are_sure_and_keeps_its_edges() -> None:
    label_alpha = np.zeros((240, 320), np.float32)
    label_alpha[60:, 100:200] = 1
    taught = cv2.GaussianBlur(label_alpha, (0, 0), 2)
    assert np.array_equal(corrected(label_alpha, taught), label_alpha)  # type: ignore[arg-type]
    taught[100:180, 220:300] = 1.0  # a second person whom the label leaves out
    taught[100:180, 10:90] = 0.6  # something in doubt
    moved = corrected(label_alpha, taught)  # type: ignore[arg-type]
    assert moved[140, 260] == pytest.approx(0.8)
    assert np.array_equal(moved[:, :205], label_alpha[:, :205])


def test_a_matte_of_the_teachers_mask_is_soft_where_they_are_in_doubt() -> None:
    taught = np.zeros((240, 320), np.float32)
    taught[60:, 100:200] = 1
    taught[100:180, 210:290] = 0.6
    matte = (taught > 0.5).astype(np.float32)
    out = doubtful(matte, taught)
    assert out[140, 250] == pytest.approx(0.6)
    assert out[140, 150] == 1
    assert out[20, 20] == 0


def test_a_teacher_without_a_finite_matte_of_the_pictures_size_is_refused() -> None:
    for matte in (np.zeros((10, 10), np.float32), np.full((40, 50), np.nan, np.float32)):
        with pytest.raises(ValueError, match="no matte of the picture's size"):
            consensus([lambda rgb, matte=matte: matte], photo(40, 50))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no network to ask: give --network FILE"),
        (["--peer", "rvm"], "--peers DIR, the folder with peers.py, and --peer NAME go together"),
        (["--peers", "nowhere", "--network", "no.safetensors"], "and --peer NAME go together"),
        (["--peers", "nowhere", "--peer", "rvm"], "nowhere: no peers.py there"),
        (["--network", "no.safetensors"], "no.safetensors"),
    ],
)
def test_no_teacher_is_one_line(arguments, message, tmp_path, capsys) -> None:
    assert main(["correct", str(tmp_path), *arguments]) == 1
    assert message in capsys.readouterr().err
