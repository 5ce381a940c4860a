"""Checks of what finds the person: the models' files, the backends that run them, and the cache; and the web page."""

from __future__ import annotations

import errno
import os
import shlex
from dataclasses import replace
from typing import Any

from bgcam.packages import install_command
from bgcam.realtime.cache import cache_folder
from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING, Finding
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.control.client import Client
from bgcam.realtime.control.instance import runs_already
from bgcam.realtime.errors import BgcamError
from bgcam.realtime.model.auto import alternatives
from bgcam.realtime.model.backends import GPU_MODULES, auto_order, is_x86_64
from bgcam.realtime.model.backends._gpu import has_gpu
from bgcam.realtime.model.find import find_model, shipped_models
from bgcam.realtime.picture import native
from bgcam.realtime.picture.matte_doubt import DOUBTFUL

BACKEND_TIMEOUT_S = 120
# alpha's mean error in the demo's first frame: 0.02 by the shipped models, 0.3 of an empty matte
WRONG_ABOVE = 0.1
# Measured on two kinds of processor: docs/packages.md.
SLOWER_WITHOUT = "not installed: with it a matte takes about half the time"


def check_model(machine: Machine) -> Finding:
    """The model's file, and whether all that come with bgcam are as they were shipped: "auto" times each."""
    try:
        find_model(machine.model)
    except BgcamError as error:
        return Finding("model", PROBLEM, *_split(error))
    try:
        names = [find_model(name).stem for name in shipped_models()]
    except BgcamError as error:
        return Finding("model", PROBLEM if machine.model == "auto" else WARNING, *_split(error))
    return Finding("model", OK, ", ".join(names) if machine.model == "auto" else machine.model)


def check_backends(machine: Machine) -> list[Finding]:
    """Each backend that "auto" may take, or the one that is asked for, finds the demo's person and is timed.

    Not while bgcam runs: that would take the processor, or the GPU, from the call.
    """
    if runs_already():
        return [Finding("backends", OK, "not examined while bgcam runs; `bgcam status` says what it runs on")]
    names = [machine.backend]
    if machine.backend == "auto":  # those after the usual ones are what `--model auto` compares them with
        names = list(dict.fromkeys([*auto_order(), *alternatives("auto")]))
    try:
        path = find_model(machine.model)
    except BgcamError:
        return []
    told = {name: machine.probe("backend", name, str(path), timeout_s=BACKEND_TIMEOUT_S) for name in names}
    times_ms = {name: answer["matte_ms"] for name, answer in told.items() if "error" not in answer}
    taken = next(iter(times_ms), None)  # "auto" takes the first that loads, whatever its mattes are
    findings = [_judge(name, answer, times_ms, taken=name == taken) for name, answer in told.items()]
    if taken is None:
        return [replace(found, verdict=PROBLEM) for found in findings]
    # One that is not installed is no loss where another works.
    findings = [found for found in findings if "is not installed" not in found.found]
    return [*findings, *_faster(taken)] if machine.backend == "auto" else findings


def _faster(taken: str) -> list[Finding]:
    """What the light wheel comes without. It is no fault, so `--fix` does not offer it."""
    if taken != "onnxruntime" or not is_x86_64() or "openvino" in auto_order():
        return []
    return [Finding("openvino", OK, SLOWER_WITHOUT, install_command("openvino"))]


def _judge(name: str, told: dict[str, Any], times_ms: dict[str, float], *, taken: bool) -> Finding:
    if "error" in told:
        what, _, cure = str(told["error"]).partition("; run: ")
        # The error comes with a command that fixes it; nothing is known of one that hangs or crashes.
        advice = "" if cure else "choose another with --backend; if none works, restart and report this"
        return Finding(name, WARNING, what, cure, advice)
    matte_ms: float = told["matte_ms"]
    found = f"{told['description']}: {matte_ms:.1f} ms per matte"
    if told["error_mean"] > WRONG_ABOVE:
        advice = "its mattes are wrong; choose another with --backend, and report this"
        verdict = PROBLEM if taken else WARNING
        return Finding(name, verdict, f"{found}, but it does not find the person in the demo", advice=advice)
    if name in GPU_MODULES and "CPU" in told["description"]:
        return _not_on_gpu(name, told["description"], found)
    slower = [other for other, other_ms in times_ms.items() if other not in GPU_MODULES and other_ms < matte_ms]
    if name in GPU_MODULES and slower:
        return Finding(name, WARNING, f"{found}, slower than the processor by {slower[0]}", advice="see nvidia-smi")
    return Finding(name, OK, found)


def _not_on_gpu(name: str, description: str, found: str) -> Finding:
    if not has_gpu():
        return Finding(name, WARNING, f"{found}: no NVIDIA GPU was found", advice="leave --backend out")
    if description.startswith("PyTorch"):  # the others start on the processor and go over to the GPU
        advice = "install a PyTorch with CUDA for this driver: https://pytorch.org/get-started"
        return Finding(name, WARNING, f"{found}: this PyTorch does not use the GPU", advice=advice)
    return Finding(name, WARNING, f"{found}: not on the GPU yet", advice="run bgcam until it says it is ready")


def check_matte(machine: Machine) -> Finding | None:
    """Whether the bgcam that runs is in doubt of its mattes: the room that it knows contradicts them."""
    if not runs_already():
        return None
    try:
        doubt = Client().status().matte_doubt
    except BgcamError:
        return None
    if doubt is None or doubt < DOUBTFUL:
        return None
    found = f"{doubt:.0%} of what the running bgcam takes for you is your room"
    return Finding("matte", WARNING, found, advice="try another --model, or more light")


def check_compiled(machine: Machine) -> Finding:
    """Whether the picture's slow functions are machine code."""
    if native.LIBRARY is not None:
        return Finding("picture", OK, "processed by compiled code")
    advice = "install a C compiler (Debian: sudo apt install gcc libc6-dev), then bgcam again"
    return Finding("picture", WARNING, "processed by OpenCV, three times as slow", advice=advice)


def check_cache(machine: Machine) -> Finding:
    try:
        folder = cache_folder()
    except RuntimeError:
        found = "this user has no home folder, so there is no cache: bgcam starts slowly every time"
        return Finding("cache", WARNING, found, advice="set HOME, or XDG_CACHE_HOME, to a folder that this user owns")
    reason = machine.system.why_not_writable(folder)
    if reason:
        found = f"{folder} cannot be written to ({reason}): bgcam starts slowly every time"
        # Most often it is root's, of a bgcam that was run with sudo.
        owner = machine.as_root(f'chown -R "$USER" {shlex.quote(str(folder))}') if folder.exists() else ""
        fix = owner if reason == os.strerror(errno.EACCES) else ""
        return Finding("cache", WARNING, found, fix, "" if fix else "set XDG_CACHE_HOME to another folder")
    return Finding("cache", OK, f"{folder}")


def check_web_page(machine: Machine) -> Finding | None:
    """Where there is no virtual camera the picture goes to a web page."""
    if machine.virtual_camera:
        return None
    from bgcam.realtime.sinks.web.sink import DEFAULT_PORT

    if machine.system.port_is_free(DEFAULT_PORT):
        return Finding("web page", OK, f"port {DEFAULT_PORT} is free")
    found = f"port {DEFAULT_PORT} is in use, perhaps by another bgcam"
    return Finding("web page", PROBLEM, found, advice="close it, or: bgcam --output web:0")


def _split(error: BgcamError) -> tuple[str, str, str]:
    """An error's message as the parts of a finding: what happened, no command, what to do."""
    found, _, advice = str(error).partition("; ")
    return found, "", advice
