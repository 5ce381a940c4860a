"""What is left to do: which outputs are there already and right, and which files of the user's are in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bgcam.realtime.batch.jobs import Job
from bgcam.realtime.batch.ledger import Record
from bgcam.realtime.batch.naming import Found, Unit
from bgcam.realtime.batch.plan import Plan, changed_options
from bgcam.realtime.batch.store import Store
from bgcam.realtime.errors import SinkError, SourceError


@dataclass
class Left:
    """jobs: to do. done: the records of outputs that are right. in_the_way: outputs that are not, and why."""

    jobs: list[Job] = field(default_factory=list)
    done: list[Record] = field(default_factory=list)
    in_the_way: dict[str, str] = field(default_factory=dict)


def what_is_left(
    units: Iterable[Unit],
    records: Mapping[str, Record],
    outputs: Mapping[str, Found],
    plan: Plan,
    *,
    source: Store,
    target: Store,
) -> Left:
    """outputs: what is in the target, by name. Files whose size or version differ are read; others are trusted."""
    left = Left()
    for unit in units:
        record, output = records.get(unit.ident), outputs.get(unit.output)
        if output is None:
            left.jobs.append(Job(unit))
            continue
        right = record is not None and _is_output(record, output, target)
        old = record is not None and not right and bool(record.replaces) and _hash(target, output) == record.replaces
        why = _why_not(record, unit, plan, source) if record is not None and right else "bgcam batch did not write it"
        if record is not None and right and not why:
            left.done.append(record)
            continue
        left.jobs.append(Job(unit, replaces=_hash(target, output)))
        if not old:  # otherwise it was about to be replaced when the batch was killed
            left.in_the_way[unit.output] = why
    return left


def check_in_the_way(left: Left, target: str, *, overwrite: bool) -> None:
    """Raise SinkError if outputs would be replaced and may not be."""
    if overwrite or not left.in_the_way:
        return
    name, why = next(iter(left.in_the_way.items()))
    more = len(left.in_the_way) - 1
    others = f", and {more} more like it" if more else ""
    raise SinkError(
        f"{target}/{name} exists already and {why}{others}; give another folder, or --overwrite to replace "
        f"{'them' if more else 'it'}; nothing changed"
    )


def _is_output(record: Record, output: Found, target: Store) -> bool:
    if output.size_bytes != record.output_bytes:
        return False
    # A store other than a folder has versions of its own.
    if target.shared or output.version == record.output_version:
        return True
    return _hash(target, output) == record.output_sha256


def _why_not(record: Record, unit: Unit, plan: Plan, source: Store) -> str:
    """Why an output is not what this batch would write; "" if it is."""
    if record.key != plan.key:
        changed = ", ".join(changed_options(record.options, plan.options)) or "--model"
        return f"was made with other options ({changed})"
    if (record.source_bytes, record.source_version) == (unit.size_bytes, unit.version) and unit.version:
        return ""
    try:
        same = source.sha256(unit.source) == record.source_sha256
    except SourceError:
        same = False
    return "" if same else f"was made from another {unit.source}"


def _hash(store: Store, found: Found) -> str:
    try:
        return store.sha256(found.name)
    except SourceError:
        return ""
