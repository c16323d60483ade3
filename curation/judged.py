"""A rule set over all clips of a corpus, and what it says of them."""

from dataclasses import dataclass, field

import numpy as np

from curation.config import RuleSet
from curation.judge import Reasons, Summary
from curation.rules import columns_of
from curation.selectable import Selectable
from curation.thresholds import Thresholds


@dataclass
class Judged:
    """A rule set over all clips of a corpus."""

    name: str
    rule_set: RuleSet
    columns: Selectable
    reasons: Reasons
    thresholds: Thresholds | None
    bits: np.ndarray = field(init=False)
    """(clips, bytes) which reasons hold, as `Reasons.judge` packs them."""
    part_sizes: list[int] = field(init=False)
    """Clips of each part."""
    summary: Summary = field(init=False)
    """How many clips, and of what length, have which reasons."""

    def used(self) -> list[str]:
        """The columns that its rules name."""
        return [column for rule in self.rule_set.rules for column in columns_of(rule)]

    @property
    def kind(self) -> str | None:
        """The kind of duplicates that it drops."""
        return {"best": "duplicate", "keep": None}.get(self.rule_set.duplicates, self.rule_set.duplicates)

    def duplicate_columns(self) -> dict[str, str]:
        """Columns that say which clips have duplicates, and what `spare_rows` calls them."""
        return {f"{self.kind}_group": "group", f"{self.kind}_rank": "rank"} if self.kind else {}

    def of_parts(self) -> list[np.ndarray]:
        """`bits` part by part."""
        return np.split(self.bits, np.cumsum(self.part_sizes)[:-1])
