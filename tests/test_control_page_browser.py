"""The control page in a real browser: every control, by mouse and by keyboard, in each size and colour scheme.

Pictures of it are kept in out/control/, to be looked at.
"""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import NAMES
from fake_control import FakeControl, background
from waiting import wait_for

import bgcam
from bgcam.realtime.control.front import Front
from bgcam.realtime.errors import BackgroundError, BgcamError
from bgcam.realtime.room_status import RoomStatus

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

OUT = Path(bgcam.__file__).resolve().parent / "out" / "control"
PIXEL = "[...document.getElementById('preview').getContext('2d').getImageData(20, 20, 1, 1).data]"
# What Chromium says of answers that are refusals: expected ones, and no fault of the page.
EXPECTED = (
    "the server responded with a status of 4",
    "ERR_CONNECTION_REFUSED",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "willReadFrequently",  # the tests', not the page's
)
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed on this machine")
    with api.sync_playwright() as play:
        try:
            made = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except api.Error as error:
            pytest.skip(f"{path} does not start on this machine: {str(error).splitlines()[0]}")
        yield made
        made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeControl, Front]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        control = FakeControl()
        with Front(control) as front:
            yield control, front


@pytest.fixture
def control(shared: tuple[FakeControl, Front]) -> FakeControl:
    shared[0].__init__()  # type: ignore[misc]
    return shared[0]


@pytest.fixture(scope="module")
def tab(browser: Any) -> Any:
    made = browser.new_page()
    made.set_default_timeout(10_000)
    return made


@pytest.fixture
def open_page(tab: Any, shared: tuple[FakeControl, Front], control: FakeControl) -> Iterator[Open]:
    """Opens the page, and sees that it neither fails nor asks anyone but bgcam."""
    faults: list[str] = []
    address = ""

    def heard(line: Any) -> None:
        if line.type in ("error", "warning") and not any(text in line.text for text in EXPECTED):
            faults.append(line.text)

    def asked(request: Any) -> None:
        if not request.url.startswith((address, "blob:", "data:")):
            faults.append(f"asks {request.url}")

    listeners = {"console": heard, "request": asked, "pageerror": lambda error: faults.append(str(error))}

    def opened(*, url: str = "", width: int = 1280, height: int = 900, **media: Any) -> Any:
        nonlocal address
        address = url or shared[1].open()
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(**{"color_scheme": "light", "reduced_motion": "no-preference", **media})
        tab.goto(address)
        until(tab, "document.querySelectorAll('[role=radio]').length > 3 && document.body.dataset.state !== 'starting'")
        return tab

    for name, listener in listeners.items():
        tab.on(name, listener)
    yield opened
    for name, listener in listeners.items():
        tab.remove_listener(name, listener)
    tab.goto("about:blank")
    assert faults == []


def until(page: Any, condition: str, limit_s: float = 10.0) -> None:
    """Wait until the condition, in JavaScript, holds. Playwright's own would need eval, which the page forbids."""
    end_s = time.monotonic() + limit_s
    while not page.evaluate(condition):
        assert time.monotonic() < end_s, f"waited in vain for {condition}"
        page.wait_for_timeout(20)


@pytest.fixture
def page(open_page: Open) -> Any:
    return open_page()


def keep(page: Any, name: str) -> None:
    """A picture for people."""
    OUT.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=OUT / f"{name}.png", full_page=True)


def card(page: Any, name: str) -> Any:
    return page.get_by_role("radio", name=name)


def test_it_shows_picture_state_and_numbers(page: Any, control: FakeControl) -> None:
    control.notice = "the camera gives 15 frames a second: it is dark"
    until(page, f"{PIXEL}[3] === 255")
    assert page.get_by_role("status").first.inner_text().startswith("LIVE")
    assert page.title() == "LIVE \N{EN DASH} bgcam"
    numbers = [page.locator(f"#{name}").inner_text() for name in ("fps", "latency", "cpu")]
    assert numbers == ["30.0", "21 ms", "87 %"]
    page.get_by_text(control.notice).wait_for()
    page.get_by_text("About this run").click()
    page.get_by_text("virtual camera /dev/video10").wait_for()
    card(page, "beach").click()
    page.wait_for_timeout(300)
    keep(page, "light")


