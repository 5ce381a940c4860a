"""The command `bgcam`: which part runs, and how its errors are reported. Exit codes: see `errors.py`."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from types import FrameType
from typing import TYPE_CHECKING

from bgcam.realtime.command.console import lasting_streams, output_error
from bgcam.realtime.errors import BgcamError, SinkError, UsageError
from bgcam.realtime.run.panic import presses_kept

# What is imported here delays the moment from which the panic switch's signals end no process.
if TYPE_CHECKING:
    from argparse import Namespace


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments (default: the process's). Gives the exit code; never raises."""
    with lasting_streams():
        return _main(sys.argv[1:] if argv is None else argv)


def _main(arguments: list[str]) -> int:
    try:
        with presses_kept(), _sigterm_as_interrupt():
            return _dispatch(arguments)
    except SystemExit as leaving:  # argparse has said why, or has shown its help
        return leaving.code if isinstance(leaving.code, int) else 1
    except BgcamError as error:
        _say(str(error), error)
        return error.exit_code
    except KeyboardInterrupt as error:
        _say("stopped before it finished", error)
        return 1
    except Exception as error:
        if _wants_traceback(arguments):
            import traceback

            traceback.print_exc()
        else:
            _say(f"unexpected error: {type(error).__name__}: {error}; run with --debug for the traceback", error)
        return 1


def _wants_traceback(arguments: list[str]) -> bool:
    """By the option or the configuration."""
    if "--debug" in arguments:
        return True
    from bgcam.realtime.command.chosen import chosen
    from bgcam.realtime.command.options import parse_arguments

    with suppress(Exception, SystemExit), redirect_stderr(StringIO()):
        return chosen(parse_arguments(arguments)).settings.debug
    return False


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["demo"]:  # it has options of its own
        from bgcam.realtime.command.demo.command import main as demo

        code: int = demo(arguments[1:])
        return code
    from bgcam.realtime.command.options import parse_arguments

    options = parse_arguments(arguments)
    if options.command == "demo":
        raise UsageError("give the options of demo after its name: bgcam demo --threads 1")
    if options.command in BEFORE:
        _check_belonging(options)
    code = COMMANDS[options.command](options)
    if options.command not in GOING_ON and (error := output_error()) is not None:
        if isinstance(error, BrokenPipeError):  # `bgcam devices | head -1`
            return 1
        raise SinkError(f"cannot write to standard output ({getattr(error, 'strerror', None) or error})")
    return code


def _check_belonging(options: Namespace) -> None:
    """Refuse what was given before a command's name and is no option of it. Raises UsageError."""
    for name in (*options.given, *(["profile"] if options.profile is not None else [])):
        if name not in BEFORE[options.command]:
            option, command = f"--{name.replace('_', '-')}", f"bgcam {options.command}"
            raise UsageError(f"{command} does not accept {option}; see {command} --help")


def _run(options: Namespace) -> int:
    from bgcam.realtime.command.chosen import chosen, naming_lines
    from bgcam.realtime.command.run import run
    from bgcam.realtime.settings.last_choice import with_last_background

    with naming_lines(found := chosen(options)):
        return run(with_last_background(found.settings))


def _matte(options: Namespace) -> int:
    from bgcam.realtime.command.chosen import chosen, naming_lines
    from bgcam.realtime.command.matte import matte

    with naming_lines(found := chosen(options)):
        return matte(options.matte_input, options.matte_output, found.settings, as_cutout=options.cutout)


def _batch(options: Namespace) -> int:
    from bgcam.realtime.command.batch import run_batch

    return run_batch(options)


def _devices(options: Namespace) -> int:
    from bgcam.realtime.command.devices import print_devices

    print_devices()
    return 0


def _backgrounds(options: Namespace) -> int:
    from bgcam.realtime.command.backgrounds import print_backgrounds

    print_backgrounds()
    return 0


def _cache(options: Namespace) -> int:
    from bgcam.realtime.command.cache import show_or_clear

    return show_or_clear(options)


def _config(options: Namespace) -> int:
    from bgcam.realtime.command.config import config

    return config(options)


def _completion(options: Namespace) -> int:
    from bgcam.realtime.command.completion import print_completion
    from bgcam.realtime.command.options import build_parser

    print_completion(build_parser(), options.shell)
    return 0


def _doctor(options: Namespace) -> int:
    from bgcam.realtime.command.chosen import chosen
    from bgcam.realtime.command.doctor.command import doctor

    settings = chosen(options).settings
    options.camera, options.model, options.backend = settings.camera, settings.model, settings.backend
    return doctor(options)


def _install_camera(options: Namespace) -> int:
    from bgcam.realtime.command.install.camera import install_camera

    return install_camera(options)


def _install_service(options: Namespace) -> int:
    from bgcam.realtime.command.install.service import install_service

    return install_service(options)


def _install_desktop(options: Namespace) -> int:
    from bgcam.realtime.command.install.desktop import install_desktop

    return install_desktop(options)


def _uninstall_service(options: Namespace) -> int:
    from bgcam.realtime.command.install.service import uninstall_service

    return uninstall_service(options)


def _uninstall(options: Namespace) -> int:
    from bgcam.realtime.command.install.uninstall import uninstall

    return uninstall(options)


def _remote(options: Namespace) -> int:
    from bgcam.realtime.command.remote import remote

    return remote(options)


# Those of `remote.py`, which drive a bgcam that runs.
REMOTE = ("set", "get", "status", "next", "previous", "learn-room", "panic", "resume", "quit", "ui")

COMMANDS: dict[str | None, Callable[[Namespace], int]] = {
    None: _run,
    "matte": _matte,
    "batch": _batch,
    "devices": _devices,
    "backgrounds": _backgrounds,
    "cache": _cache,
    "config": _config,
    "completion": _completion,
    "doctor": _doctor,
    "install-camera": _install_camera,
    "install-service": _install_service,
    "install-desktop": _install_desktop,
    "uninstall-service": _uninstall_service,
    "uninstall": _uninstall,
    **dict.fromkeys(REMOTE, _remote),
}

# What these print is about the result, not the result itself.
GOING_ON = (None, "matte", "batch")

# Of bgcam's own options, those that may stand before a command's name. install-service sees to it itself, and config
# shows all.
_PICTURE = ("background", "edge", "light_wrap", "light_match", "frame")
_HOW = ("command", "model", "backend", "threads", "far", "debug")
BEFORE = {
    "matte": (*_HOW, "overwrite", "no_audio", "profile"),
    "batch": (*_HOW, *_PICTURE, "overwrite", "no_audio", "profile"),
    "devices": _HOW,
    "backgrounds": _HOW,
    "cache": _HOW,
    "completion": _HOW,
    "doctor": (*_HOW, "camera", "profile"),
    "install-camera": _HOW,
    "install-desktop": _HOW,
    "uninstall-service": _HOW,
    "uninstall": _HOW,
    **dict.fromkeys(REMOTE, ("command", "debug", "instance")),
}


def _say(message: str, error: BaseException) -> None:
    """One line, with what else there is to know of the error: where a recording lies."""
    print("bgcam:", " ".join("; ".join([message, *_notes(error)]).split()), file=sys.stderr)


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """`kill` ends the command as Ctrl-C does: by KeyboardInterrupt. Signals are the main thread's alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
