"""Counts the sums of the funnel, from the tables alone and not from what the jobs say of themselves."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import math
from collections import Counter
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from curation.block import REASON
from curation.corpus import first_paths
from curation.funnel import Amount, Sum
from curation.joined import ERROR_SUFFIX, num_rows
from curation.set_files import set_files
from curation.tables import Corpus
from shards.store import read_json

PACK_DONE = "manifest.json"
"""Stands in `shards/<set>` once packing came to its end, with `kept` and `kept_hash` of the verdicts it packed."""
OUTSIDE = {
    "transition_s": "in transitions",
    "trimmed_s": "trimmed",
    "short_s": "in scenes too short",
    "failed_s": "failed to decode",
}


def count(corpus: Corpus, scorers: Iterable[str], sets: Iterable[str]) -> list[Sum]:
    """Every sum of the jobs that have run, in their order.

    What a job has not reached is told as `not yet ...`; a row that a finished part lacks breaks its sum.

    Args:
        corpus: the tables.
        scorers: names of the score tables, without `dedup`.
        sets: names of the rule sets.

    Raises:
        ValueError: a table cannot be read; names the file.
    """
    clips, sums = _Clips(corpus), _inputs(corpus) if corpus.parts("inputs") else []
    sums += [_footage(corpus, clips)] if corpus.parts("videos") else []
    sums += [_scored(corpus, name, clips) for name in scorers if corpus.parts(f"scores/{name}")]
    sums += [_grouped(corpus, clips)] if corpus.parts("scores/dedup") else []
    for name in sets:
        if corpus.parts(f"verdicts/{name}"):
            sums.append(_filtered(corpus, name, clips))
            sums += [_packed(corpus, name, sums[-1].parts[0])] if corpus.folder(f"shards/{name}").exists() else []
    return sums


def causes(errors: pa.ChunkedArray) -> pa.ChunkedArray:
    """Of each error the text before its first colon."""
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(errors, "(?s):.*", ""))


def by_cause(errors: pa.ChunkedArray) -> dict[str, int]:
    """Errors counted by their cause, most frequent first, then by text."""
    return _ranked(Counter(_value_counts(causes(errors))))


def _ranked(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


class _Clips:
    """Number and hours of the clips of each part, read once for all sums."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus, self._known = corpus, dict[str, tuple[int, float]]()

    def number(self, but: str | None = None) -> int:
        """All clips; with `but`, those that this table has not reached."""
        return sum(self._of(part)[0] for part in self._parts(but))

    def hours(self, but: str | None = None) -> float:
        """The same in hours."""
        return self.hours_of(self._parts(but))

    def hours_of(self, parts: list[str]) -> float:
        """Hours of some parts."""
        return math.fsum(self._of(part)[1] for part in parts)

    def _of(self, part: str) -> tuple[int, float]:
        if part not in self._known:
            seconds = self._corpus.read("clips", part, ["duration_s"])["duration_s"]
            self._known[part] = len(seconds), _hours(seconds)
        return self._known[part]

    def _parts(self, but: str | None) -> list[str]:
        return [part for part in self._corpus.parts("clips") if but is None or not self._corpus.has(but, part)]


def _inputs(corpus: Corpus) -> list[Sum]:
    """Files = unique videos + byte copies; unique videos = split + failed + quarantined + blocked.

    A row of `videos` counts for the video that it names, in the part where that was first listed, and for no other.
    """
    unique = first_paths(corpus)
    listed = corpus.read_all("inputs", ["path", "video_id"])
    videos = Amount("unique videos", sum(map(len, unique.values())))
    copies = sum(times - 1 for times in _value_counts(listed["video_id"]).values())
    strange, statuses, errors = 0, Counter(), {"failed": Counter(), "quarantined": Counter()}
    for part in corpus.parts("videos"):
        rows = corpus.read("videos", part, ["video_id", "status", "error"])
        is_listed = pc.is_in(rows["video_id"], value_set=pa.array(unique.get(part, {}), pa.string()))
        strange += len(rows) - pc.count_distinct(rows["video_id"].filter(is_listed)).as_py()
        rows = rows.filter(is_listed)
        statuses.update(_value_counts(rows["status"]))
        for status, counter in errors.items():
            counter.update(by_cause(rows["error"].filter(pc.equal(rows["status"], status)).drop_null()))
    parts = [Amount("split", statuses["ok"])]
    parts += [Amount(status, statuses[status], reasons=_ranked(errors[status])) for status in errors]
    parts += [Amount(REASON, statuses[REASON])] if statuses[REASON] else []
    pending = sum(len(paths) for part, paths in unique.items() if not corpus.has("videos", part))
    number = pc.count_distinct(listed["path"]).as_py()  # by their names, for their ids are what is to be proved
    files = Sum("split", "files", Amount("files", number), [videos, Amount("byte copies", copies)])
    sums = [files, Sum("split", "videos", videos, parts + _pending("split", pending))]
    return sums + ([Sum("split", "strangers", Amount("videos never listed, or twice", strange), [])] if strange else [])


def _pending(verb: str, number: int, hours: float | None = None) -> list[Amount]:
    return [Amount(f"not yet {verb}", number, hours)] if number else []