def test_each_state_has_its_word_shape_and_colour(page: Any, control: FakeControl) -> None:
    words = {"placeholder": "BACKGROUND ONLY", "starting": "STARTING", "waiting": "WAITING", "live": "LIVE"}
    for state, word in words.items():
        control.state = state
        page.get_by_text(word, exact=True).wait_for()
        assert page.title().startswith(word)
    style = "(({clipPath, borderRadius, borderTopWidth}) => [clipPath, borderRadius, borderTopWidth].join())"
    looks = page.evaluate(
        f"""['live', 'room', 'placeholder', 'panic', 'starting', 'waiting', 'stopped'].map((name) => {{
            document.body.dataset.state = name;
            return {style}(getComputedStyle(document.querySelector('.shape')));
        }})"""
    )
    assert len(set(looks)) == 7


def test_the_panic_switch(page: Any, control: FakeControl) -> None:
    switch = page.get_by_role("button", name="Panic")
    assert switch.get_attribute("aria-pressed") == "false"
    switch.click()
    wait_for(lambda: control.on)
    page.get_by_text("PANIC", exact=True).wait_for()
    assert switch.get_attribute("aria-pressed") == "true"
    assert "You are hidden" in switch.inner_text()
    page.keyboard.press("p")
    wait_for(lambda: not control.on)
    page.get_by_text("LIVE", exact=True).wait_for()
    assert switch.get_attribute("aria-pressed") == "false"
    assert [what for name, what in control.asked if name == "panic"] == [True, False]  # set, never toggled


def test_the_panic_key_and_where_it_is_a_letter(page: Any, control: FakeControl) -> None:
    page.get_by_text("More settings").click()
    page.get_by_label("Camera", exact=True).click()
    page.keyboard.type("p")
    assert not control.on
    page.get_by_label("Mirror me").focus()
    page.keyboard.press("Control+p")
    assert not control.on
    page.keyboard.press("p")
    wait_for(lambda: control.on)
    page.get_by_text("PANIC", exact=True).wait_for()
    page.keyboard.press("p")
    wait_for(lambda: not control.on)
    card(page, "your room").click()
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("p")  # a question must not keep the picture on
    wait_for(lambda: control.on)
    assert page.get_by_role("dialog").count() == 0
    assert control.now["background"] == "blur"


