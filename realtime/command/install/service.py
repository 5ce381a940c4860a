"""`bgcam install-service` and `bgcam uninstall-service`: bgcam at every log-in, as a systemd user service."""

from __future__ import annotations

import contextlib
import os
import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from bgcam.realtime.command.install.files import is_ours, remove_all, show, write_all
from bgcam.realtime.command.install.unit import ON_DEMAND, unit_text, why_no_namespaces
from bgcam.realtime.command.machine import bgcam_command
from bgcam.realtime.command.system import System
from bgcam.realtime.errors import SinkError, UsageError, about_setting
from bgcam.realtime.settings import Settings

UNIT = "bgcam.service"
OUTPUTS = ("virtual", "web", "null")
SYSTEMCTL_TIMEOUT_S = 30
# The service has folders of its own there.
TEMPORARY = ("/tmp", "/var/tmp")
FILE_URL = "file://"


def install_service(options: Namespace, *, system: System | None = None, folder: Path | None = None) -> int:
    """Check bgcam's options, show the unit, ask, write it, and start it. folder: of the user's units.

    Gives 0 when all is done, 1 when the user said no. Raises BgcamError; an option that makes no sense exits with 2.
    """
    system = system or System()
    if not system.path("/run/systemd/system").is_dir() or system.platform != "linux":
        raise SinkError("install-service needs systemd, which is not running here; use your desktop's autostart")
    if system.is_root:
        raise SinkError("the service is the user's, not root's; run bgcam install-service without sudo")
    _refuse_options_before(options)
    command, told = service_command(options.service_options)
    web = any(output.partition(":")[0] == "web" for output in told.output)
    path = (folder or unit_folder()) / UNIT
    namespaces = ON_DEMAND if told.on_demand else why_no_namespaces(system)
    files = {path: unit_text(command, backend=told.backend, web=web, namespaces=namespaces)}
    show(files)
    print(f"then: systemctl --user daemon-reload, systemctl --user enable {UNIT}, systemctl --user restart {UNIT}")
    if not options.yes and not system.ask("Write it and start it?"):
        print("nothing was changed")
        return 1
    write_all(files)
    _make_own_folders()
    for verb in (("daemon-reload",), ("enable", UNIT), ("restart", UNIT)):
        ran = system.run("systemctl", "--user", *verb, timeout_s=SYSTEMCTL_TIMEOUT_S)
        if ran.code:
            line = f"systemctl --user {' '.join(verb)}"
            said = " ".join(ran.err.split()) or f"code {ran.code}"
            raise SinkError(f"the service is written, but `{line}` failed ({said}); fix that and run the command again")
    print("done: bgcam runs now and after every log-in; `journalctl --user -u bgcam -f` shows its messages")
    return 0


def uninstall_service(options: Namespace, *, system: System | None = None, folder: Path | None = None) -> int:
    """Stop the service and remove its unit, after asking. Gives 0 when it is gone, 1 when the user said no."""
    system = system or System()
    path = (folder or unit_folder()) / UNIT
    if not path.exists():
        print("there is no service to remove")
        return 0
    if not is_ours(path):
        raise SinkError(f"{path} was not written by bgcam; remove it by hand")
    print(f"systemctl --user disable --now {UNIT}\nremove {path}")
    if not options.yes and not system.ask("Do it?"):
        print("nothing was changed")
        return 1
    system.run("systemctl", "--user", "disable", "--now", UNIT, timeout_s=SYSTEMCTL_TIMEOUT_S)
    remove_all([path])
    system.run("systemctl", "--user", "daemon-reload", timeout_s=SYSTEMCTL_TIMEOUT_S)
    print("done: bgcam no longer starts at log-in")
    return 0


