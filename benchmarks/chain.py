"""The chain of jobs that needs no model: split, motion, faults of pictures, fingerprints, duplicates."""

import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from curation import dedup
from curation.caption_rows import write_captions
from curation.captions import Captions
from curation.config import InputsConfig, SplitConfig
from curation.corpus import update_inputs
from curation.duplicates.config import DedupConfig, PerceptualConfig
from curation.part_work import PartTask, PartWorker
from curation.score import ScoreTask
from curation.scorer import Resources, Scorer
from curation.scorers.fingerprint import Fingerprint
from curation.scorers.frame import Frame
from curation.scorers.motion import Motion
from curation.split import SplitTask
from curation.splitters.hybrid import Hybrid
from curation.tables import Corpus
from curation.unique import unique_videos

CHEAP = SplitConfig(splitter=Hybrid(doubt=(1, 1)))
SCORERS: dict[str, Scorer] = {"fingerprint": Fingerprint(), "motion": Motion(), "frame": Frame()}
DUPLICATES = DedupConfig(perceptual=PerceptualConfig())
SMALL_PARTS = InputsConfig(part_max_videos=3)  # so that no core is idle at the end for long

_workers: dict[type, PartWorker] = {}


def run_part(task: PartTask, part: str) -> None:
    """Runs in a worker process, whose first part of a job loads what the job needs."""
    if type(task) not in _workers:
        _workers[type(task)] = task.build()
    _workers[type(task)].run(part)


@dataclass
class Chain:
    """Runs the jobs as `make curate` does, on processes that stay, so that their start-up can be told apart."""

    root: Path
    listed: pa.Table
    pool: ProcessPoolExecutor
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"split": [], "score": [], "dedup": []})
    """Of each job in each run so far."""

    @property
    def corpus(self) -> Corpus:
        """What the last run made."""
        return Corpus(self.root)

    def run(self) -> None:
        """Makes the corpus anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        for name, job in (("split", self._split), ("score", self._score), ("dedup", self._dedup)):
            start = time.perf_counter()
            job()
            self.seconds[name].append(time.perf_counter() - start)

    def _split(self) -> None:
        update_inputs(self.corpus, self.listed, SMALL_PARTS)
        parts = self.corpus.parts("inputs")
        sizes = {part: _num_bytes(self.corpus, part) for part in parts}
        unique = unique_videos(self.corpus)
        copies = {part: unique.copies.get(part, frozenset()) for part in parts}
        self._map(SplitTask(self.corpus, CHEAP, copies), sorted(parts, key=lambda part: -sizes[part]))
        write_captions(self.corpus, Captions(None))

    def _score(self) -> None:
        self._map(ScoreTask(self.corpus, SCORERS, Resources()), self.corpus.parts("clips"))

    def _dedup(self) -> None:
        dedup.run(self.corpus, DUPLICATES, SCORERS)

    def _map(self, task: PartTask, parts: Sequence[str]) -> None:
        for future in [self.pool.submit(run_part, task, part) for part in parts]:
            future.result()


def _num_bytes(corpus: Corpus, part: str) -> int:
    return sum(size or 0 for size in corpus.read("inputs", part, ["size_bytes"])["size_bytes"].to_pylist())
