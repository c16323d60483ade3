import os
import signal
from dataclasses import dataclass

import pytest
from handmade import put_clips, put_dedup, put_scores

from curation import crew as crews
from curation import filter
from curation.config import CurateConfig, Rule, RuleSet
from curation.crew import crew
from curation.tables import Corpus

PARTS, SIZE = 20, 7
RULES = [
    Rule("flow", drop_bottom=0.2, drop_top=0.1),
    Rule("flow", min=30, name="busy"),
    Rule("duration_s", drop_bottom=0.1, by="video_id"),
]


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path / "corpus")
    for part in range(PARTS):
        ids = put_clips(made, part, SIZE, first=SIZE * part, duration_s=[1.0 + k / 3 for k in range(SIZE)])
        flow = [float((37 * (SIZE * part + k)) % (PARTS * SIZE)) if k else None for k in range(SIZE)]
        put_scores(made, part, "motion", ids, flow=flow)
        put_dedup(made, part, ids, [f"{k:020d}" for k in range(SIZE)], [part] * SIZE)
    return made


@pytest.fixture
def processes(monkeypatch):
    monkeypatch.setattr(crews, "MANY_PARTS", PARTS)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


def test_processes_write_what_threads_write(corpus, tmp_path, monkeypatch, processes):
    blocked = tmp_path / "blocked.txt"
    blocked.write_text(corpus.read("clips", "part-00003", ["clip_id"])["clip_id"][0].as_py())
    sets = {"hq": RuleSet(RULES), "all": RuleSet(RULES[:1], "keep")}
    config = CurateConfig(scorers={"motion": None}, sets=sets, block_list=str(blocked))
    found = []
    for many in (PARTS, PARTS + 1):
        monkeypatch.setattr(crews, "MANY_PARTS", many)
        counts = filter.run(corpus, config)
        files = sorted(path for path in (corpus.root / "verdicts").rglob("*") if path.is_file())
        found.append((counts, {path: path.read_bytes() for path in files}))
    assert found[0] == found[1]
    assert len(found[0][1]) == 2 * (PARTS + 1) and 0 < found[0][0]["hq"]["kept"] < found[0][0]["hq"]["clips"]


@dataclass(frozen=True)
class Work:
    at: str
    fails: bool = False

    def __call__(self, part, *beside):
        if part == self.at and self.fails:
            raise ValueError(f"{part} is damaged")
        if part == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return (part, os.getpid(), *beside)


def test_answers_come_in_order_with_what_stands_beside(corpus, processes):
    with crew(corpus) as workers:
        answers = list(workers.each(Work("none"), range(PARTS)))
    assert [(part, number) for part, _, number in answers] == [(f"part-{n:05d}", n) for n in range(PARTS)]
    assert os.getpid() not in {pid for _, pid, _ in answers}


def test_what_work_raises_is_raised(corpus, processes):
    with pytest.raises(ValueError, match="part-00013 is damaged"), crew(corpus) as workers:
        list(workers.each(Work("part-00013", fails=True)))


def test_a_killed_process_is_told(corpus, processes):
    with pytest.raises(RuntimeError, match="perhaps for lack of memory; run the same"), crew(corpus) as workers:
        list(workers.each(Work("part-00004")))


def test_few_parts_take_threads(corpus):
    with crew(corpus) as workers:
        assert {pid for _, pid in workers.each(Work("none"))} == {os.getpid()}
