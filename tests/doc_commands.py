"""The shell commands of the documentation: what each line runs, and what the programs other than bgcam may be given."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator

from doc_pages import ROOT

from bgcam.benchmarks.__main__ import build_parser as benchmarks_parser
from bgcam.export.__main__ import parser as export_parser
from bgcam.train.__main__ import parser as train_parser

BGCAM = ("bgcam", ".venv/bin/bgcam")
_MODULES = {"bgcam.benchmarks": benchmarks_parser, "bgcam.export": export_parser, "bgcam.train": train_parser}
_BETWEEN = {"|", "&&", "||", ";", "&"}


def check_syntax(text: str) -> None:
    """Let a shell parse it, without running anything."""
    ran = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def commands(text: str) -> Iterator[list[str]]:
    """Each command of a block, in words: also those of a pipe and within $(...), without `sudo` and redirections."""
    for line in text.replace("\\\n", " ").splitlines():
        for inner in re.findall(r"\$\(([^()]*)\)", line):
            yield from commands(inner)
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        one: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _BETWEEN:
                one.append(word)
            elif one:
                yield _plain(one)
                one = []


def _plain(words: list[str]) -> list[str]:
    if ">" in words:
        words = words[: words.index(">")]
    return words[1:] if words[0] == "sudo" else words


def check_other(words: list[str]) -> str:
    """Check a command that is not bgcam's; returns why it is not run."""
    assert words[0] in OTHERS, f"say in OTHERS why a test does not run {words[0]}, and what it may be given"
    why, check = OTHERS[words[0]]
    check(words[1:])
    return why


def _make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [word for word in words if "=" not in word]
    assert wanted, "make without a target prints its help"
    assert set(wanted) <= set(targets)


def _pip(words: list[str]) -> None:
    """bgcam itself, with extras that there are: no other name would be ours on an index."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    verb, *wanted = [word for word in words if not word.startswith("-")]
    assert verb in ("install", "uninstall")
    for word in wanted:
        place, _, extras = word.partition("[")
        assert place == ("." if verb == "install" else "bgcam")
        assert {extra for extra in extras.rstrip("]").split(",") if extra} <= set(project["optional-dependencies"])


def _python(words: list[str]) -> None:
    """A module of bgcam's that its own parser accepts, or a script that is there."""
    if words[0] == "-m":
        _MODULES[words[1]]().parse_args(words[2:])
    else:
        assert (ROOT / words[0]).is_file()


def _torchrun(words: list[str]) -> None:
    _python(words[words.index("-m") :])


def _settings(words: list[str]) -> None:
    assert all(re.fullmatch(r"[A-Z_]+=\S+", word) for word in words)


def _anything(words: list[str]) -> None:
    """Another project's program: the shell has parsed the line."""


OTHERS: dict[str, tuple[str, Callable[[list[str]], None]]] = {
    "make": ("it installs, or takes minutes", _make),
    "pip": ("it needs the network", _pip),
    "pipx": ("it needs the network", _pip),
    "python": ("it needs photos, clips or a GPU", _python),
    "torchrun": ("it needs photos and processors", _torchrun),
    "srun": ("it needs a cluster", _anything),
    "scontrol": ("it needs a cluster", _anything),
    "head": ("it reads what the command before it prints", _anything),
    "export": ("it is for the commands after it", _settings),
    "apt": ("it needs root and the network", _anything),
    "systemctl": ("it needs the service", _anything),
    "journalctl": ("it needs the service", _anything),
    "pkill": ("it needs a running bgcam", _anything),
    "eval": ("it is the shell's", _anything),
    "source": ("it is the shell's", _anything),
    ".": ("it is the shell's", _anything),
    "git": ("it needs the network", _anything),
}
