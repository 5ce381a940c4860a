"""The table of settings: the command line is made of it, and every value comes through it, checked."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec
import pytest

from bgcam.realtime.command.options import build_parser, parse_arguments
from bgcam.realtime.control.protocol import SettingInfo
from bgcam.realtime.errors import UsageError
from bgcam.realtime.settings import Settings, changed, setting_infos, to_json
from bgcam.realtime.settings.table import all_settings

HOT = {
    "background", "edge", "light_wrap", "light_match", "mirror", "frame", "far", "camera", "key", "key_colour", "model",
    "slide_interval_s", "crossfade_s", "presenter", "presenter_size", "matte_rate", "empty_room",
    "background_fit", "on_demand",
}  # fmt: skip


def test_settings_cannot_be_changed_in_place() -> None:
    settings: Any = Settings()
    with pytest.raises(AttributeError):
        settings.view = "side-by-side"


def test_without_arguments_all_settings_are_at_their_defaults() -> None:
    assert parse_arguments([]).given == {}


def test_a_field_is_called_as_its_flag_is() -> None:
    for name, one in all_settings().items():
        assert one.option.flags[0] == f"--{name.replace('_', '-')}"


def test_the_command_line_has_every_setting_once_and_little_else() -> None:
    flags = [flag for action in build_parser()._actions for flag in action.option_strings]
    assert sorted(flags) == sorted(
        [
            *(flag for one in all_settings().values() for flag in one.option.flags),
            "-h",
            "--help",
            "--version",
            "--profile",
        ]
    )


def test_the_command_line_and_json_mean_the_same() -> None:
    words = [
        *("--size", "640x480", "--fps", "24", "--mirror", "--background", "beach", "--edge", "shrink:2"),
        *("--edge", "sharp", "--light-wrap", "3.5", "--view", "matte", "--output", "web", "--output", "a.mp4"),
        *("--threads", "2", "--max-cpu", "25%", "--watchdog-ms", "250", "--camera", "2"),
    ]
    values = {
        "size": "640x480", "fps": 24, "mirror": True, "background": "beach", "edge": ["shrink:2", "sharp"],
        "light_wrap": 3.5, "view": "matte", "output": ["web", "a.mp4"], "threads": 2, "max_cpu": 25,
        "watchdog_ms": 250, "camera": 2,
    }  # fmt: skip
    settings = Settings(**parse_arguments(words).given)
    assert changed(Settings(), values) == settings
    assert changed(Settings(), json.loads(json.dumps(to_json(settings)))) == settings
    assert to_json(settings)["edge"] == ["shrink:2", "sharp:1"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mirror", "on", True),
        ("mirror", "Yes", True),
        ("mirror", "true", True),
        ("mirror", "off", False),
        ("mirror", "no", False),
        ("mirror", "false", False),
        ("light_wrap", "8", 8.0),
        ("light-wrap", 8, 8.0),
        ("threads", "4", 4),
        ("threads", 4.0, 4),
        ("max_cpu", "25%", 0.25),
        ("max_cpu", 7, 0.07),
        ("edge", "shrink:2, sharp", (("shrink", 2.0), ("sharp", 1.0))),
        ("edge", "", ()),
        ("output", "a,b.mp4", ("a,b.mp4",)),
        ("camera", "", None),
        ("camera", 0, "0"),
        ("fit", None, None),
        ("background", None, "blur"),
        ("blur", "8", "blur:8"),
        ("blur", 3, "blur:3"),
    ],
)
def test_json_and_text_are_both_understood(name: str, value: Any, expected: Any) -> None:
    field = {"light-wrap": "light_wrap", "blur": "background"}.get(name, name)
    assert getattr(changed(Settings(), {name: value}), field) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lightwrap": 3}, "unknown setting 'lightwrap'; did you mean light_wrap?"),
        ({"zebra": 3}, "unknown setting 'zebra'; the settings are camera, input, "),
        ({"light_wrap": 11}, "light_wrap: '11' is not a number from 0 to 10"),
        ({"light_wrap": True}, "light_wrap: invalid value True: give a number"),
        ({"light_wrap": [3]}, "light_wrap: invalid value [3]: give a number"),
        ({"light_wrap": float("nan")}, "light_wrap: 'nan' is not a number"),
        ({"threads": 2.5}, "threads: invalid number of threads '2.5'"),
        ({"threads": 10**5000}, "threads: the value is too large"),
        ({"threads": "9" * 5000}, "threads: the value is 5000 characters long"),
        ({"fps": float("inf")}, "fps: invalid frame rate 'inf'"),
        ({"mirror": "maybe"}, "mirror: invalid value 'maybe': give on or off"),
        ({"mirror": 1}, "mirror: invalid value 1: give on or off"),
        ({"frame": "folow"}, "frame: invalid value 'folow': did you mean follow?"),
        ({"view": "xyz"}, "view: invalid value 'xyz': give one of composite, matte, "),
        ({"edge": ["shrnk:2"]}, "edge: invalid edge 'shrnk:2': did you mean shrink:2?"),
        ({"edge": 2}, "edge: invalid value 2: give a list of texts"),
        ({"output": ["web", 3]}, "output: invalid value ['web', 3]: give a list of texts"),
        ({"background": ""}, "background: the value is empty"),
        ({"background": "a\0b"}, "background: invalid value 'a\\x00b': it contains a NUL"),
        ({"background": False}, "background: invalid value False: give one text"),
        ({"background": ["a"]}, "background: invalid value ['a']: give one text"),
        ({"size": "big"}, "size: invalid size 'big': give WxH, such as 1280x720"),
        ({"camera": "1", "input": ["a.mp4"]}, "camera and input exclude each other; give one of them"),
        ({"light-wrap": 1, "light_wrap": 2}, "light_wrap is given twice"),
        ({"background": "beach", "blur": 8}, "blur: the background is 'beach'; give either blur=8 or background"),
        ({"blur": 99}, "blur: '99' is not a number from 1 to 10"),
    ],
)
def test_what_makes_no_sense_is_named_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        changed(Settings(), values)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_list_replaces_the_one_before() -> None:
    before = changed(Settings(), {"edge": ["shrink:2"], "output": ["web"]})
    after = changed(before, {"edge": ["sharp:1"], "output": "virtual"})
    assert (after.edge, after.output) == ((("sharp", 1.0),), ("virtual",))


def test_camera_and_input_clear_each_other() -> None:
    with_camera = changed(Settings(), {"camera": "logitech"})
    with_input = changed(with_camera, {"input": ["a.mp4"]})
    assert (with_input.camera, with_input.input) == (None, ("a.mp4",))
    assert changed(with_input, {"camera": "1"}).input == ()
    assert changed(with_input, {"camera": None, "mirror": True}).input == ("a.mp4",)


def test_what_is_not_hot_stays_as_it_is_while_frames_flow() -> None:
    with pytest.raises(UsageError, match="view cannot change while bgcam runs; stop it and start it again with --view"):
        changed(Settings(), {"mirror": True, "view": "side-by-side"}, hot_only=True)
    assert changed(Settings(), {**to_json(Settings()), "mirror": True}, hot_only=True) == Settings(mirror=True)


def test_a_camera_cannot_be_chosen_over_an_input_while_frames_flow() -> None:
    with pytest.raises(UsageError, match="camera cannot change while bgcam runs with input"):
        changed(Settings(input=("a.mp4",)), {"camera": "1"}, hot_only=True)


def test_every_setting_is_described() -> None:
    infos = {one.name: one for one in setting_infos()}
    assert {type(one) for one in infos.values()} == {SettingInfo}
    assert [*infos] == [field.name for field in msgspec.structs.fields(Settings)]
    assert {name for name, one in infos.items() if one.hot} == HOT
    for one in infos.values():
        assert one.help[0].isupper()
        assert one.help.endswith(".")
        assert "--" not in one.help, "it is read outside the command line too"
    assert infos["watchdog_ms"] == SettingInfo(
        "watchdog_ms", "number", infos["watchdog_ms"].help, 500.0, False, minimum=50, maximum=60_000, unit="ms"
    )
    kinds = {name: infos[name].kind for name in ("mirror", "threads", "max_cpu", "size", "edge", "camera", "frame")}
    assert kinds == {
        "mirror": "switch", "threads": "number", "max_cpu": "number", "size": "text", "edge": "texts",
        "camera": "text", "frame": "text",
    }  # fmt: skip
    assert infos["frame"].choices == ("whole", "follow")
    json.dumps([one.default for one in infos.values()])


def test_a_number_is_within_what_its_parser_accepts() -> None:
    for one in all_settings().values():
        for bound, beyond in ((one.option.minimum, -1), (one.option.maximum, 1)):
            if bound is not None and one.option.parse is not None:
                one.option.parse(f"{bound:g}")
                with pytest.raises(argparse.ArgumentTypeError):
                    one.option.parse(f"{bound + beyond:g}")
