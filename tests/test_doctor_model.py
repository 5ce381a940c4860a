"""What `bgcam doctor` says of models, backends and the cache: each verdict, with the fault that it is for."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_system import GOOD_MATTE, FakeSystem, judged, mint, one
from platformdirs import user_cache_path

from bgcam.realtime.command.doctor import model_checks
from bgcam.realtime.command.doctor.checks import CHECKS, Check
from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING, Finding
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import TIMED_OUT, Ran
from bgcam.realtime.control.instance import Instance
from bgcam.realtime.model import find
from bgcam.realtime.picture import native


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    monkeypatch.setattr(model_checks, "auto_order", lambda: ["openvino", "onnxruntime"])
    return mint(tmp_path)


def matte(name: str, told: dict[str, Any] | Ran) -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        system.probes["backend", name] = told

    return bring_about


def roots_cache(system: FakeSystem) -> None:
    system.unwritable = "Permission denied"
    user_cache_path("bgcam", appauthor=False).mkdir(parents=True, exist_ok=True)


def full_disk(system: FakeSystem) -> None:
    system.unwritable = "No space left on device"


def homeless(*_words: Any, **_more: Any) -> Path:
    raise RuntimeError("could not determine the home directory for '~/.cache'")


# check, what is brought about, verdict, what must be said, what must be in the command ("" for none)
VERDICTS: list[tuple[Check, Callable[[FakeSystem], Any], str, str, str]] = [
    (model_checks.check_cache, lambda system: None, OK, "bgcam", ""),
    (model_checks.check_cache, full_disk, WARNING, "No space left on device", ""),
    (model_checks.check_cache, roots_cache, WARNING, "Permission denied", 'sudo chown -R "$USER"'),
    (model_checks.check_model, lambda system: None, OK, "fast", ""),
]


@pytest.mark.parametrize(("library", "verdict", "says"), [(object(), OK, "compiled"), (None, WARNING, "by OpenCV")])
def test_code_that_was_not_compiled(
    system: FakeSystem, library: object, verdict: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "LIBRARY", library)
    found = one(model_checks.check_compiled, system)
    judged(found, verdict, says=says, command="")
    assert ("gcc" in found.advice) == (library is None)


@pytest.mark.parametrize(("check", "bring_about", "verdict", "says", "command"), VERDICTS)
def test_verdict(
    system: FakeSystem, check: Check, bring_about: Callable[[FakeSystem], Any], verdict: str, says: str, command: str
) -> None:
    bring_about(system)
    judged(one(check, system), verdict, says=says, command=command)


def test_a_user_without_a_home_has_no_cache(system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", homeless)
    judged(one(model_checks.check_cache, system), WARNING, says="no home folder", command="")


def test_every_check_has_a_verdict_here() -> None:
    tested_by_themselves = {model_checks.check_backends, model_checks.check_compiled, model_checks.check_matte}
    assert {check for check, *_ in VERDICTS} == set(CHECKS["network"]) - tested_by_themselves


def backends(system: FakeSystem, **options: Any) -> list[tuple[str, str]]:
    return [(found.what, found.verdict) for found in model_checks.check_backends(Machine(system, **options))]


@pytest.mark.parametrize(
    ("told", "verdict", "says"),
    [
        (GOOD_MATTE, OK, "OpenVINO CPU, int8: 8.0 ms per matte"),
        (GOOD_MATTE | {"error_mean": 0.3}, PROBLEM, "does not find the person"),
        ({"error": "openvino cannot load it"}, PROBLEM, "openvino cannot load it"),
        (Ran(-4, err="Illegal instruction\n"), PROBLEM, "exited with code -4 (Illegal instruction)"),
        (Ran(TIMED_OUT), PROBLEM, "no answer in 120 s"),
    ],
)
def test_a_backend_is_run(system: FakeSystem, told: Any, verdict: str, says: str) -> None:
    matte("openvino", told)(system)
    (found,) = (line for line in model_checks.check_backends(Machine(system)) if line.what == "openvino")
    assert found.verdict == verdict
    assert says in found.found
    assert verdict == OK or found.command or found.advice, "a fault without a word on what to do"


def test_one_backend_that_works_is_enough(system: FakeSystem) -> None:
    system.networks("onnxruntime")
    matte("openvino", {"error": "openvino cannot load it"})(system)
    assert backends(system) == [("openvino", WARNING), ("onnxruntime", OK)]


def test_one_that_is_not_installed_is_no_fault_where_another_works(system: FakeSystem) -> None:
    assert backends(system) == [("openvino", OK)]


def test_a_wrong_one_that_is_not_taken(system: FakeSystem) -> None:
    matte("onnxruntime", GOOD_MATTE | {"error_mean": 0.3})(system)
    assert backends(system) == [("openvino", OK), ("onnxruntime", WARNING)]


def test_none_at_all_is_a_problem_with_pips_line(system: FakeSystem) -> None:
    system.probes.clear()
    found = model_checks.check_backends(Machine(system))
    assert {line.verdict for line in found} == {PROBLEM}
    assert found[0].command == "pip install openvino"


def test_the_backend_that_is_asked_for_has_to_work(system: FakeSystem) -> None:
    assert backends(system, backend="torch") == [("torch", PROBLEM)]


@pytest.mark.parametrize(
    ("gpu", "on", "says"),
    [
        (True, "OpenVINO CPU, int8", "not on the GPU yet"),
        (True, "PyTorch CPU, fp32", "this PyTorch does not use the GPU"),
        (False, "PyTorch CPU, fp32", "no NVIDIA GPU was found"),
    ],
)
def test_only_what_will_be_on_the_gpu_is_waited_for(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch, gpu: bool, on: str, says: str
) -> None:
    monkeypatch.setattr(model_checks, "has_gpu", lambda: gpu)
    matte("torch", GOOD_MATTE | {"description": on})(system)
    (found,) = model_checks.check_backends(Machine(system, backend="torch"))
    assert (found.verdict, says in found.found) == (WARNING, True)
    assert ("until it says it is ready" in found.advice) == ("yet" in says)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"description": "OpenVINO CPU, int8", "matte_ms": 8.0}, "not on the GPU yet"),
        ({"description": "PyTorch NVIDIA H100, fp16", "matte_ms": 30.0}, "slower than the processor by openvino"),
    ],
)
def test_a_gpu_that_is_not_used(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(model_checks, "auto_order", lambda: ["torch", "openvino"])
    monkeypatch.setattr(model_checks, "has_gpu", lambda: True)
    matte("torch", GOOD_MATTE | told)(system)
    by_name = {found.what: found for found in model_checks.check_backends(Machine(system))}
    assert by_name["openvino"].verdict == OK
    assert (by_name["torch"].verdict, says in by_name["torch"].found) == (WARNING, True)


def test_a_model_that_is_not_as_it_was_shipped(
    system: FakeSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "MODELS_FOLDER", tmp_path)
    sums = []
    for name in ("fast", "resnet50_half"):
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
        sums.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}.onnx\n")
    (tmp_path / "SHA256SUMS").write_text("".join(sums))
    assert one(model_checks.check_model, system) == Finding("model", OK, "fast, resnet50_half")
    (tmp_path / "resnet50_half.onnx").write_bytes(b"damaged")
    found = one(model_checks.check_model, system)
    assert (found.verdict, "not the file that was shipped" in found.found) == (PROBLEM, True)
    assert "install bgcam again" in found.advice
    assert one(model_checks.check_model, system, model="fast").verdict == WARNING
    assert one(model_checks.check_model, system, model="resnet50_half").verdict == PROBLEM


def test_a_model_that_is_not_there(system: FakeSystem) -> None:
    assert one(model_checks.check_model, system, model="nope").verdict == PROBLEM
    assert model_checks.check_backends(Machine(system, model="nope")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no socket on Windows")
def test_backends_are_left_alone_while_bgcam_runs(
    system: FakeSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    instance = Instance()
    try:
        (found,) = model_checks.check_backends(Machine(system))
    finally:
        instance.close()
    assert (found.verdict, system.ran) == (OK, [])
    assert "bgcam status" in found.found
    assert [one.what for one in model_checks.check_backends(Machine(system))] != ["backends"]


class Doubting:
    """A running bgcam's status."""

    doubt: float | None = None

    def __call__(self) -> Any:
        return self

    def status(self) -> Any:
        return SimpleNamespace(matte_doubt=self.doubt)


@pytest.mark.parametrize(("doubt", "found"), [(None, False), (0.04, False), (0.31, True)])
def test_a_running_bgcam_that_doubts_its_mattes(system, monkeypatch, doubt, found) -> None:
    running = Doubting()
    running.doubt = doubt
    monkeypatch.setattr(model_checks, "Client", running)
    assert model_checks.check_matte(Machine(system)) is None
    monkeypatch.setattr(model_checks, "runs_already", lambda: "bgcam runs already")
    told = model_checks.check_matte(Machine(system))
    assert (told is not None) == found
    if told is not None:
        assert (told.verdict, told.found) == (WARNING, "31% of what the running bgcam takes for you is your room")
