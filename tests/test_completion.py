"""`bgcam completion`: a shell that loads its script knows commands, options, and the values of settings."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from command import one_line

from bgcam.realtime.command import cli
from bgcam.realtime.command.completion import SHELLS, set_words

# What a shell calls when Tab is pressed, in a file; then what it would offer.
ASK = """
source %s
COMP_WORDS=(%s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_bgcam
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["completion", "foo"], "bgcam completion takes bash, zsh, fish or tcsh, not 'foo'"),
        (["completion", "fsh"], "bgcam completion takes bash, zsh, fish or tcsh, not 'fsh'; did you mean fish?"),
        (["config", "foo"], "bgcam config takes edit or path, not 'foo'"),
        (["cache", "foo"], "bgcam cache takes clear, not 'foo'"),
        (["completion"], "the following arguments are required: bash|zsh|fish|tcsh"),
    ],
)
def test_a_word_that_is_not_known_is_refused_with_those_that_are(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    advice = f"{'' if message.endswith('?') else ';'} see bgcam {arguments[0]} --help"
    assert capsys.readouterr().err == f"bgcam: {message}{advice}\n"


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import contextlib
    import io

    path = tmp_path_factory.mktemp("completion") / "bgcam.bash"
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert cli.main(["completion", "bash"]) == 0
    path.write_text(out.getvalue())
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["se"], {"set"}),
        (["--fra"], {"--frame"}),
        (["--frame", ""], {"whole", "follow"}),
        (["matte", "--cut"], {"--cutout"}),
        (["config", ""], {"edit", "path"}),
        (["completion", "z"], {"zsh"}),
        (["set", "mirror"], {"mirror=on", "mirror=off"}),
        (["set", "mirror=on", "background=be"], {"background=beach"}),
        (["set", "fra"], {"frame=whole", "frame=follow"}),
        (["get", "light_m"], {"light_match"}),
        (["-b", "off"], {"office"}),
        (["--background", "bea"], {"beach"}),
    ],
)
def test_bash_offers(bash_script: Path, typed: list[str], offered: set[str]) -> None:
    words = " ".join(shlex.quote(word) for word in ["bgcam", *typed])
    ran = subprocess.run(
        ["bash", "-c", ASK % (shlex.quote(str(bash_script)), words)], capture_output=True, text=True, check=True
    )
    assert set(ran.stdout.split()) == offered


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["--presenter", "bottom-"], {"bottom-right", "bottom-left"}),
        (["--backend", "tensorrt"], {"tensorrt", "tensorrt-rtx"}),
        (["--model", "a"], {"auto", "a.onnx", "art"}),
        (["--input", "a"], {"a.mp4", "a.JPG", "art"}),
        (["--background", "a"], {"a.mp4", "a.JPG", "art"}),
        (["--output", "a"], {"a.mp4", "a.JPG", "art"}),
        (["--output", "v"], {"virtual"}),
        (["--trace", "a"], {"a.json", "art"}),
        (["matte", "a"], {"a.mp4", "a.JPG", "art"}),
        (["batch", "a"], {"art"}),
        (["batch", "art", "a"], {"art"}),
        (["set", "presenter=bottom-l"], {"presenter=bottom-left"}),
        (["set", "model=a"], {"model=auto"}),
    ],
)
def test_bash_offers_files_by_their_kind(
    bash_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], offered: set[str]
) -> None:
    for name in ("a.mp4", "a.JPG", "a.onnx", "a.json", "a.txt", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "art").mkdir()
    monkeypatch.chdir(tmp_path)
    test_bash_offers(bash_script, typed, offered)


def test_other_shells_know_the_places_of_a_presenter(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in ("zsh", "fish", "tcsh"):
        assert cli.main(["completion", shell]) == 0
        assert "bottom-left" in capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_every_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("background", "panic", "follow"):
        assert word in script
    if shutil.which(shell) and shell != "tcsh":
        ran = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr


def test_only_what_can_change_is_offered_to_set() -> None:
    names = {word.partition("=")[0] for word in set_words()}
    assert {"background", "mirror", "edge"} <= names
    assert not {"output", "input", "watchdog_ms"} & names


def test_a_shell_that_is_none_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "powershell"]) == 2
    assert "powershell" in one_line(capsys.readouterr().err)
