"""The jobs in order: each looks at what stands, does what is missing, and says so when nothing is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curation import dedup, filter, pack, stats
from curation.captions import Captions, write_captions
from curation.config import CurateConfig
from curation.corpus import first_paths, list_videos, sample_stably, update_inputs
from curation.engine import Engine, PartTask
from curation.funnel import broken, render
from curation.guard import BUILT_ON, changes, claim, describe, move_aside
from curation.joined import is_number
from curation.progress import Screen
from curation.rules import check as check_rules
from curation.safe_score import table_name
from curation.score import ScoreTask, check_scorers, group_by_resources
from curation.split import SplitTask
from curation.tables import Corpus
from shards.schema import CLIPS, DEDUP

FORCEABLE = tuple(BUILT_ON)


@dataclass(frozen=True)
class Curation:
    """A configured run over one corpus."""

    corpus: Corpus
    config: CurateConfig
    engine: Engine
    screen: Screen

    def run(self, jobs: Sequence[str], force: str | None = None) -> None:
        """Runs jobs, in the order of the flow.

        Raises:
            ValueError: the configuration or the inputs are wrong; says what and the way out.
        """
        self._check(jobs)
        if force:
            self._force(force)
        for job in jobs:
            JOBS[job](self)

    def _check(self, jobs: Sequence[str]) -> None:
        """Finds what can be known to fail before any work is done."""
        check_scorers(self.config.scorers)
        fields = [*CLIPS, *DEDUP, *(f for scorer in self.config.scorers.values() for f in scorer.writes)]
        columns = [f.name for f in fields if is_number(f.type)]
        for name, rule_set in self.config.sets.items():
            check_rules(name, rule_set, columns)
        if "pack" in jobs:
            pack.check(self.config.pack)
        if "score" in jobs:
            for name, scorer in self._pending_scorers().items():
                try:
                    scorer.prepare()
                except ValueError as error:
                    raise ValueError(f"scorers.{name}: {error}") from error

    def _pending_scorers(self) -> dict:
        """Scorers that have something left to do, as far as can be told before `split`."""
        parts = self.corpus.parts("inputs")
        if not parts or self.config.videos:
            return dict(self.config.scorers)
        return {name: s for name, s in self.config.scorers.items() if self.corpus.parts(table_name(name)) != parts}

    def _force(self, job: str) -> None:
        tables = list(BUILT_ON[job])
        if job == "score":
            changed = [
                t for t, description in self._score_descriptions().items() if changes(self.corpus, t, description)
            ]
            tables = [*(changed or self._score_descriptions()), *tables, dedup.TABLE]
        aside = move_aside(self.corpus, tables)
        self.screen.say(f"FORCE={job}: moved the old tables to {aside}" if aside else f"FORCE={job}: no table stands")

    def _score_descriptions(self) -> dict[str, object]:
        return {table_name(name): describe(scorer) for name, scorer in self.config.scorers.items()}

    def _run_parts(self, job: str, task: PartTask, parts: Sequence[str]) -> None:
        with self.screen.parts(job, len(parts)) as done:
            self.engine.run(job, task, parts, done)

    def split(self) -> None:
        """Job 1 and the captions of its clips."""
        corpus, config = self.corpus, self.config
        if config.videos:
            claim(corpus, "split", "clips", describe(config.split))
            listed = sample_stably(list_videos(config.videos), config.limit)
            new = update_inputs(corpus, listed, config.inputs)
            self.screen.say(f"inputs: {len(listed)} files in {config.videos}, {new} of them new")
        todo = [part for part in corpus.parts("inputs") if not corpus.has("videos", part)]
        if not corpus.parts("inputs"):
            raise ValueError(f"{corpus.root} has no inputs yet; name footage with VIDEOS=<folder|glob|table>")
        if todo:
            self._run_parts("split", SplitTask(corpus, config.split, first_paths(corpus)), todo)
        else:
            self._nothing_to_do("split", "videos")
        if write_captions(corpus, Captions(config.captions)):
            self.screen.say(f"captions: {len(corpus.read_all('captions', ['clip_id']))} for the clips")

    def score(self) -> None:
        """Job 2."""
        self._need("clips", "split")
        for table, description in self._score_descriptions().items():
            claim(self.corpus, "score", table, description)
        worked = False
        for resources, scorers in group_by_resources(self.config.scorers):
            todo = [
                p for p in self.corpus.parts("clips") if not all(self.corpus.has(table_name(n), p) for n in scorers)
            ]
            if todo:
                worked = True
                self._run_parts(f"score {', '.join(scorers)}", ScoreTask(self.corpus, scorers, resources), todo)
        if not worked:
            self._nothing_to_do("score", *self._score_descriptions())

    def dedup(self) -> None:
        """Job 3."""
        self._need("clips", "split")
        if dedup.is_done(self.corpus):
            self._nothing_to_do("dedup", dedup.TABLE)
        else:
            self.screen.say(f"dedup: {_words(dedup.run(self.corpus))}")

    def filter(self) -> None:
        """Job 4; cheap, so always done anew."""
        self._need(dedup.TABLE, "dedup")
        for name in self.config.scorers:
            self._need(table_name(name), "score")
        for name, counts in filter.run(self.corpus, self.config).items():
            self.screen.say(f"filter {name}: {_words(counts)}")

    def pack(self) -> None:
        """Job 5."""
        corpus, config = self.corpus, self.config
        for name in config.sets:
            self._need(f"verdicts/{name}", "filter")
        for name in config.sets:
            claim(corpus, "pack", f"shards/{name}", pack.describe(corpus, config, name))
            todo = pack.plan(corpus, config, name)
            if todo:
                self._run_parts(f"pack {name}", pack.PackTask(corpus, config.pack, name, config.split.limits), todo)
                pack.finish(corpus, name)
            else:
                self._nothing_to_do(f"pack {name}", f"shards/{name}")

    def stats(self) -> None:
        """Job 6; cheap, so always done anew."""
        self._need("clips", "split")
        sums = stats.run(self.corpus, self.config)
        self.screen.say(render(sums))
        if broken(sums):
            raise RuntimeError("a sum of the funnel does not hold; see above")
        self.screen.say(f"look at {self.corpus.folder('stats')}: clips.parquet, funnel.parquet, failures.parquet")
        for name in self.config.sets:
            if self.corpus.folder(f"shards/{name}").exists():
                self.screen.say(f"look at {self.corpus.folder(f'shards/{name}')}: train, val")

    def _need(self, table: str, job: str) -> None:
        if not self.corpus.parts(table):
            raise ValueError(f"{self.corpus.folder(table)} is empty; run JOB={job} first, or leave JOB out to run all")

    def _nothing_to_do(self, job: str, *tables: str) -> None:
        self.screen.say(f"{job}: nothing to do, all parts stand ({', '.join(tables)})")


def _words(counts: dict) -> str:
    return ", ".join(f"{count:g} {name}" for name, count in counts.items())


JOBS: dict[str, Callable[[Curation], None]] = {
    "split": Curation.split,
    "score": Curation.score,
    "dedup": Curation.dedup,
    "filter": Curation.filter,
    "pack": Curation.pack,
    "stats": Curation.stats,
}
