"""A network's figures on the photos of a set."""

import cv2
import numpy as np
import torch
from training_set import write_training_set

from bgcam.train import checkpoint as ckpt
from bgcam.train.__main__ import main
from bgcam.train.checkpoint import Checkpoint
from bgcam.train.network import MatteNet, NetworkConfig


def test_both_parts_and_empty_rooms_are_scored_without_what_is_left_out(tmp_path, capsys) -> None:
    torch.manual_seed(0)
    write_training_set(tmp_path / "set", 12)
    for path in sorted((tmp_path / "set").glob("*/pic_00[0-5].png")):
        path.rename(path.with_name(path.name.replace("pic_", "own_")))
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    for number in range(6):
        cv2.imwrite(str(rooms / f"room_{number}.png"), np.full((60, 80, 3), 90, np.uint8))
    network = MatteNet(NetworkConfig(width=0.125, decoder=(16, 16, 8, 8, 8)))
    ckpt.save_weights(tmp_path / "n.safetensors", Checkpoint(network.config, network.state_dict()))
    asked = [
        "score",
        str(tmp_path / "n.safetensors"),
        str(tmp_path / "set"),
        "--validation-share",
        "0.5",
        "--backgrounds",
        str(rooms),
    ]
    counts = []
    for more in ([], ["--without", "own"]):
        assert main([*asked, *more]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1].startswith("empty rooms   mean alpha 0.")
        assert any(line.startswith("  own ") for line in lines) == (not more)
        counts.append(sum(int(line.split()[-2]) for line in lines if line.startswith(("training", "validation"))))
    assert counts == [12, 6]
    assert main([*asked, "--without", "own", "other"]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.endswith("--without other: no photo's name begins with other_; there are own, pic")