def _footage(corpus: Corpus, clips: _Clips) -> Sum:
    """Seconds decoded = in clips, by the clips' own table, + what `videos` says lies outside."""
    seconds = Counter()
    for part in corpus.parts("videos"):
        rows = corpus.read("videos", part, ["status", "duration_s", *OUTSIDE])
        rows = rows.filter(pc.equal(rows["status"], "ok"))
        seconds.update({name: pc.sum(rows[name], min_count=0).as_py() for name in ["duration_s", *OUTSIDE]})
    in_clips = clips.hours_of(corpus.parts("videos"))
    outside = [Amount(what, hours=seconds[name] / 3600) for name, what in OUTSIDE.items()]
    whole = Amount("footage decoded", hours=seconds["duration_s"] / 3600)
    return Sum("split", "footage", whole, [Amount("in clips", hours=in_clips), *outside])


def _scored(corpus: Corpus, name: str, clips: _Clips) -> Sum:
    """Clips = scored + failed."""
    table, error, rows, errors = f"scores/{name}", name + ERROR_SUFFIX, 0, Counter()
    for part in corpus.parts(table):
        told = corpus.read(table, part, [error])[error]
        rows += len(told)
        errors.update(by_cause(told.drop_null()))
    failed = Amount("failed", errors.total(), reasons=_ranked(errors))
    parts = [Amount("scored", rows - errors.total()), failed, *_pending("scored", clips.number(but=table))]
    return Sum("score", name, Amount("clips", clips.number()), parts)


def _grouped(corpus: Corpus, clips: _Clips) -> Sum:
    """Clips = unlike any other + best of a group + copies."""
    table = "scores/dedup"
    ranks = corpus.read_all(table, ["duplicate_rank"])["duplicate_rank"]
    best = pc.sum(pc.equal(ranks, 0), min_count=0).as_py()
    single = Amount("unlike any other", ranks.null_count)
    copies = Amount("copies", len(ranks) - ranks.null_count - best)
    parts = [single, Amount("best of a group", best), copies, *_pending("compared", clips.number(but=table))]
    return Sum("dedup", "groups", Amount("clips", clips.number()), parts)


def _filtered(corpus: Corpus, name: str, clips: _Clips) -> Sum:
    """Clips = kept + rejected, in number and in hours."""
    table, number, hits, alone = f"verdicts/{name}", Counter(), Counter(), Counter()
    hours = {"kept": 0.0, "rejected": 0.0}
    for part in corpus.parts(table):
        lists = corpus.read(table, part, ["rejected_by"])["rejected_by"]
        lengths = pc.list_value_length(lists)
        seconds = corpus.read("clips", part, ["duration_s"])["duration_s"]
        for what, mask in {"kept": pc.equal(lengths, 0), "rejected": pc.greater(lengths, 0)}.items():
            number[what] += pc.sum(mask, min_count=0).as_py()
            hours[what] += _hours(seconds.filter(mask)) if len(seconds) == len(mask) else math.nan
        hits.update(_value_counts(pc.list_flatten(lists)))
        alone.update(_value_counts(pc.list_flatten(lists.filter(pc.equal(lengths, 1)))))
    kept = Amount("kept", number["kept"], hours["kept"])
    rejected = Amount("rejected", number["rejected"], hours["rejected"], _ranked(hits), alone)
    pending = _pending("filtered", clips.number(but=table), clips.hours(but=table))
    whole = Amount("clips", clips.number(), clips.hours())
    return Sum("filter", name, whole, [kept, rejected, *pending])


def _packed(corpus: Corpus, name: str, kept: Amount) -> Sum:
    """Kept = train + val + failed; what was kept when packing began, if the set was filtered anew since.

    What earlier generations packed and the rules keep no more stays in the set, and so belongs to the whole.
    """
    table = f"shards/{name}"
    rows = {kind: sum(_rows_below(corpus, f"{table}/{kind}").values()) for kind in ("train", "val")}
    errors = Counter()
    for stem in _rows_below(corpus, f"{table}/failures"):
        errors.update(by_cause(corpus.read(f"{table}/failures", stem, ["error"])["error"]))
    parts = [Amount(kind, number) for kind, number in rows.items()]
    parts.append(Amount("failed", errors.total(), reasons=_ranked(errors)))
    plan, done = set_files(corpus, name).plan_list, corpus.folder(table) / PACK_DONE
    told = [read_json(path) for path in (plan, done) if path.exists()]
    if told and told[0]["kept_hash"] != _kept_hash(corpus, name):
        kept = Amount("kept by earlier rules", told[0]["kept"])
    elif told and (gone := told[0].get("no_longer_kept")):
        kept = Amount("kept now or once", (kept.count or 0) + gone)
    is_done = done.exists() and told[0]["kept"] == told[-1]["kept"]
    if not is_done:
        missing = (kept.count or 0) - sum(part.count or 0 for part in parts)
        parts += _pending("packed", max(0, missing))
    return Sum("pack", name, kept, parts)


def _kept_hash(corpus: Corpus, name: str) -> str | None:
    """Tells which clips a set keeps now; None while it is being filtered anew."""
    rules = corpus.folder(f"verdicts/{name}") / "rules.json"
    return read_json(rules)["kept_hash"] if rules.exists() else None


def _rows_below(corpus: Corpus, table: str) -> dict[str, int]:
    """Rows of each Parquet file of a table, by the name of the file and by its metadata alone."""
    stems = sorted(path.stem for path in corpus.folder(table).glob("*.parquet"))
    return {stem: num_rows(corpus, table, stem) for stem in stems}


def _value_counts(column: pa.ChunkedArray) -> dict[str, int]:
    counts = column.drop_null().value_counts()
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))


def _hours(seconds: pa.ChunkedArray) -> float:
    return pc.sum(seconds, min_count=0).as_py() / 3600
