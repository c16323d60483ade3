"""The jobs in order: each looks at what stands, does what is missing, and says so when nothing is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from curation import dedup, filter, pack, retry, stats
from curation.block import blocked_videos, read_block_list
from curation.caption_rows import write_captions
from curation.captions import Captions
from curation.config import CurateConfig
from curation.corpus import update_inputs
from curation.defect import refuse_defect
from curation.engine import Engine, PartTask
from curation.force import force
from curation.funnel import broken
from curation.funnel import render as render_funnel
from curation.guard import claim, describe, refuse_changed
from curation.listing import list_videos, sample_stably
from curation.maker import makers
from curation.progress import Following, Screen, in_words
from curation.report.page import renew_report
from curation.rules import check as check_rules
from curation.rules import columns_of
from curation.safe_score import table_name
from curation.score import ScoreTask
from curation.score_order import by_worker, check_scorers, describe_tables, homes, in_waves, with_sources
from curation.scorer import Resources, Scorer
from curation.selectable import declared
from curation.split import SplitTask
from curation.tables import Corpus
from curation.thresholds import read_thresholds
from curation.trial import render
from curation.unique import unique_videos
from shards.store import remove_temporaries


@dataclass(frozen=True)
class Curation:
    """A configured run over one corpus."""

    corpus: Corpus
    config: CurateConfig
    engine: Engine
    screen: Screen

    def run(
        self, jobs: Sequence[str], forced: str | None, started: Callable[[], None], retried: str | None = None
    ) -> None:
        """Runs jobs, in the order of the flow.

        Args:
            jobs: names.
            forced: job whose old tables are moved aside first.
            started: called once all is found to be in order: before anything is written, but where rules alone are
                applied after that, since only then they are known to make sense over what there is.
            retried: status of the videos that `split` reads again.

        Raises:
            ValueError: the configuration or the inputs are wrong; says what and the way out.
        """
        listed, captions = self._check(jobs, forced, retried)
        if list(jobs) == ["filter"]:
            self.filter()
            if (folder := self.corpus.folder("stats")).exists():
                anew = f"make stats OUT={self.corpus.root}"
                self.screen.say(f"{folder} speaks of the verdicts before: {anew} writes it anew")
            return started()
        if list(jobs) != ["stats"]:  # it only looks
            started()
        if forced and forced != "pack":
            self.screen.say(force(self.corpus, self.config, forced))
        for job in jobs:
            if job == "split":
                self.split(listed, captions, retried)
            elif job == "pack":
                self.pack(forced == "pack")
            elif job == "filter":
                self.filter(in_full=False)
            else:
                getattr(self, job)()

    def _check(self, jobs: Sequence[str], forced: str | None, retried: str | None) -> tuple[pa.Table | None, Captions]:
        """Finds what can be known to fail before any work is done; gives the files and the captions it read for it."""
        corpus, config = self.corpus, self.config
        check_scorers(config.scorers)
        dedup.check(config.dedup, config.scorers)
        if "split" not in jobs:
            corpus.need("clips", "split")
        if "pack" in jobs:
            for name in config.sets:
                pack.check(config, name)
                if len(jobs) == 1 and not forced:
                    corpus.need(f"verdicts/{name}", "filter")
                    refuse_changed(corpus, "pack", f"shards/{name}", pack.describe(corpus, config, name))
        listed = sample_stably(list_videos(config.videos), config.limit) if "split" in jobs and config.videos else None
        self._check_rules(listed, carry_over="filter" in jobs)
        captions = Captions(config.captions if "split" in jobs else None)
        read_block_list(config.block_list)
        if not {"split", "score"}.isdisjoint(jobs) and forced != "split":  # proxy frames of another split are others
            refuse_changed(corpus, "split", "clips", describe(config.split))
        if "score" in jobs:
            if forced not in ("split", "score"):
                self._refuse_changed_scorers()
            self._prepare_scorers(listed, forced or retried)
            if forced not in ("split", "score"):
                self._refuse_changed_scorers()  # now that weights of a hub are here, they can be compared
        if "dedup" in jobs and forced not in ("split", "score", "dedup"):
            refuse_changed(corpus, "dedup", dedup.TABLE, dedup.description(config.dedup, config.scorers))
        return listed, captions

    def _check_rules(self, listed: pa.Table | None, carry_over: bool = False) -> None:
        columns = declared(self.corpus, self.config, listed)
        for name, rule_set in self.config.sets.items():
            check_rules(name, rule_set, columns)
            if carry_over and rule_set.thresholds:
                read_thresholds(rule_set.thresholds, name)

    def _prepare_scorers(self, listed: pa.Table | None, renewed: str | None) -> None:
        """Prepares those that have something left to do, as far as can be told before `split`."""
        parts = self.corpus.parts("inputs")
        known = set(self.corpus.read_all("inputs", ["path"])["path"].to_pylist()) if parts else set()
        is_new = not parts or (listed is not None and not known.issuperset(listed["path"].to_pylist()))
        for name, scorer in self.config.scorers.items():
            if is_new or renewed or self.corpus.parts(table_name(name)) != parts:
                try:
                    scorer.prepare()
                except ValueError as error:
                    raise ValueError(f"scorers.{name}: {error}") from error

    def _refuse_changed_scorers(self) -> None:
        for table, description in describe_tables(self.config.scorers).items():
            refuse_changed(self.corpus, "score", table, description)

    def _run_parts(self, job: str, task: PartTask, parts: Sequence[str]) -> None:
        with self.screen.follow(job, len(parts)) as progress:
            self.engine.run(job, task, parts, progress.done, progress.going)

    def split(self, listed: pa.Table | None, captions: Captions, retried: str | None = None) -> None:
        """Job 1 and the captions of its clips."""
        corpus, config = self.corpus, self.config
        if listed is not None:
            new = update_inputs(corpus, listed, config.inputs)
            self.screen.say(f"inputs: {len(listed)} files in {config.videos}, {new} of them new")
        if not corpus.parts("inputs"):
            raise ValueError(f"{corpus.root} has no inputs yet; name footage with VIDEOS=<folder|glob|table>")
        claim(corpus, "split", "clips", describe(config.split))
        if retried:
            self._retry(retried)
        todo = [part for part in corpus.parts("inputs") if not corpus.has("videos", part)]
        if todo:
            self._split(todo)
        else:
            self._nothing_to_do("split", "videos")
        if write_captions(corpus, captions):
            self.screen.say(f"captions: {len(corpus.read_all('captions', ['clip_id']))} for the clips")

    def _retry(self, status: str) -> None:
        again = retry.chosen(self.corpus, status)
        if not again:
            self.screen.say(f"RETRY={status}: no video is {status}")
            return
        with retry.side_corpus(self.corpus) as side:
            task = SplitTask(self.corpus, self.config.split, {}, again, self._blocked(), side)
            with self._reading(f"retry {status}", sum(map(len, again.values()))) as progress:
                self.engine.run(f"retry {status}", task, list(again), progress.done, progress.going)
            self.screen.say(f"RETRY={status}: {retry.take_over(self.corpus, side, again)}")

    def _split(self, parts: Sequence[str]) -> None:
        unique = unique_videos(self.corpus)
        copies = {part: unique.copies.get(part, frozenset()) for part in parts}
        task = SplitTask(self.corpus, self.config.split, copies, blocked=self._blocked())
        with (
            self._reading("split", sum(unique.num_videos[part] for part in parts)) as progress,
            refuse_defect(self.corpus, parts, progress.done) as done,
        ):
            self.engine.run("split", task, parts, done, progress.going)

    @contextmanager
    def _reading(self, job: str, num_videos: int) -> Iterator[Following]:
        with self.screen.follow(job, num_videos, "videos") as progress:
            yield progress
        remove_temporaries(self.corpus.folder("proxies"))  # of workers that were killed

    def _blocked(self) -> frozenset[str]:
        return blocked_videos(self.corpus, read_block_list(self.config.block_list))

    def score(self) -> None:
        """Job 2."""
        self.corpus.need("videos", "split")
        self.corpus.need("captions", "split")
        tables = describe_tables(self.config.scorers)
        for table, description in tables.items():
            claim(self.corpus, "score", table, description)
        blocked = self._blocked()
        groups = [group for wave in in_waves(self.config.scorers) for group in by_worker(wave)]
        if not any([self._score_group(*group, blocked) for group in groups]):
            self._nothing_to_do("score", *tables)

    def _score_group(self, resources: Resources, scorers: dict[str, Scorer], blocked: frozenset[str]) -> bool:
        """Runs scorers that share workers over the parts that one of them lacks; gives whether there were any."""
        corpus, parts = self.corpus, self.corpus.parts("videos")
        lack = {name: [part for part in parts if not corpus.has(table_name(name), part)] for name in scorers}
        todo = sorted({part for parts in lack.values() for part in parts})
        if todo:
            needed = {name: scorer for name, scorer in scorers.items() if lack[name]}
            made_by = makers(corpus, map(table_name, needed))
            task = ScoreTask(corpus, needed, resources, homes(self.config.scorers), blocked, made_by)
            self._run_parts(f"score {', '.join(needed)}", task, todo)
        return bool(todo)

    def dedup(self) -> None:
        """Job 3."""
        config = self.config
        self.corpus.need("videos", "split")
        for name in dedup.sources(config.dedup, config.scorers):
            self.corpus.need(table_name(name), "score")
        refuse_changed(self.corpus, "dedup", dedup.TABLE, dedup.description(config.dedup, config.scorers))
        if dedup.is_done(self.corpus):
            self._nothing_to_do("dedup", dedup.TABLE)
        else:
            self.screen.say(f"dedup: {in_words(dedup.run(self.corpus, config.dedup, config.scorers))}")

    def filter(self, write: bool = True, in_full: bool = True) -> None:
        """Job 4; cheap, so always done anew.

        Args:
            write: false only says what would come out.
            in_full: says what each rule rejects, and not just how many clips are kept; without `write` always so.
        """
        self.check_filter()
        for name, judged in filter.judge_sets(self.corpus, self.config, write).items():
            line = f"filter {name}: {in_words(judged.summary.counts())}"
            self.screen.say(line if write and not in_full else render(judged, is_trial=not write))

    def check_filter(self) -> None:
        """Sees that rules find the tables of all jobs before.

        Raises:
            ValueError: one is missing or not whole, or a rule names what no table holds; says which job comes first.
        """
        config = self.config
        check_scorers(config.scorers)
        self._check_rules(None)
        self.corpus.need(dedup.TABLE, "dedup")
        for name in config.scorers:
            self.corpus.need(table_name(name), "score")
        for table, description in self._describe_ruled().items():
            refuse_changed(self.corpus, "score", table, description, compare_gone=False)
        refuse_changed(self.corpus, "dedup", dedup.TABLE, dedup.description(config.dedup, config.scorers))
        if not dedup.is_done(self.corpus):
            raise ValueError(
                f"{self.corpus.folder(dedup.TABLE)} is not whole, or of an older version: run `dedup` first"
            )

    def _describe_ruled(self) -> dict[str, object]:
        """The configurations of the score tables that rules read; weights of others are not looked at."""
        scorers = self.config.scorers
        used = {column for rule_set in self.config.sets.values() for r in rule_set.rules for column in columns_of(r)}
        ruled = {name for name, scorer in scorers.items() if not used.isdisjoint(scorer.writes.names)}
        wanted = with_sources(scorers, ruled)
        return describe_tables({name: scorer for name, scorer in scorers.items() if name in wanted})

    def pack(self, forced: bool) -> None:
        """Job 5."""
        corpus, config = self.corpus, self.config
        for name in config.sets:
            self.corpus.need(f"verdicts/{name}", "filter")
        if forced:
            self.screen.say(force(corpus, config, "pack"))
        for name in config.sets:
            description = pack.describe(corpus, config, name)
            claim(corpus, "pack", f"shards/{name}", description)
            todo = pack.plan(corpus, config, name, description)
            if todo:
                task = pack.PackTask(corpus, config.pack_of(name), name, config.split.limits)
                self._run_parts(f"pack {name}", task, todo)
                self.screen.say(f"pack {name}: {in_words(pack.finish(corpus, name))}")
            else:
                self._nothing_to_do(f"pack {name}", f"shards/{name}")

    def stats(self) -> None:
        """Job 6; cheap, so always done anew."""
        self.corpus.need("videos", "split")
        sums = stats.run(self.corpus, self.config)
        self.screen.say(render_funnel(sums))
        page = renew_report(self.corpus, self.config, sums)
        if broken(sums):
            raise RuntimeError("a sum of the funnel does not hold; see above")
        self.screen.say(f"look at {self.corpus.folder('stats')}: {', '.join(stats.TABLES)}")
        for name in self.config.sets:
            if self.corpus.folder(f"shards/{name}").exists():
                self.screen.say(f"look at {self.corpus.folder(f'shards/{name}')}: train, val")
        if page:
            self.screen.say(f"report: {page}")

    def _nothing_to_do(self, job: str, *tables: str) -> None:
        self.screen.say(f"{job}: nothing to do, all parts stand ({', '.join(tables)})")
