"""The Debian package: its control fields, what it holds and leaves out, its scripts; `make deb-test` installs it."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import bgcam
from bgcam import packages
from bgcam.realtime.command.install.files import MARK

ROOT = Path(bgcam.__file__).resolve().parent
if not (ROOT / "packaging").is_dir():
    pytest.skip("bgcam is installed without its checkout", allow_module_level=True)

from bgcam.packaging.deb import build, clean_root, contents, environment  # noqa: E402

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb")


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))


def make_site(place: Path) -> Path:
    """An environment as venv and pip leave it, in small."""
    site = place / "lib" / "python3.11" / "site-packages"
    for name in (
        "openvino/libs/libopenvino_intel_cpu_plugin.so",
        "openvino/libs/libopenvino_intel_gpu_plugin.so",
        "openvino/libs/libopenvino_ir_frontend.so.2641",
        "openvino/libs/libopenvino_onnx_frontend.so.2641",
        "openvino/libs/libopenvino_pytorch_frontend.so.2641",
        "openvino/include/openvino/core.hpp",
        "numpy/_core/tests/test_all.py",
        "numpy/testing/__init__.py",
        "numpy/__init__.pyi",
        "bgcam/assets/icon.png",
        "bgcam-1.dist-info/direct_url.json",
        "bgcam-1.dist-info/METADATA",
    ):
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
        path.chmod(0o600)
    (place / "bin").mkdir()
    (place / "bin" / "python3").symlink_to("/usr/bin/python3")
    (place / "bin" / "f2py").write_text(f"#!{place}/bin/python3\n")
    (place / "lib64").symlink_to("lib")
    (place / "pyvenv.cfg").write_text(f"command = {place}\n")
    return site


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root that is ready to be packed."""
    monkeypatch.setattr(environment, "compile_all", lambda python, place: None)
    place = tmp_path / "root" / contents.PREFIX.relative_to("/")
    environment.tidy(place, make_site(place), "3.11.2")
    build.assemble(tmp_path / "root", python=(3, 11), libraries={"zlib1g", "libc6"}, architecture="amd64")
    return tmp_path / "root"


def test_the_control_file(root: Path) -> None:
    found = fields((root / "DEBIAN" / "control").read_text())
    assert found["Version"] == bgcam.__version__
    assert found["Depends"] == "python3 (>= 3.11~), python3 (<< 3.12), libc6, zlib1g"
    assert found["Recommends"] == "v4l2loopback-dkms"
    assert int(found["Installed-Size"]) > 100
    assert all(len(line) <= 80 for line in contents.DESCRIPTION.splitlines())


def test_what_is_not_used_is_left_out(root: Path) -> None:
    place = root / contents.PREFIX.relative_to("/")
    left = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file() or path.is_symlink()}
    site = "lib/python3.11/site-packages"
    assert left == {
        "bin/python3",
        "debian-package",
        "pyvenv.cfg",
        f"{site}/bgcam-1.dist-info/METADATA",
        f"{site}/bgcam/assets/icon.png",
        f"{site}/numpy/testing/__init__.py",
        f"{site}/openvino/libs/libopenvino_intel_cpu_plugin.so",
        f"{site}/openvino/libs/libopenvino_ir_frontend.so.2641",  # the cache of compiled networks is in it
        f"{site}/openvino/libs/libopenvino_onnx_frontend.so.2641",
    }
    assert str(root) not in (place / "pyvenv.cfg").read_text()
    assert (place / packages.DEBIAN_MARKER).read_text() == "bgcam\n"


def test_what_lies_outside_opt(root: Path) -> None:
    outside = {str(path.relative_to(root)) for path in (root / "usr").rglob("*") if path.is_file()}
    assert outside == {
        "usr/bin/bgcam",
        "usr/lib/systemd/user/bgcam.service",
        "usr/share/applications/bgcam.desktop",
        "usr/share/bash-completion/completions/bgcam",
        "usr/share/doc/bgcam/changelog.gz",
        "usr/share/doc/bgcam/copyright",
        "usr/share/fish/vendor_completions.d/bgcam.fish",
        "usr/share/icons/hicolor/scalable/apps/bgcam.svg",
        "usr/share/man/man1/bgcam.1.gz",
        "usr/share/zsh/vendor-completions/_bgcam",
    }
    assert (
        gzip.decompress((root / "usr/share/man/man1/bgcam.1.gz").read_bytes()) == (ROOT / "docs/bgcam.1").read_bytes()
    )
    assert (root / "usr/share/zsh/vendor-completions/_bgcam").read_text().startswith("#compdef bgcam\n")
    assert "_shtab_bgcam" in (root / "usr/share/bash-completion/completions/bgcam").read_text()
    assert "complete -c bgcam" in (root / "usr/share/fish/vendor_completions.d/bgcam.fish").read_text()


def test_rights_do_not_depend_on_the_builder(root: Path) -> None:
    modes = {path.relative_to(root): path.stat().st_mode & 0o777 for path in build.contents(root) if path.is_file()}
    programs = {str(path) for path, mode in modes.items() if mode == 0o755 and path.name != "python3"}
    assert programs == {"usr/bin/bgcam"}
    assert set(modes.values()) <= {0o644, 0o755}


