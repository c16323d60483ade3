"""Job 2: scorers read proxy frames and write one table each; a clip that breaks a scorer costs that clip there only."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import pyarrow as pa

from curation.caption_rows import first_texts
from curation.engine import Counts, PartTask, PartWorker
from curation.joined import read_mirror
from curation.maker import stamped
from curation.proxies import ProxyReader
from curation.safe_score import SafeScore, score_schema, table_name
from curation.scorer import Frames, Resources, Scorer
from curation.source_score import SourceScore
from curation.tables import Corpus
from shards.schema import CLIPS

CHUNK_FRAMES = 256  # clips are scored together up to this many frames, so that memory does not grow with a part
CHUNK_CLIPS = 256  # ... or, where no frame is looked at, up to this many
SPAN = ["video_id", "start_pts", "end_pts"]


@dataclass(frozen=True)
class ScoreTask(PartTask):
    """Runs a group of scorers over the clips of a part."""

    corpus: Corpus
    scorers: dict[str, Scorer]
    resources: Resources
    homes: Mapping[str, str] = field(default_factory=dict)
    """Column that a scorer reads and another wrote -> table where it stands."""
    blocked: frozenset[str] = frozenset()
    """Ids of videos on the block list: no scorer reads them anew."""
    made_by: Mapping[str, str] = field(default_factory=dict)
    """Table -> hash of the configuration that each part of it will name."""

    @property
    def num_cpus(self) -> float:
        """CPUs of one worker."""
        return self.resources.cpus

    @property
    def num_gpus(self) -> float:
        """GPUs of one worker: Ray must know of them, else all workers would crowd onto the first."""
        return self.resources.gpus or float(self._devices != {"cpu"})

    @property
    def gpu_is_optional(self) -> bool:
        """Whether all scorers do without."""
        return not self.resources.gpus and self._devices <= {"cpu", "auto"}

    @property
    def _devices(self) -> set[str]:
        return {scorer.device for scorer in self.scorers.values()}

    def build(self) -> PartWorker:
        """A worker that loads each scorer when it first needs it."""
        return ScoreWorker(self)


class ScoreWorker(PartWorker):
    """Scores one part after the other."""

    def __init__(self, task: ScoreTask) -> None:
        self._task, self._corpus = task, task.corpus
        self._loaded: dict[str, SafeScore] = {}

    def run(self, part: str) -> Counts:
        """Writes the score tables that this part lacks."""
        todo = [name for name in self._task.scorers if not self._corpus.has(table_name(name), part)]
        tables = self._score(part, {name: self._load(name) for name in todo})
        for name, table in tables.items():
            schema = score_schema(name, self._task.scorers[name])
            self._corpus.write(table_name(name), part, table, stamped(schema, self._task.made_by.get(table_name(name))))
        errors = {f"{name} errors": len(t) - t[f"{name}_error"].null_count for name, t in tables.items()}
        return {"clips": max((len(table) for table in tables.values()), default=0), **errors}

    def _load(self, name: str) -> SafeScore:
        if name not in self._loaded:
            self._loaded[name] = SafeScore(name, self._task.scorers[name])
        return self._loaded[name]

    def _score(self, part: str, scores: dict[str, SafeScore]) -> dict[str, pa.Table]:
        wanted = [self._task.scorers[name] for name in scores]
        clips = self._clips(part, {column for scorer in wanted for column in scorer.reads})
        chunks = self._with_frames(part, clips) if any(s.reads_frames for s in wanted) else _without_frames(clips)
        pieces: dict[str, list[pa.Table]] = {name: [] for name in scores}
        calls = {name: self._call(part, name, score) for name, score in scores.items()}
        for table, frames in chunks:
            for name, call in calls.items():
                pieces[name].append(call(table, frames))
        return {name: scores[name].whole(tables) for name, tables in pieces.items()}

    def _call(self, part: str, name: str, score: SafeScore) -> SafeScore | SourceScore:
        reads_video = "path" in self._task.scorers[name].reads
        return SourceScore(score, self._corpus, part, self._task.blocked) if reads_video else score

    def _clips(self, part: str, wanted: set[str]) -> pa.Table:
        """The clips of a part with these columns, wherever they stand, and those that every scoring needs."""
        own = [name for name in CLIPS.names if name in {"clip_id", *SPAN, *wanted}]
        clips = self._corpus.read("clips", part, own)
        for column in sorted(wanted - set(own)):
            clips = clips.append_column(column, self._column(part, column, clips))
        return clips

    def _column(self, part: str, column: str, clips: pa.Table) -> pa.ChunkedArray | pa.Array:
        if column == "captions":
            texts = first_texts(self._corpus.read("captions", part))
            return pa.array([texts.get(clip_id, []) for clip_id in clips["clip_id"].to_pylist()], pa.list_(pa.string()))
        if column == "path":
            videos = self._corpus.read("videos", part, ["video_id", "path"])
            paths = dict(zip(*videos.to_pydict().values(), strict=True))
            return pa.array([paths[video_id] for video_id in clips["video_id"].to_pylist()], pa.string())
        return read_mirror(self._corpus, self._task.homes[column], part, clips["clip_id"], [column])[column]

    def _with_frames(self, part: str, clips: pa.Table) -> Iterator[tuple[pa.Table, Sequence[Frames]]]:
        with closing(ProxyReader(self._corpus.path("proxies", part))) as proxies:
            yield from _chunks(clips, proxies)


def _chunks(clips: pa.Table, proxies: ProxyReader) -> Iterator[tuple[pa.Table, Sequence[Frames]]]:
    """Runs of clips with their frames; where a run ends depends on the part alone."""
    start, frames = 0, []
    spans = clips.select(SPAN).to_pylist()
    for row, span in enumerate(spans):
        frames.append(proxies.frames(**span))
        if sum(map(len, frames)) >= CHUNK_FRAMES or row == len(spans) - 1:
            yield clips.slice(start, row + 1 - start), frames
            start, frames = row + 1, []


def _without_frames(clips: pa.Table) -> Iterator[tuple[pa.Table, Sequence[Frames]]]:
    """Runs of clips, each clip with no frame."""
    for start in range(0, len(clips), CHUNK_CLIPS):
        table = clips.slice(start, CHUNK_CLIPS)
        yield table, [()] * len(table)
