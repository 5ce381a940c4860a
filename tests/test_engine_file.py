"""An engine file says what it is, and whatever is damaged or foreign is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_model import SPEC

from bgcam.realtime.model.engine_file import (
    MAGIC,
    EngineManifest,
    EngineRefused,
    check_engine,
    read_engine,
    sha256,
    write_engine,
)

ENGINE = bytes(range(256)) * 4
MANIFEST = EngineManifest(
    api="tensorrt-rtx",
    api_version="1.7.1.116",
    model_sha256="ab" * 32,
    size_wh=(320, 240),
    precision="fp16",
    gpu="",
    driver="",
    compute_capabilities=("SM75", "SM89"),
    input=("image", (1, 3, 240, 320), "HALF"),
    output=("alpha", (1, 1, 240, 320), "HALF"),
    spec=SPEC.to_json(),
    engine_sha256=sha256(ENGINE),
    engine_bytes=len(ENGINE),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "folder" / "m.engine"
    write_engine(written, MANIFEST, ENGINE)
    return written


def test_what_is_written_is_read(path: Path) -> None:
    assert read_engine(path) == (MANIFEST, ENGINE)
    assert [each.name for each in path.parent.iterdir()] == ["m.engine"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_it_can_be_read_by_people(path: Path) -> None:
    first, second = path.read_bytes().split(b"\n")[:2]
    assert first == b"bgcam-engine 1"
    assert b'"precision": "fp16"' in second


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "not a bgcam engine file"),
        (lambda data: b"\x00" + data, "not a bgcam engine file"),
        (lambda data: data[:-1], r"truncated: 1023 of 1024 bytes"),
        (lambda data: data + b"x", r"truncated: 1025 of 1024 bytes"),
        (lambda data: data[:-1] + b"\x00", "its checksum does not match"),
        (lambda data: MAGIC, "header is damaged"),
        (lambda data: MAGIC + b"[]\nx", "header is damaged"),
        (lambda data: data.replace(b'"gpu"', b'"gpv"'), "header is damaged"),
        (lambda data: data.replace(b"[320, 240]", b"[320]"), "header is damaged"),
    ],
)
def test_a_damaged_file_is_refused(path: Path, damage: object, reason: str) -> None:
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EngineRefused, match=reason):
        read_engine(path)


def test_every_single_byte_of_the_engine_counts(path: Path) -> None:
    data = path.read_bytes()
    for place in (len(data) - 1, len(data) - 500, len(data) - len(ENGINE)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(EngineRefused, match="checksum"):
            read_engine(path)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"api": "tensorrt"}, "another api: tensorrt-rtx, not tensorrt"),
        ({"precision": "fp16", "driver": "580.65.06"}, "another driver: none, not 580.65.06"),
        ({"size_wh": (240, 320)}, r"another size wh: \(320, 240\), not \(240, 320\)"),
    ],
)
def test_an_engine_for_something_else_is_refused(wanted: dict[str, Any], reason: str) -> None:
    with pytest.raises(EngineRefused, match=reason):
        check_engine(MANIFEST, wanted)
    check_engine(replace(MANIFEST, **wanted), wanted)


def test_a_failed_write_leaves_nothing_and_what_was_there(path: Path) -> None:

    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_engine(path, MANIFEST, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["m.engine"]
