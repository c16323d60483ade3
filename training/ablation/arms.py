"""Arms of an ablation: selections of one packed set, as verdicts of a corpus tell them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.store import read_json
from training.kept import RULES

PREFIX = "sweep_"
"""Of the sets that `python -m curation sweep` writes."""
RAW, FULL = "raw", "full"


@dataclass(frozen=True)
class Arm:
    """One selection."""

    name: str
    """Letters, digits and underscores."""
    verdicts: Path
    """Its table of verdicts."""

    @property
    def record(self) -> dict[str, Any]:
        """What the verdicts say of themselves: `rules`, `duplicates`, `counts`, `kept_hash`.

        Raises:
            ValueError: it is not there, or damaged.
        """
        path = self.verdicts / RULES
        try:
            return read_json(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read ({error}): write the subsets anew, make sweep") from error


def find_arms(corpus: Path, names: list[str] | None = None) -> list[Arm]:
    """The subsets of a sweep: `raw` first, `full` second, the others by name.

    Args:
        corpus: folder of a corpus.
        names: of those that are wanted; all without.

    Raises:
        ValueError: there was no sweep, or it has not all of these; names those that it has.
    """
    folders = [path.parent for path in sorted(corpus.glob(f"verdicts/{PREFIX}*/{RULES}"))]
    found = {folder.name.removeprefix(PREFIX): folder for folder in folders}
    if RAW not in found:
        raise ValueError(f"{corpus} has no subsets to compare: write them first, make sweep OUT={corpus}")
    wanted = names or sorted(found, key=lambda name: (name != RAW, name != FULL, name))
    if unknown := [name for name in wanted if name not in found]:
        raise ValueError(f"--arms: no subset {unknown[0]!r} in {corpus}; there are: {', '.join(found)}")
    if RAW not in wanted:
        raise ValueError(f"--arms: {RAW!r} belongs to every ablation, for the others are compared with it")
    arms = [Arm(name, found[name]) for name in dict.fromkeys(wanted)]
    sizes = {arm.name: arm.record["counts"]["clips"] for arm in arms}
    if other := [name for name, size in sizes.items() if size != sizes[RAW]]:
        raise ValueError(
            f"subset {other[0]!r} is of {sizes[other[0]]} clips and {RAW!r} of {sizes[RAW]}: they are of different "
            f"sweeps; make sweep OUT={corpus}, and remove {found[other[0]]} if it is not made anew"
        )
    return arms


def without_twins(arms: Sequence[Arm]) -> tuple[list[Arm], dict[str, str]]:
    """Arms that differ in what they keep, and of each other one which of them keeps the same clips.

    Where many clips tie, as where a score is 0 for most, the subsets of several shares are one and the same.

    Raises:
        ValueError: what an arm says of itself cannot be read.
    """
    first: dict[str, str] = {}
    twins: dict[str, str] = {}
    for arm in arms:
        kept = arm.record.get("kept_hash") or arm.name
        if kept in first:
            twins[arm.name] = first[kept]
        first.setdefault(kept, arm.name)
    return [arm for arm in arms if arm.name not in twins], twins