def test_panic_that_fails_says_so(page: Any, control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(on: bool) -> None:
        raise BgcamError("no")

    monkeypatch.setattr(control, "panic", fail)
    page.keyboard.press("p")
    page.get_by_text("Panic did not work").wait_for()
    assert page.get_by_role("button", name="Panic").get_attribute("aria-pressed") == "false"


def test_a_background_by_mouse(page: Any, control: FakeControl) -> None:
    assert card(page, "blur").get_attribute("aria-checked") == "true"
    card(page, "beach").click()
    wait_for(lambda: control.now["background"] == "beach")
    until(page, "document.querySelector('[aria-checked=true]').textContent === 'beach'")
    until(page, "[...document.querySelectorAll('.card img')].every((one) => one.naturalWidth === 160)")
    blue, _, red = map(int, background("beach")[20, 20])
    until(page, f"Math.abs({PIXEL}[2] - {blue}) < 40 && Math.abs({PIXEL}[0] - {red}) < 40")
    page.get_by_role("button", name="Next").click()
    wait_for(lambda: control.now["background"] == "/home/user/office.jpg")
    page.get_by_role("button", name="Previous").click()
    wait_for(lambda: control.now["background"] == "beach")
    assert card(page, "Desk camera").locator("img").count() == 0  # a thumbnail would switch it on
    card(page, "Desk camera").click()
    wait_for(lambda: control.now["background"] == "camera:/dev/video2")


def test_backgrounds_by_keyboard_never_show_the_room(page: Any, control: FakeControl) -> None:
    card(page, "blur").focus()
    seen = []
    for _ in range(7):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(50)
        seen.append(page.evaluate("document.activeElement.dataset.spec"))
    slides, desk = "/home/user/holidays", "camera:/dev/video2"
    assert seen == ["#336699", "green", "beach", "/home/user/office.jpg", slides, desk, "none"]
    wait_for(lambda: control.now["background"] == slides)  # a camera is not chosen by moving past it either
    assert not any(values == {"background": desk} for _, (values, _) in control.asked)
    assert page.get_by_role("dialog").count() == 0
    assert page.evaluate("document.querySelectorAll('[role=radio][tabindex=\"0\"]').length") == 1
    page.keyboard.press("Home")
    wait_for(lambda: control.now["background"] == "blur")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")  # on the room: asks
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Enter")  # and the answer is no
    until(page, "!document.querySelector('dialog').open")
    assert control.now["background"] == "blur"


def test_the_room_only_after_a_second_confirmation(page: Any, control: FakeControl) -> None:
    card(page, "your room").click()
    dialog = page.get_by_role("dialog", name="Show your room?")
    dialog.wait_for()
    page.screenshot(path=_out("dialog"))
    page.keyboard.press("Escape")
    until(page, "document.querySelector('[aria-checked=true]').dataset.spec === 'blur'")
    card(page, "your room").click()
    dialog.get_by_role("button", name="Keep it hidden").click()
    assert control.now["background"] == "blur"
    card(page, "your room").click()
    dialog.get_by_role("button", name="Show my room").click()
    wait_for(lambda: control.now["background"] == "none")
    assert control.asked[-1] == ("set", ({"background": "none"}, True))
    until(page, "document.querySelector('[aria-checked=true]').dataset.spec === 'none'")
    page.get_by_text("Others see what is really behind you.").wait_for()


@pytest.mark.parametrize("shown", [{"background": "none"}, {"background": "NONE"}, {"view": "side-by-side"}])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_room_that_is_shown_is_unmistakable(
    open_page: Open, control: FakeControl, shown: dict[str, str], scheme: str
) -> None:
    page = open_page(color_scheme=scheme)
    page.get_by_text("LIVE", exact=True).wait_for()
    colours = "['.state b', '.shape', '.frame'].map((one) => getComputedStyle(document.querySelector(one))).map("
    colours += "({backgroundColor, color, borderBottomColor}) => [backgroundColor, color, borderBottomColor].join())"
    live = page.evaluate(colours)
    warning = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--warn')")
    control.now |= shown
    page.get_by_text("ROOM VISIBLE", exact=True).wait_for()
    assert page.title().startswith("ROOM VISIBLE")
    keep(page, f"room_{scheme}")
    assert all(one != other for one, other in zip(page.evaluate(colours), live, strict=True))
    page.evaluate(f"document.body.style.color = '{warning}'")
    amber = page.evaluate("getComputedStyle(document.body).color")
    assert page.evaluate("getComputedStyle(document.querySelector('.state b')).backgroundColor") == amber
    assert page.evaluate("getComputedStyle(document.querySelector('.frame')).borderBottomColor") == amber
    page.evaluate("document.body.style.color = ''")
    control.on = True  # the switch hides the room too
    page.get_by_text("PANIC", exact=True).wait_for()
    control.on = False
    page.get_by_text("ROOM VISIBLE", exact=True).wait_for()
    control.now |= {"background": "beach", "view": "composite"}
    page.get_by_text("LIVE", exact=True).wait_for()


def _out(name: str) -> Path:
    OUT.mkdir(parents=True, exist_ok=True)
    return OUT / f"{name}.png"


def test_side_by_side_asks_too_and_goes_back(page: Any, control: FakeControl) -> None:
    page.get_by_text("More settings").click()
    choice = page.get_by_label("Outputs show")
    choice.select_option("side-by-side")
    page.get_by_role("button", name="Keep it hidden").click()
    until(page, "document.querySelector('dialog').open === false")
    assert (choice.input_value(), control.now["view"]) == ("composite", "composite")


def slide(page: Any, name: str, value: float) -> None:
    page.get_by_label(name, exact=True).fill(str(value))


def test_blur_strength_where_blur_is_chosen(page: Any, control: FakeControl) -> None:
    slider = page.get_by_label("Blur strength")
    assert slider.is_visible()
    slide(page, "Blur strength", 8)
    wait_for(lambda: control.now["background"] == "blur:8.0" or control.now["background"] == "blur:8")
    assert card(page, "blur").get_attribute("aria-checked") == "true"
    card(page, "beach").click()
    slider.wait_for(state="hidden")


def test_slow_changes_do_not_overtake_each_other(page: Any, control: FakeControl) -> None:
    control.wait_s = 0.4
    for value in (1, 2, 3, 4, 5):
        slide(page, "Light wrap", value)
        page.wait_for_timeout(200)
    page.get_by_label("Mirror me").click()
    wait_for(lambda: control.now["light_wrap"] == 5 and control.now["mirror"] is True)
    sent = [values for _, (values, _) in control.asked]
    assert [values["light_wrap"] for values in sent if "light_wrap" in values][-1] == 5
    assert len(sent) < 6  # what was outdated before it could be sent was not
    assert page.get_by_label("Light wrap").input_value() == "5"


def test_every_setting_of_the_look(page: Any, control: FakeControl) -> None:
    slide(page, "Edge", -2)
    wait_for(lambda: control.now["edge"] == ["shrink:2"])
    slide(page, "Sharper edge", 1.5)
    wait_for(lambda: control.now["edge"] == ["shrink:2", "sharp:1.5"])
    slide(page, "Edge", 1)
    wait_for(lambda: control.now["edge"] == ["grow:1", "sharp:1.5"])
    slide(page, "Light wrap", 3.5)
    wait_for(lambda: control.now["light_wrap"] == 3.5)
    slide(page, "Light match", 10)
    wait_for(lambda: control.now["light_match"] == 10)
    page.get_by_label("Mirror me").click()
    wait_for(lambda: control.now["mirror"] is True)
    page.get_by_label("Mirror the background").click()
    wait_for(lambda: control.now["mirror_background"] is True)
    page.get_by_label("Framing").select_option("follow")
    wait_for(lambda: control.now["frame"] == "follow")
    page.get_by_label("Presenter", exact=True).select_option("bottom-right")
    wait_for(lambda: control.now["presenter"] == "bottom-right")
    slide(page, "Presenter size", 36)
    wait_for(lambda: control.now["presenter_size"] == 36)
    assert page.get_by_label("Edge", exact=True).get_attribute("aria-valuetext") == "1 out"


def test_further_settings_are_made_from_what_bgcam_says(page: Any, control: FakeControl) -> None:
    page.get_by_text("More settings").click()
    field = page.get_by_label("Watchdog (ms)")
    field.fill("800")
    field.press("Enter")
    wait_for(lambda: control.now["watchdog_ms"] == 800)
    field.fill("9")
    field.press("Enter")
    page.get_by_text("9 is not from 50 to 60000").wait_for()
    wait_for(lambda: field.input_value() == "800")
    page.get_by_label("On demand").click()
    wait_for(lambda: control.now["on_demand"] is True)
    assert page.get_by_label("Fps").count() == 0  # it cannot change while bgcam runs
    assert page.get_by_label("Slide interval (s)").input_value() == "10"
    slide(page, "Crossfade", 0.7)
    wait_for(lambda: control.now["crossfade_s"] == 0.7)
    camera = page.get_by_label("Camera", exact=True)
    assert page.evaluate("(id) => document.getElementById(id).textContent", camera.get_attribute("aria-describedby"))
    keep(page, "more")


def test_what_is_changed_elsewhere_is_shown(page: Any, control: FakeControl) -> None:
    control.now |= {"mirror": True, "edge": ["shrink:3"], "background": "green"}
    until(page, "document.querySelector('[aria-checked=true]').dataset.spec === 'green'")
    assert page.get_by_label("Mirror me").is_checked()
    control.now["presenter"] = "0.3,0.7"  # not one of the choices: by a command
    until(page, "document.querySelector('option[value=\\'0.3,0.7\\']')?.selected")
    assert page.get_by_label("Edge", exact=True).input_value() == "-3"


def test_the_empty_room_is_learnt_and_forgotten(page: Any, control: FakeControl) -> None:
    button = page.get_by_role("button", name="Learn the empty room")
    button.click()
    page.get_by_text("Step out of the picture until it is learnt.").wait_for()
    assert button.is_disabled()
    control.room = RoomStatus("unknown", "the room was not learnt: someone is there")
    page.get_by_text("the room was not learnt: someone is there").wait_for()
    control.room = RoomStatus("known")
    page.get_by_role("button", name="Forget it").click()
    page.get_by_text("Not learnt yet.").wait_for()
    assert [asked for asked in control.asked if asked[0] == "learn_room"] == [
        ("learn_room", False),
        ("learn_room", True),
    ]


def test_new_backgrounds_by_button(page: Any, control: FakeControl) -> None:
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Add pictures or videos").click()
    chosen.value.set_files([{"name": "Büro.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8" + bytes(5000)}])
    page.get_by_text("Büro.jpg was added").wait_for()
    wait_for(lambda: str(control.now["background"]).endswith("Büro.jpg"))
    assert control.uploads == [("Büro.jpg", 5002)]
    until(page, "document.querySelector('[aria-checked=true]').textContent === 'Büro.jpg'")


def test_new_backgrounds_by_drag_and_drop(page: Any, control: FakeControl) -> None:
    data = base64.b64encode(b"\x89P" + bytes(3000)).decode()
    transfer = page.evaluate_handle(
        """(text) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
            transfer.items.add(new File([bytes], "beach hut.png", {type: "image/png"}));
            return transfer;
        }""",
        data,
    )
    page.dispatch_event("#drop", "dragenter", {"dataTransfer": transfer})
    assert "dropping" in page.locator("#drop").get_attribute("class")
    page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    page.get_by_text("beach hut.png was added").wait_for()
    assert control.uploads == [("beach hut.png", 3002)]
    wait_for(lambda: str(control.now["background"]).endswith("beach hut.png"))
    assert "dropping" not in page.locator("#drop").get_attribute("class")


def test_files_that_are_refused(page: Any, control: FakeControl) -> None:
    page.locator("#file").set_input_files([{"name": "x.txt", "mimeType": "text/plain", "buffer": b"hello"}])
    page.get_by_text("x.txt: not a picture or video").wait_for()
    assert control.now["background"] == "blur"


def test_quit_asks_and_then_says_that_it_has_stopped(page: Any, control: FakeControl) -> None:
    page.get_by_role("button", name="Quit").click()
    dialog = page.get_by_role("dialog", name="Quit bgcam?")
    dialog.get_by_role("button", name="Cancel").click()
    assert control.quits == 0
    page.get_by_role("button", name="Quit").click()
    dialog.get_by_role("button", name="Quit bgcam").click()
    until(page, "document.body.dataset.state === 'stopped'")
    assert control.quits == 1
    page.wait_for_timeout(1300)  # it may answer for a moment
    assert page.evaluate("document.body.dataset.state") == "stopped"


def test_when_bgcam_goes_away(open_page: Open) -> None:
    front = Front(FakeControl(), name="other")
    try:
        page = open_page(url=front.open(), color_scheme="dark")
        until(page, f"{PIXEL}[3] === 255")
    finally:
        front.close()
    page.get_by_text("bgcam has stopped.").wait_for()
    page.get_by_text("STOPPED", exact=True).wait_for()
    assert page.evaluate(f"{PIXEL}[3]") == 0
    assert page.locator("#fps").inner_text() == "\N{EN DASH}"
    assert page.evaluate("document.querySelector('main').inert")
    keep(page, "stopped")


def test_a_picture_that_is_old_is_taken_away(page: Any, control: FakeControl) -> None:
    until(page, f"{PIXEL}[3] === 255")
    control.frozen = True
    page.get_by_text("No new picture").wait_for()
    assert page.evaluate(f"{PIXEL}[3]") == 0
    control.frozen = False
    until(page, f"{PIXEL}[3] === 255")


def test_a_hidden_page_watches_nothing(page: Any, control: FakeControl) -> None:
    until(page, f"{PIXEL}[3] === 255")
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.wait_for_timeout(300)
    before = control.previews
    page.wait_for_timeout(500)
    assert control.previews == before
    page.evaluate(hide, False)
    until(page, f"{PIXEL}[3] === 255")


def test_what_the_preview_shows_can_be_chosen(page: Any, control: FakeControl) -> None:
    page.get_by_label("Preview shows").select_option("matte")
    until(page, f"{PIXEL}[0] > 200 || {PIXEL}.slice(0, 3).every((one) => one < 20)")
    assert control.now["view"] == "composite"  # what the others see stays
    control.only_composite = True
    page.get_by_text("view matte is not drawn now; give composite").wait_for()
    page.get_by_label("Preview shows").select_option("composite")
    page.locator("#no-preview").wait_for(state="hidden")


def test_narrow_pages_do_not_scroll_sideways(open_page: Open, control: FakeControl) -> None:
    control.notice = "averylongnameofacamerawithoutanyspace" * 4
    page = open_page(width=320, height=640)
    page.get_by_text("About this run").click()
    page.get_by_text("More settings").click()
    page.get_by_text(control.notice).wait_for()
    wide = (
        "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)"
    )
    for width, scheme in ((320, "light"), (320, "dark"), (420, "light"), (768, "dark"), (900, "light")):
        page.set_viewport_size({"width": width, "height": 640})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(f"{wide}.map((one) => one.id || one.className || one.tagName)") == []
        keep(page, f"{width}_{scheme}")
    page.set_viewport_size({"width": 320, "height": 640})
    card(page, "your room").click()
    box = page.get_by_role("dialog").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320


CONTRAST = """() => {
    const light = (rgb) => {
        const linear = (one) => one <= .03928 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4;
        const [r, g, b] = rgb.map((one) => linear(one / 255));
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const parts = (text) => text.match(/[0-9.]+/g).map(Number);
    const behind = (one) => {
        for (let at = one; at; at = at.parentElement) {
            const found = parts(getComputedStyle(at).backgroundColor);
            if (found.length === 3 || found[3] > .9) return found.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const poor = [];
    for (const one of document.querySelectorAll("body *")) {
        const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !one.checkVisibility() || one.matches("option, noscript, .no-picture, .hidden")) continue;
        const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))];
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < 4.5) poor.push(`${one.id || one.className || one.tagName}: ${ratio.toFixed(2)}`);
    }
    return poor;
}"""


def test_texts_can_be_read_in_both_schemes(open_page: Open, control: FakeControl) -> None:
    control.now["background"] = "beach"
    page = open_page(reduced_motion="reduce")
    page.get_by_text("More settings").click()
    page.get_by_role("button", name="Panic").click()
    until(page, "document.body.dataset.state === 'panic'")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        first = page.evaluate("parseInt(getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/)[0])")
        assert (first > 128) == (scheme == "light")
        for state in ("live", "placeholder", "stopped", "panic"):
            page.evaluate("(state) => { document.body.dataset.state = state; }", state)
            assert page.evaluate(CONTRAST) == []
        keep(page, f"panic_{scheme}")


def test_everything_is_reached_by_the_tab_key_and_has_a_name(page: Any) -> None:
    page.evaluate("document.getElementById('more').open = true")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    for wanted in ("quit", "panic", "preview-view", "About this run", "next", "add", "More settings"):
        assert wanted in reached, reached
    assert reached[0] == "Skip to the backgrounds"
    inputs = page.evaluate("[...document.querySelectorAll('.settings :is(input, select)')].map((one) => one.id)")
    assert len(inputs) > 10
    assert set(inputs) <= set(reached)
    unnamed = """[...document.querySelectorAll("button, input:not(#file), select, [role=radio]")].filter(
        (one) => one.checkVisibility() && !(one.labels?.length || one.textContent.trim())).map((one) => one.id)"""
    assert page.evaluate(unnamed) == []
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement)"
    assert page.evaluate(f"{outline}.outlineStyle !== 'none' && parseFloat({outline}.outlineWidth) >= 2")


def test_what_a_screen_reader_is_given(page: Any, control: FakeControl) -> None:
    found = page.locator("body").aria_snapshot()
    for part in (
        'heading "bgcam"',
        "status: LIVE You are shown.",
        'img "Preview"',
        'radiogroup "Background"',
        'radio "blur" [checked]',
        'switch "Mirror me"',
        'slider "Light wrap"',
        'combobox "Framing"',
    ):
        assert part in found.replace("LIVEYou", "LIVE You"), found
    assert page.locator("#state").get_attribute("aria-live") == "polite"
    assert page.locator("#message").get_attribute("role") == "alert"


def test_reduced_motion(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('.lever'), '::after').transitionDuration") == "0s"


def test_an_error_is_said_and_the_old_value_comes_back(page: Any, control: FakeControl) -> None:
    control.fails = BackgroundError("office.jpg: the network drive did not answer within 10 s")
    card(page, "office.jpg").click()
    page.get_by_text("the network drive did not answer").wait_for()
    until(page, "document.querySelector('[aria-checked=true]').dataset.spec === 'blur'")
