"""What `filter` says of a set: what each rule costs, and in a trial what would change of the verdicts that stand."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from curation.crew import crew
from curation.joined import KEY, read_mirror
from curation.judged import Judged
from curation.retention import Amount
from curation.retention import render as render_costs
from curation.selectable import LENGTH
from curation.tables import Corpus
from curation.thresholds import RECORD


class Change(NamedTuple):
    """Clips on which the rules and the verdicts that stand do not agree."""

    gained: Amount
    """Rejected by those that stand, and kept by the rules."""
    lost: Amount
    """The other way round."""


def render(judged: Judged, is_trial: bool) -> str:
    """The retention of the set; in a trial also what would change of its verdicts, where such stand."""
    text = render_costs(judged.name, judged.rule_set.rules, judged.summary)
    change = against_standing(judged) if is_trial else None
    if change is None:
        return text
    is_same = not (change.gained.clips or change.lost.clips)
    told = "the same clips are kept" if is_same else f"{change.gained} more kept, {change.lost} more rejected"
    return f"{text}\n  against the verdicts that stand: {told}"


def against_standing(judged: Judged) -> Change | None:
    """What would change of the verdicts of this set; None where none stand that are whole and speak of these clips."""
    columns, table = judged.columns, f"verdicts/{judged.name}"
    corpus, parts = columns.wide.corpus, columns.parts()
    if not (corpus.folder(table) / RECORD).exists() or corpus.parts(table) != parts:
        return None
    kept = [~bits.any(axis=1) for bits in judged.of_parts()]
    try:
        with crew(corpus) as workers:
            found = sum(workers.each(partial(_of_part, corpus, table), kept), start=np.zeros((2, 2)))
    except ValueError:  # a file is damaged, or of other clips: the next `filter` writes it anew
        return None
    return Change(*(Amount(int(clips), float(seconds)) for clips, seconds in found))


def _of_part(corpus: Corpus, table: str, part: str, kept: np.ndarray) -> np.ndarray:
    """Clips and seconds that are gained, and that are lost: (2, 2)."""
    clips = corpus.read("clips", part, [KEY, LENGTH])
    verdicts = read_mirror(corpus, table, part, clips[KEY], ["rejected_by"])
    stood = pc.equal(pc.list_value_length(verdicts["rejected_by"]), 0).to_numpy()
    seconds = clips[LENGTH].fill_null(0.0).to_numpy()
    return np.array([(np.count_nonzero(only), seconds[only].sum()) for only in (kept & ~stood, ~kept & stood)])
