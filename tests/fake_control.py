"""A running bgcam without one: a `Control` that remembers what it was asked for, with pictures of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np

from bgcam.realtime.control.protocol import (
    BackgroundInfo,
    ConfirmationNeeded,
    LiveStatus,
    Preview,
    RoomStatus,
    SettingInfo,
)
from bgcam.realtime.errors import BackgroundError, UsageError

SIZE_WH = (640, 360)
VIEWS = ("composite", "matte", "cutout", "side-by-side")
SETTINGS = (
    SettingInfo("background", "text", "What is shown behind you.", "blur", hot=True),
    SettingInfo("edge", "texts", "Move the person's edge in or out, or sharpen it.", [], hot=True),
    SettingInfo("light_wrap", "number", "Background light on the edge.", 0.0, hot=True, minimum=0.0, maximum=10.0),
    SettingInfo("light_match", "number", "Exposure and tint of the background.", 0, hot=True, minimum=0, maximum=10),
    SettingInfo("frame", "text", "Follow keeps you centred.", "whole", hot=True, choices=("whole", "follow")),
    SettingInfo(
        "presenter", "text", "Show the person small.", "off", hot=True, choices=("off", "bottom-right", "left")
    ),
    SettingInfo("presenter_size", "number", "How large.", 35.0, hot=True, minimum=10.0, maximum=100.0, unit="%"),
    SettingInfo("crossfade_s", "number", "How slowly.", 0.3, hot=True, minimum=0.0, maximum=5.0, unit="s"),
    SettingInfo("slide_interval_s", "number", "How long.", 10.0, hot=True, minimum=0.0, maximum=86400.0, unit="s"),
    SettingInfo("view", "text", "What the outputs show.", "composite", hot=True, choices=VIEWS),
    SettingInfo("mirror", "switch", "Flip the camera's picture left to right.", False, hot=True),
    SettingInfo("mirror_background", "switch", "Flip the background.", False, hot=True),
    SettingInfo("fps", "number", "Frames per second.", 30.0, hot=False, minimum=1.0, maximum=1000.0, unit="fps"),
    SettingInfo("camera", "text", "Which camera is read.", "", hot=True),
    SettingInfo("on_demand", "switch", "Release the camera while nobody watches.", False, hot=True),
    SettingInfo("watchdog_ms", "number", "Longest gap.", 500.0, hot=True, minimum=50.0, maximum=60000.0, unit="ms"),
    SettingInfo("output", "texts", "Where the picture goes.", ["virtual"], hot=False),
)
BACKGROUNDS = (
    BackgroundInfo("blur", "blur", "blur"),
    BackgroundInfo("beach", "beach", "shipped", credit="drawn for bgcam"),
    BackgroundInfo("/home/user/office.jpg", "office.jpg", "yours"),
    BackgroundInfo("/home/user/holidays", "holidays", "slides"),
    BackgroundInfo("#336699", "blue", "colour"),
    BackgroundInfo("green", "green", "colour"),
    BackgroundInfo("camera:/dev/video2", "Desk camera", "camera"),
    BackgroundInfo("none", "your room", "room"),
)
_WORDS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


@dataclass
class FakeControl:
    """Keeps the `Control` protocol.

    wait_s: how long each change takes. gate: changes and thumbnails wait for it. fails: raised by the next change.
    """

    wait_s: float = 0.0
    fails: Exception | None = None
    state: str = "live"
    notice: str = ""
    on: bool = False
    quits: int = 0
    previews: int = 0
    asked: list[tuple[str, Any]] = field(default_factory=list)
    uploads: list[tuple[str, int]] = field(default_factory=list)
    extra: list[BackgroundInfo] = field(default_factory=list)
    now: dict[str, Any] = field(default_factory=lambda: {one.name: one.default for one in SETTINGS})
    on_quit: Callable[[], None] | None = None
    started_s: float = field(default_factory=time.time)
    frozen: bool = False
    only_composite: bool = False
    gate: threading.Event | None = None
    # What the room is after it was asked to be learnt, one for each time that the status is asked.
    rooms: list[RoomStatus] = field(default_factory=list)
    room: RoomStatus = field(default_factory=RoomStatus)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def _pass_gate(self) -> None:
        if self.gate is not None:
            assert self.gate.wait(20)

    def settings(self) -> tuple[SettingInfo, ...]:
        return SETTINGS

    def values(self) -> Mapping[str, Any]:
        with self._lock:
            return dict(self.now)

    def change(self, values: Mapping[str, Any], *, confirm_room: bool = False) -> Mapping[str, Any]:
        time.sleep(self.wait_s)
        self._pass_gate()
        self.asked.append(("set", (dict(values), confirm_room)))
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise error
        checked = {name: self._checked(name, value) for name, value in values.items()}
        shows_room = checked.get("background") == "none" or checked.get("view") == "side-by-side"
        if shows_room and not confirm_room:
            raise ConfirmationNeeded("this would show your room to the others")
        with self._lock:
            self.now |= checked
        return self.values()

    def _checked(self, name: str, value: Any) -> Any:
        setting = next((one for one in SETTINGS if one.name == name), None)
        if setting is None:
            raise UsageError(f"unknown setting {name!r}; see bgcam get")
        if not setting.hot:
            raise UsageError(f"{name} cannot change while bgcam runs; restart it with --{name}")
        if setting.kind == "switch":
            if isinstance(value, bool):
                return value
            if value not in _WORDS:
                raise UsageError(f"{name}: {value!r} is neither on nor off")
            return _WORDS[value]
        if setting.kind == "number":
            try:
                number = float(value)
            except (TypeError, ValueError):
                raise UsageError(f"{name}: {value!r} is not a number") from None
            if not (setting.minimum or 0) <= number <= (setting.maximum or 0):
                raise UsageError(f"{name}: {number:g} is not from {setting.minimum:g} to {setting.maximum:g}")
            return number
        if setting.kind == "texts":
            return value if isinstance(value, list) else [part for part in str(value).split(",") if part]
        if setting.choices and value not in setting.choices:
            raise UsageError(f"{name}: {value!r} is not one of {', '.join(setting.choices)}")
        return str(value)

    def status(self) -> LiveStatus:
        state = "panic" if self.on else self.state
        if self.rooms:
            self.room = self.rooms.pop(0)
        return LiveStatus(
            state=state,  # type: ignore[arg-type]
            notice=self.notice,
            fps=29.97,
            latency_ms=21.4,
            cpu_percent=87.0,
            frames=1234,
            dropped=2,
            source="Integrated Camera",
            model="small",
            backend="OpenVINO on the processor",
            outputs=("virtual camera /dev/video10",),
            pid=4242,
            since_s=self.started_s,
            version="0.1.0",
            room=self.room,
            matte_doubt=0.04,
        )

    def backgrounds(self) -> tuple[BackgroundInfo, ...]:
        at = next(i for i, one in enumerate(BACKGROUNDS) if one.kind == "yours") + 1
        return (*BACKGROUNDS[:at], *self.extra, *BACKGROUNDS[at:])

    def thumbnail(self, spec: str) -> bytes:
        self._pass_gate()
        if spec == "none":
            raise BackgroundError("background none: your room has no thumbnail")
        if spec.startswith("camera:"):
            raise BackgroundError(f"background {spec}: a camera has no thumbnail")
        return _jpeg(cv2.resize(background(spec), (160, 90), interpolation=cv2.INTER_AREA))

    def add_background(self, name: str, data: bytes) -> BackgroundInfo:
        self.uploads.append((name, len(data)))
        if data[:2] not in (b"\x89P", b"\xff\xd8"):
            raise BackgroundError(f"{name}: not a picture or video that can be read; give a JPEG, PNG or WebP")
        added = BackgroundInfo(f"/home/user/.local/share/bgcam/{name}", name, "yours")
        self.extra.append(added)
        return added

    def next_background(self) -> Mapping[str, Any]:
        return self._go("next", 1)

    def previous_background(self) -> Mapping[str, Any]:
        return self._go("previous", -1)

    def _go(self, name: str, way: int) -> Mapping[str, Any]:
        self.asked.append((name, None))
        specs = [one.spec for one in self.backgrounds() if one.kind not in ("room", "camera")]
        at = specs.index(self.now["background"]) if self.now["background"] in specs else -1
        with self._lock:
            self.now["background"] = specs[(at + way) % len(specs)]
        return self.values()

    def learn_room(self, *, forget: bool = False) -> RoomStatus:
        self.asked.append(("learn_room", forget))
        if self.fails is not None:
            raise self.fails
        self.room = RoomStatus("unknown" if forget else "learning")
        return self.room

    def panic(self, on: bool) -> None:
        self.asked.append(("panic", on))
        self.on = on

    def quit(self) -> None:
        self.quits += 1
        if self.on_quit is not None:
            self.on_quit()

    def preview(self, after: int, *, view: str = "composite", timeout_s: float = 1.0) -> Preview | None:
        if self.only_composite and view != "composite":
            raise UsageError(f"view {view} is not drawn now; give composite")
        if self.frozen:
            time.sleep(timeout_s)
            return None
        time.sleep(1 / 15)
        self.previews += 1
        if self.on:
            return Preview(after + 1, _jpeg(cv2.resize(background(self.now["background"]), SIZE_WH)))
        return Preview(after + 1, _shown(self.now["background"], view, bool(self.now["mirror"])))


def _jpeg(bgr: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


@cache
def _asset(name: str) -> np.ndarray:
    data = (files("bgcam.realtime") / "assets" / name).read_bytes()
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found


@cache
def background(spec: str) -> np.ndarray:
    """(360, 640, 3) uint8, BGR: drawn, or the beach that comes with bgcam."""
    beach = cv2.resize(_asset("backgrounds/beach.jpg"), SIZE_WH, interpolation=cv2.INTER_AREA)
    if spec == "beach":
        return beach
    flat = {"green": (64, 177, 0), "#336699": (153, 102, 51)}
    if spec in flat:
        return np.full_like(beach, flat[spec])
    wall = np.empty_like(beach)
    rows = np.linspace(0, 1, SIZE_WH[1])[:, None, None]
    wall[:] = (1 - rows) * np.array((206, 214, 220)) + rows * np.array((150, 165, 180))
    for left, colour in ((60, (120, 90, 70)), (270, (70, 110, 150)), (480, (90, 120, 80))):
        cv2.rectangle(wall, (left, 70), (left + 110, 230), colour, -1)
        cv2.rectangle(wall, (left + 10, 80), (left + 100, 145), (225, 230, 235), -1)
    if spec.startswith("blur"):
        return cv2.GaussianBlur(wall, (0, 0), 3 + 3 * float(spec.partition(":")[2] or 5))
    if spec not in ("none", "blur"):
        return cv2.applyColorMap(cv2.cvtColor(wall, cv2.COLOR_BGR2GRAY), cv2.COLORMAP_BONE)
    return wall


@cache
def _shown(spec: str, view: str, mirrored: bool) -> bytes:
    height = SIZE_WH[1]
    person = cv2.resize(_asset("astronaut.jpg"), (height, height), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(_asset("astronaut_matte.png"), (height, height), interpolation=cv2.INTER_AREA)[..., :1] / 255
    out = background("none" if view == "side-by-side" else spec).astype(np.float32).copy()
    if view == "matte":
        out[:] = 0
        person = np.full_like(person, 255)
    left = (SIZE_WH[0] - height) // 2
    out[:, left : left + height] = alpha * person + (1 - alpha) * out[:, left : left + height]
    return _jpeg(out.astype(np.uint8)[:, :: -1 if mirrored else 1])
