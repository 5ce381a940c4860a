"""The faults that bgcam must survive, and the measurements of each.

`python tests/fault_table.py` prints the tables of docs/evidence/reliability.md, measured on this machine.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from faults import UNPLUGGED, Injector, LookingSink, make_run
from waiting import wait_for


@dataclass(frozen=True)
class Fault:
    """One fault.

    name: the injector's name for it.
    how: how it is injected.
    sees: what a viewer sees.
    back_ms: the longest time after which the person must be back.
    """

    name: str
    how: str
    sees: str = "background only, then the person again"
    back_ms: float = 250


FAULTS = [
    Fault("camera fails", "`read` raises"),
    Fault(
        UNPLUGGED, "`read` raises, and so does opening it again", back_ms=2250
    ),  # it is searched for at growing intervals
    Fault("camera hangs", "`read` does not return"),
    Fault("camera changes its size", "smaller frames during the run"),
    Fault("camera turns grey", "frames with one channel during the run"),
    Fault("inference fails", "the backend raises"),
    Fault("inference hangs", "the backend does not return"),
    Fault("matte is NaN", "alpha of NaN"),
    Fault("matte is all one", "alpha of 1 everywhere, suddenly"),
    Fault("matte is one half", "alpha of 0.5 everywhere, suddenly"),
    Fault("matte is out of range", "alpha of 7 on 96 % of the frame"),
    Fault("matte is of 0 to 255", "alpha of 255 on 96 % of the frame"),
    Fault("matte of another frame", "the frame's number is wrong"),
    Fault("matte of another size", "a row is missing"),
    Fault("background vanishes", "the background raises"),
    Fault("background of another size", "a row is missing"),
    Fault("picture fails", "the picture stage raises"),
    Fault("picture hangs", "the picture stage does not return"),
    Fault("other output hangs", "a second output's `write` does not return"),
]


@dataclass(frozen=True)
class Otherwise:
    """A fault without a placeholder. test: FILE::FUNCTION in this folder, which injects it."""

    name: str
    how: str
    sees: str
    test: str


OTHERS = [
    Otherwise(
        "disk is full",
        "the recording's writer raises ENOSPC; a small file system that another program fills",
        "the picture continues; the recording is playable up to that point",
        "test_disk_full.py::test_a_real_full_disk_from_the_command",
    ),
    Otherwise(
        "disk is nearly full at the start",
        "a file system with 17 MB",
        "one line, exit code 1",
        "test_disk_full.py::test_a_disk_that_is_nearly_full_at_the_start_is_said_before_anything_is_written",
    ),
    Otherwise(
        "recording process is killed",
        "its file is read while it is being written",
        "the hidden file is playable except for its end",
        "test_disk_full.py::test_what_a_killed_run_leaves_plays_but_for_its_end",
    ),
    Otherwise(
        "process is killed",
        "`kill -9` at random moments",
        "the web page ends; before, it showed only composed pictures and placeholders",
        "test_killed.py::test_a_reader_of_a_killed_run_never_sees_the_room",
    ),
    Otherwise(
        "process is stopped",
        "Ctrl-Z",
        "background only, until it continues",
        "test_killed.py::test_a_run_that_is_stopped_shows_the_background_until_it_goes_on",
    ),
    Otherwise(
        "no more pictures reach the browser",
        "no picture is written, then the server ends",
        "an empty page within 500 ms, then the picture again",
        "test_page.py::test_a_picture_that_is_old_is_taken_away_and_comes_back",
    ),
    Otherwise(
        "mattes are refused while files are made",
        "alpha of 1 everywhere, suddenly",
        "background only in those frames; the last line gives their number; exit code 1",
        "test_whole_command.py::test_a_network_that_takes_all_for_a_person_shows_no_room_anywhere",
    ),
    Otherwise(
        "every matte is refused while files are made",
        "alpha of 1 everywhere, from the first frame on",
        "no file; one line, exit code 1",
        "test_whole_command.py::test_files_are_not_kept_where_every_matte_is_refused",
    ),
    Otherwise(
        "network flickers in an empty room",
        "alpha of 1 on 80 % of the frame, for one frame and for two",
        "background only",
        "test_jumps.py::test_a_network_that_flickers_shows_no_room_in_a_run",
    ),
    Otherwise(
        "a part returns the camera's frame, or its memory, as the picture",
        "the picture stage returns the camera frame, its array, or an object that looks like a composed frame",
        "background only; if all outputs are files, an error, and no file",
        "test_gate.py::test_a_picture_stage_that_gives_something_else_shows_no_room",
    ),
    Otherwise(
        "a part raises SystemExit",
        "in the camera, the network, the picture or an output",
        "one line, exit code 1; no file",
        "test_system_exit.py::test_a_stage_that_ends_itself_is_an_error",
    ),
    Otherwise(
        "model file is truncated, overwritten or removed",
        "the file of a running model is changed",
        "the picture continues",
        "test_matting.py::test_a_model_file_that_changes_in_mid_run_changes_nothing",
    ),
    Otherwise(
        "another backend takes over during a run",
        "it becomes ready while frames are in progress",
        "the picture continues",
        "test_warming.py::test_the_fallback_serves_until_the_other_is_ready",
    ),
    Otherwise(
        "GPU fails during a run",
        "its calls raise",
        "the processor takes over; no frame is lost",
        "test_renderer.py::test_the_processor_goes_on_where_the_gpu_fails",
    ),
    Otherwise(
        "backend fails to start while another is in use",
        "its constructor raises",
        "the picture continues with the old one",
        "test_warming.py::test_where_it_is_optional_the_fallback_goes_on",
    ),
    Otherwise(
        "background video breaks",
        "the file is truncated while it plays",
        "its last good picture",
        "test_backgrounds.py::test_a_video_that_breaks_leaves_its_last_good_picture",
    ),
    Otherwise(
        "picture in a slideshow is damaged",
        "a file that is not a picture",
        "the next one that can be read",
        "test_backgrounds.py::test_a_slideshow_passes_over_what_cannot_be_read",
    ),
    Otherwise(
        "drive of a slideshow hangs in a call",
        "reading a picture does not return",
        "the picture before, until then",
        "test_slideshow.py::test_a_call_does_not_wait_for_a_slow_drive_and_a_file_does",
    ),
    Otherwise(
        "second camera, the background, is lost or silent",
        "its reads fail, or do not return",
        "you, in front of plain grey, within a second; it is opened again",
        "test_background_camera.py::test_while_it_is_lost_or_silent_it_is_grey_and_nobody_waits",
    ),
    Otherwise(
        "machine is too busy",
        "a stage slower than the camera",
        "frames are dropped evenly; the status line says so",
        "test_busy.py::test_frames_are_dropped_evenly_and_latency_stays_bounded",
    ),
    Otherwise(
        "no person in the picture",
        "empty rooms, noise, a light that is switched off and on",
        "background only",
        "test_nobody_there.py::test_who_leaves_leaves_the_background_alone",
    ),
    Otherwise(
        "web page requested by a foreign name",
        "DNS rebinding: another Host",
        "403 and one line",
        "test_web_attacks.py::test_dns_rebinding",
    ),
    Otherwise(
        "web page requested by another site",
        "Origin and Sec-Fetch-Site of another page",
        "403 and one line",
        "test_web_attacks.py::test_cross_site_requests",
    ),
    Otherwise(
        "ambiguous request to the web page",
        "Host, Origin or Sec-Fetch-Site twice",
        "400 and one line",
        "test_web_attacks.py::test_a_header_that_comes_twice_is_refused",
    ),
    Otherwise(
        "web page requested without the key",
        "paths with a wrong key or without one",
        "403 and one line",
        "test_web_attacks.py::test_the_key_is_needed_and_is_another_each_time",
    ),
    Otherwise(
        "a hundred slow viewers at once",
        "sockets that do not read",
        "8 watch, the others get a message; the camera is not slowed down",
        "test_web_attacks.py::test_a_hundred_at_once_do_not_slow_write_and_leave_nothing",
    ),
    Otherwise(
        "web page flooded with connections",
        "200 that stay open, and as many new ones as possible",
        "viewers with the key are served, and keep watching",
        "test_web_attacks.py::test_a_flood_of_strangers_keeps_nobody_out",
    ),
    Otherwise(
        "link, pipe, folder or foreign file is planted",
        "at a file's hidden name, guessed or not",
        "it is not touched",
        "test_atomic_write.py::test_what_is_planted_at_the_hidden_name_is_left_alone",
    ),
    Otherwise(
        "two runs with one output",
        "both start at the same time",
        "one of them is refused",
        "test_claims.py::test_of_two_that_begin_at_once_one_writes",
    ),
    Otherwise(
        "another program takes an output's name",
        "its file is there when the recording ends",
        "both files are complete",
        "test_claims.py::test_a_name_that_others_take_meanwhile_costs_no_recording",
    ),
    Otherwise(
        "several Ctrl-C during a recording from a camera",
        "two to four signals at random times, 2 to 250 ms apart",
        "the recording is complete",
        "test_recordings.py::test_interrupts_at_random_times_leave_the_recording_whole",
    ),
    Otherwise(
        "the log breaks",
        "its reader ends or stops reading; its disk is full; it is closed",
        "the recording is complete",
        "test_recordings.py::test_a_log_that_nobody_reads_any_more_costs_no_recording",
    ),
    Otherwise(
        "backend hangs or fails, or the web page fails, during a recording from a camera",
        "the backend's call does not return, or raises; the page raises",
        "the recording is complete, and the last line says where it is",
        "test_recordings.py::test_an_error_keeps_a_cameras_recording_and_the_last_line_says_where",
    ),
    Otherwise(
        "an output cannot be closed",
        "its `close` does not return, or raises",
        "the others are complete",
        "test_ending.py::test_one_that_hangs_or_fails_keeps_no_other",
    ),
    Otherwise(
        "file is damaged or malicious",
        "randomly changed bytes; decompression bombs of 144 megapixels",
        "one line, exit code 2, or 1 if it only ends early",
        "test_lying_videos.py::test_damaged_videos",
    ),
    Otherwise(
        "compiled network in the cache is damaged",
        "flipped bits, a zeroed page, truncation, another network's contents",
        "one line; it is recompiled",
        "test_blob_cache.py::test_a_flipped_bit_is_not_run",
    ),
    Otherwise(
        "network, compiler or driver is wrong",
        "the matte of the known picture differs",
        "one line; recompiled, then the next backend, then exit code 1",
        "test_known_matte.py::test_a_wrong_network_is_seen",
    ),
    Otherwise(
        "shipped model is damaged",
        "a changed byte; no table of checksums",
        "one line, exit code 1",
        "test_spec.py::test_a_shipped_model_is_checked_against_the_table",
    ),
]


@dataclass(frozen=True)
class Measured:
    """placeholder_ms: from the fault's beginning to the first placeholder.
    back_ms: from its end to the first picture.
    """

    placeholder_ms: float
    back_ms: float
    leaks: int
    longest_picture_ms: float


def measure(fault: Fault, *, watchdog_ms: float, lasts_s: float, fps: float = 60) -> Measured:
    """Runs a fault that begins, lasts and ends. Raises AssertionError if no placeholder or no picture came."""
    faults = Injector()
    sink, other = LookingSink(faults), LookingSink(faults, live=False)
    pipeline = make_run(faults, fps=fps, watchdog_ms=watchdog_ms, reopened=fault.name == UNPLUGGED)
    thread = threading.Thread(target=pipeline.run, args=([sink, other],))
    thread.start()
    try:
        wait_for(lambda: sum(not placeholder for _, placeholder in sink.got) > 5)
        began_s = time.monotonic()
        faults.set(fault.name)
        time.sleep(lasts_s)
        healed_s = time.monotonic()
        faults.set("")
        wait_for(lambda: not sink.got[-1][1] and sink.got[-1][0] > healed_s)
    finally:
        pipeline.stop()
        thread.join(10)
    assert not thread.is_alive(), f"the run does not end after {fault.name}"
    # Frames that were in progress when it began still come through.
    placeholders_s = [at_s for at_s, placeholder in sink.got if placeholder and began_s <= at_s]
    pictures_s = [at_s for at_s, placeholder in sink.got if not placeholder and at_s >= healed_s]
    shown = [end[0] - begin[0] for begin, end in zip(sink.got, sink.got[1:], strict=False) if not begin[1]]
    assert min(placeholders_s) < healed_s, f"no placeholder while {fault.name}"
    return Measured(
        placeholder_ms=(placeholders_s[0] - began_s) * 1000,
        back_ms=(pictures_s[0] - healed_s) * 1000,
        leaks=len(sink.leaks) + len(other.leaks),
        longest_picture_ms=max(shown) * 1000,
    )


def table(*, watchdog_ms: float = 500, lasts_s: float = 1.0) -> str:
    """The Markdown table of docs/evidence/reliability.md."""
    titles = "placeholder after, ms | back after, ms | longest picture, ms"
    lines = [f"| fault | how it is injected | what you see | {titles} |", "|---|---|---|---|---|---|"]
    for fault in FAULTS:
        found = measure(fault, watchdog_ms=watchdog_ms, lasts_s=lasts_s)
        times = f"{found.placeholder_ms:.0f} | {found.back_ms:.0f} | {found.longest_picture_ms:.0f}"
        lines.append(f"| {fault.name} | {fault.how} | {fault.sees} | {times} |")
    return "\n".join(lines)


def others_table() -> str:
    """The second table of docs/evidence/reliability.md, which has no times."""
    lines = ["| fault | how it is injected | what you see | test |", "|---|---|---|---|"]
    lines += [f"| {one.name} | {one.how} | {one.sees} | `{one.test}` |" for one in OTHERS]
    return "\n".join(lines)


if __name__ == "__main__":
    print(others_table(), end="\n\n")
    print(table())
