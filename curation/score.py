"""Job 2: scorers read proxy frames and write one table each; a clip that breaks a scorer costs that clip there only."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa

from curation.caption_rows import first_texts
from curation.engine import Counts, PartTask, PartWorker
from curation.proxies import ProxyReader
from curation.safe_score import SafeScore, score_schema, table_name
from curation.scorer import Frames, Resources, Scorer
from curation.tables import Corpus

CHUNK_FRAMES = 256  # clips are scored together up to this many frames, so that memory does not grow with a part


def check_scorers(scorers: Mapping[str, Scorer]) -> None:
    """Refuses names and columns that clash, before work starts.

    Raises:
        ValueError: names both scorers and the column.
    """
    owner: dict[str, str] = {}
    for name, scorer in scorers.items():
        for column in score_schema(name, scorer).names[1:]:
            if column in owner:
                raise ValueError(f"scorers.{name} and scorers.{owner[column]} both write the column `{column}`")
            owner[column] = name


def group_by_resources(scorers: Mapping[str, Scorer]) -> Iterator[tuple[Resources, dict[str, Scorer]]]:
    """Scorers that take the same from the cluster share a worker, so that frames are decoded once for all of them."""
    groups: dict[Resources, dict[str, Scorer]] = defaultdict(dict)
    for name, scorer in scorers.items():
        groups[scorer.resources][name] = scorer
    return iter(groups.items())


@dataclass(frozen=True)
class ScoreTask(PartTask):
    """Runs a group of scorers over the clips of a part."""

    corpus: Corpus
    scorers: dict[str, Scorer]
    resources: Resources

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
            self._corpus.write(table_name(name), part, table, schema)
        errors = {f"{name} errors": len(t) - t[f"{name}_error"].null_count for name, t in tables.items()}
        return {"clips": max((len(table) for table in tables.values()), default=0), **errors}

    def _load(self, name: str) -> SafeScore:
        if name not in self._loaded:
            self._loaded[name] = SafeScore(name, self._task.scorers[name])
        return self._loaded[name]

    def _score(self, part: str, scores: dict[str, SafeScore]) -> dict[str, pa.Table]:
        clips = self._corpus.read("clips", part)
        texts = first_texts(self._corpus.read("captions", part))
        captions = pa.array([texts.get(clip_id, []) for clip_id in clips["clip_id"].to_pylist()], pa.list_(pa.string()))
        clips = clips.append_column("captions", captions)
        pieces: dict[str, list[pa.Table]] = {name: [] for name in scores}
        with closing(ProxyReader(self._corpus.path("proxies", part))) as proxies:
            for table, frames in _chunks(clips, proxies):
                for name, score in scores.items():
                    pieces[name].append(score(table, frames))
        return {name: scores[name].whole(tables) for name, tables in pieces.items()}


def _chunks(clips: pa.Table, proxies: ProxyReader) -> Iterator[tuple[pa.Table, list[Frames]]]:
    """Runs of clips with their frames; where a run ends depends on the part alone."""
    start, frames = 0, []
    spans = clips.select(["video_id", "start_pts", "end_pts"]).to_pylist()
    for row, span in enumerate(spans):
        frames.append(proxies.frames(**span))
        if sum(map(len, frames)) >= CHUNK_FRAMES or row == len(spans) - 1:
            yield clips.slice(start, row + 1 - start), frames
            start, frames = row + 1, []
