"""What a trial of rules says of a set: what each rule costs, and what would change of the verdicts that stand."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from curation.filter import Judged
from curation.retention import Amount, render
from curation.selectable import LENGTH
from curation.thresholds import RECORD


class Change(NamedTuple):
    """Clips on which the rules and the verdicts that stand do not agree."""

    kept_again: Amount
    """Now rejected, then kept."""
    lost: Amount
    """Now kept, then rejected."""


def render_trial(judged: Judged) -> str:
    """The retention of the set, and a line on what would change; that line alone where nothing would."""
    change = against_standing(judged)
    if change and not (change.kept_again.clips or change.lost.clips):
        return f"filter {judged.name}: nothing would change, {judged.summary.counts()['kept']:,} clips are kept"
    text = render(judged.name, judged.rule_set.rules, judged.summary)
    if change is None:
        return text
    return f"{text}\n  against the verdicts that stand: {change.kept_again} more kept, {change.lost} more rejected"


def against_standing(judged: Judged) -> Change | None:
    """What would change of the verdicts of this set; None where none stand that are whole and of the same parts."""
    corpus, table = judged.columns.wide.corpus, f"verdicts/{judged.name}"
    parts = judged.columns.parts()
    if not (corpus.folder(table) / RECORD).exists() or corpus.parts(table) != parts:
        return None
    now, start = np.asarray(~judged.bits.any(axis=1)), 0
    clips, seconds = np.zeros(2, np.int64), np.zeros(2)  # kept again, lost
    for part, size in zip(parts, judged.part_sizes, strict=True):
        stood = pc.equal(pc.list_value_length(corpus.read(table, part, ["rejected_by"])["rejected_by"]), 0).to_numpy()
        if len(stood) != size:
            return None
        lengths = corpus.read("clips", part, [LENGTH])[LENGTH].fill_null(0.0).to_numpy()
        kept = now[start : start + size]
        for place, differs in enumerate((kept & ~stood, ~kept & stood)):
            clips[place] += np.count_nonzero(differs)
            seconds[place] += lengths[differs].sum()
        start += size
    return Change(*(Amount(int(number), float(length)) for number, length in zip(clips, seconds, strict=True)))
