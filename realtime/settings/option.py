"""How one option is given, checked and described, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of the command line, and what else is made from it: a configuration file, the control page.

    flags: its names on the command line, the long one first.
    help: what `--help` says of it.
    about: one sentence that can be read alone; "" for an option that is no setting.
    group: its heading in the help.
    metavar: what its value is called; "" for a switch, which takes none.
    parse: from text to its value; raises argparse.ArgumentTypeError. None for a text that is checked where it is used.
    as_json: from its value to JSON; None where it is JSON already.
    choices: all values that it may have; empty if there are others. others: `parse` takes other values than these.
    several: it is a list; on the command line, each time that it is given adds one.
    separator: between the texts of a list that is given as one text; "" if there cannot be several in one.
    minimum, maximum: of a number. unit: of a number, such as "ms".
    hot: it can change while frames flow.
    exclusive: of the options with the same word here, one at most may be given.
    """

    flags: tuple[str, ...]
    help: str
    about: str = ""
    group: str = ""
    metavar: str = ""
    parse: Callable[[str], Any] | None = None
    as_json: Callable[[Any], Any] | None = None
    choices: tuple[str, ...] = ()
    others: bool = False
    several: bool = False
    separator: str = ""
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    hot: bool = False
    exclusive: str = ""

    @property
    def takes_value(self) -> bool:
        """Whether it is more than a switch."""
        return bool(self.metavar or self.choices)