@needs_dpkg
def test_dpkg_takes_it(root: Path, tmp_path: Path) -> None:
    made = build.pack(root, tmp_path / "dist", architecture="amd64")
    assert made.name == f"bgcam_{bgcam.__version__}_amd64.deb"
    listed = subprocess.run(["dpkg-deb", "--contents", made], capture_output=True, text=True, check=True).stdout
    assert all(" root/root " in line for line in listed.splitlines())
    taken = tmp_path / "taken"
    subprocess.run(["dpkg-deb", "--raw-extract", made, taken], check=True)
    subprocess.run(["md5sum", "--quiet", "--check", "DEBIAN/md5sums"], cwd=taken, check=True)


@needs_dpkg
@pytest.mark.skipif(shutil.which("lintian") is None, reason="there is no lintian")
@pytest.mark.skipif(os.environ.get("BGCAM_LINTIAN") != "1", reason="lintian takes long; make deb-test runs it")
def test_lintian_finds_no_error_of_ours(root: Path, tmp_path: Path) -> None:
    made = build.pack(root, tmp_path / "dist", architecture="amd64", compression=("-Zxz",))  # it knows no zstd
    ran = subprocess.run(["lintian", "--allow-root", made], capture_output=True, text=True, check=False, timeout=60)
    errors = [line.split()[2:4] for line in ran.stdout.splitlines() if line.startswith("E: ")]
    # It is for what does not come with Debian: FHS 3.13.
    assert [one for one in errors if one[0] != "dir-or-file-in-opt"] == []


def test_the_program_is_apart_from_other_python(tmp_path: Path) -> None:
    program = tmp_path / "bgcam"
    program.write_text(contents.PROGRAM.replace(f"{contents.PREFIX}/bin/python3", "env"))
    program.chmod(0o755)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": "elsewhere", "PYTHONHOME": "elsewhere"}
    ran = subprocess.run(["sh", "-c", program.read_text().replace("-m bgcam", "")], env=environ, capture_output=True)
    assert ran.returncode == 0
    told = ran.stdout.decode().splitlines()
    assert [line for line in told if line.startswith("PYTHON")] == ["PYTHONSAFEPATH=1"]


@pytest.mark.parametrize(("word", "stays"), [("remove", False), ("purge", False), ("upgrade", True)])
def test_removal_takes_what_pip_has_added(tmp_path: Path, word: str, stays: bool) -> None:
    added = tmp_path / "opt" / "bgcam" / "lib" / "added.py"
    added.parent.mkdir(parents=True)
    added.touch()
    script = contents.POSTRM.replace("/opt", str(tmp_path / "opt"))
    subprocess.run(["sh", "-c", script, "postrm", word], check=True)
    assert added.exists() == stays


def test_the_unit_is_not_taken_for_the_users_own() -> None:
    unit = contents.user_unit()
    assert not unit.startswith(MARK)
    assert 'ExecStart="/usr/bin/bgcam" "--output" "virtual" "--on-demand"' in unit
    assert "PrivateUsers" not in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "bgcam.service"
    unit.write_text(contents.user_unit().replace("/usr/bin/bgcam", "/bin/true"))
    (tmp_path / "runtime").mkdir(mode=0o700)
    environ = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path / "runtime")}
    command = ["systemd-analyze", "--user", "verify", str(unit)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-validate is not installed")
def test_the_desktop_entry_is_valid(tmp_path) -> None:
    path = tmp_path / "bgcam.desktop"
    path.write_bytes(build.system_files()["usr/share/applications/bgcam.desktop"])
    subprocess.run(["desktop-file-validate", path], check=True)


def test_a_python_that_is_not_the_systems_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\necho \'["/home/me/.pyenv", "3.11.7"]\'\n')
    python.chmod(0o755)
    with pytest.raises(environment.BuildError, match=r"not the system's Python but that of /home/me/\.pyenv"):
        environment.python_version(str(python))
    with pytest.raises(environment.BuildError, match="cannot be run"):
        environment.python_version(str(tmp_path / "none"))


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="there is no dpkg-query")
def test_a_library_of_no_package_is_an_error() -> None:
    with pytest.raises(environment.BuildError, match=r"no installed package has libnowhere\.so\.1"):
        environment.package_of("libnowhere.so.1", multiarch="x86_64-linux-gnu")


def test_where_no_root_can_be_made_it_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clean_root, "why_not", lambda: "there is no mmdebstrap: sudo apt install mmdebstrap")
    assert clean_root.main(["no.deb"]) == 0
    monkeypatch.setenv("BGCAM_REQUIRE_DEB", "1")
    assert clean_root.main(["no.deb"]) == 1
    skipped, failed = capsys.readouterr().err.splitlines()
    assert skipped == "skipped: the package in a clean root: there is no mmdebstrap: sudo apt install mmdebstrap"
    assert failed == skipped.replace("skipped", "failed")
