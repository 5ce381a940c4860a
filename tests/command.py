"""What tests of the command share: what a call of it gives, and how it says that something is wrong."""

from collections.abc import Callable

Run = Callable[..., tuple[int, str, str]]


def one_line(err: str) -> str:
    """What the command said, which must be one line of its own."""
    assert err.startswith("bgcam: "), err
    assert err.count("\n") == 1, err
    return err