def _make_own_folders() -> None:
    """What the service may write to has to be there when it starts."""
    from bgcam.realtime.control.library import user_folder
    from bgcam.realtime.settings.last_choice import state_path

    with contextlib.suppress(OSError, RuntimeError):
        for folder in (state_path().parent, user_folder()):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def service_command(arguments: Sequence[str]) -> tuple[list[str], Settings]:
    """The command that the service runs, its paths absolute; and its settings. Raises BgcamError or exits with 2."""
    from bgcam.realtime.command.chosen import chosen, naming_lines
    from bgcam.realtime.command.options import checked, parse_arguments

    arguments = checked(arguments)
    options = parse_arguments(arguments)
    if options.command is not None:
        raise UsageError(f"the service runs bgcam itself, not {options.command!r}; give only options after --")
    found = chosen(options)
    told = found.settings
    for output in told.output:
        if output.partition(":")[0] not in OUTPUTS:
            raise UsageError(f"--output {output} would be overwritten at every start; give a service virtual or web")
    with naming_lines(found):
        _check_values(told)
    words = [_absolute(word, told) for word in arguments]
    # Without one, bgcam would take the web page where there is no virtual camera yet, and stay with it.
    if not told.output:
        words += ["--output", "virtual"]
    return [*shlex.split(bgcam_command()), *words], told


def unit_folder() -> Path:
    """Where the user's own units are. Raises SinkError for a user without a home."""
    try:
        return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    except RuntimeError:
        raise SinkError("this user has no home folder, where services are kept; set HOME and run this again") from None


def _refuse_options_before(options: Namespace) -> None:
    """`bgcam --background beach install-service` would else install a service that blurs. Raises UsageError."""
    from bgcam.realtime.command.options import build_parser

    own = ("service_options", "yes", "debug", "given")
    usual = vars(build_parser().parse_args(["install-service"]))
    for name, value in vars(options).items():
        if name not in own and value != usual.get(name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"give the service's options last: bgcam install-service -- {option} ...")


def _check_values(told: Settings) -> None:
    """All that `bgcam` would refuse after reading its options. Raises BgcamError."""
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.backgrounds.camera_name import camera_named
    from bgcam.realtime.backgrounds.key_colour import background_spec
    from bgcam.realtime.command.run import check_fit, check_paths
    from bgcam.realtime.model.backends import check_backend_name
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.run.on_demand import check_on_demand
    from bgcam.realtime.settings.last_choice import with_last_background
    from bgcam.realtime.sinks import check_output
    from bgcam.realtime.sources import open_source

    check_paths(told)
    check_fit(told)
    check_backend_name(told.backend)
    with about_setting("output"):
        for output in told.output:
            check_output(output, allow_remote=told.allow_remote)
    if told.on_demand:
        check_on_demand(told.input, told.output or ["virtual"])
    with about_setting("model"):
        find_model(told.model)
    spec = background_spec(with_last_background(told, say=lambda line: None))
    with about_setting("background", device=camera_named(spec) is not None):
        open_background(spec)
    # A camera may be plugged in later, and an address may answer later.
    if told.input and all("://" not in one.removeprefix(FILE_URL) for one in told.input):
        with about_setting("input"):
            open_source(input=told.input, size_wh=told.size, fps=told.fps).close()


def _absolute(word: str, told: Settings) -> str:
    """A path among the words, made absolute: a service has another current folder. Raises UsageError."""
    from bgcam.realtime.backgrounds.shipped import shipped_backgrounds

    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    inputs = told.input
    if value not in (told.background, told.model, *inputs):
        return word
    local = os.path.expanduser(value.removeprefix(FILE_URL) if value in inputs else value)
    shipped = value == told.background and value.lower() in {
        path.stem.lower() for path in shipped_backgrounds().values()
    }
    if shipped or not os.path.exists(local):
        return word
    path = os.path.abspath(local)
    if any(Path(path).is_relative_to(folder) for folder in TEMPORARY):
        raise UsageError(f"{path} may be gone at the next boot; move it to a permanent folder, such as Pictures")
    return f"{option}{equals}{path}"
