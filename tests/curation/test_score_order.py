"""Who comes after whom, what is refused before work, and what a table remembers of those it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from curation.guard import ConfigChanged, changes, claim, refuse_changed
from curation.score_order import by_worker, check_scorers, describe_tables, homes, in_waves, tables_from
from curation.scorer import Resources, Score, Scorer
from curation.tables import Corpus
from shards.schema import field


@dataclass(frozen=True)
class Link(Scorer):
    """Reads and writes what it is told to."""

    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    size: int = 1
    resources: Resources = Resources()
    looks: bool = True
    weights_at: str | None = None
    refuses: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        return self.takes

    @property
    def reads_frames(self) -> bool:
        return self.looks

    @property
    def writes(self) -> pa.Schema:
        return pa.schema([field(name, pa.float32(), "number") for name in self.gives])

    def check(self, writers: Mapping[str, Scorer]) -> None:
        if self.refuses in writers:
            raise ValueError(f"not that {self.refuses} of size {writers[self.refuses].size}")

    def weights(self) -> Mapping[str, Path | None]:
        if self.weights_at is None:
            return {}
        path = Path(self.weights_at + ".bin")
        return {"net": path if path.exists() else None}

    def build(self) -> Score:
        raise NotImplementedError


CHAIN = {
    "last": Link(("b", "width"), ("c",)),
    "middle": Link(("a", "captions"), ("b",)),
    "first": Link(("path",), ("a",)),
    "alone": Link((), ("d",)),
}


def test_each_comes_after_those_it_reads_from():
    assert [list(wave) for wave in in_waves(CHAIN)] == [["first", "alone"], ["middle"], ["last"]]
    assert homes(CHAIN)["b"] == "scores/middle" and homes(CHAIN)["alone_error"] == "scores/alone"
    check_scorers(CHAIN)
    check_scorers({})


def test_one_may_read_the_errors_of_another():
    assert len(in_waves({"b": Link(("a_error",), ("y",)), "a": Link((), ("x",))})) == 2


@pytest.mark.parametrize(
    ("scorers", "words"),
    [
        ({"a": Link((), ("x",)), "b": Link((), ("x",))}, r"scorers\.b and scorers\.a both write the column `x`"),
        ({"a": Link((), ("width",))}, r"scorers\.a writes the column `width`, which is taken"),
        ({"a": Link((), ("duplicate_rank",))}, "which is taken"),
        (
            {"a": Link((), ("clip_embedding",)), "b": Link(("clip_embeding",), ("y",))},
            "`clip_embeding`.*clip_embedding",
        ),
        ({"b": Link(("nonsense",), ("y",))}, r"scorers\.b reads the column `nonsense`, which `clips` lacks"),
        ({"a": Link(("y",), ("x",)), "b": Link(("x",), ("y",))}, "in a circle: (a <- b <- a|b <- a <- b)"),
        ({"a": Link(("x",), ("x",))}, "in a circle: a <- a"),
        ({"a": Link((), ("x",), 5), "b": Link(("x",), ("y",), refuses="x")}, r"scorers\.b: not that x of size 5"),
    ],
)
def test_what_cannot_work_is_refused_before_work(scorers, words):
    with pytest.raises(ValueError, match=words):
        check_scorers(scorers)


def test_workers_are_shared_by_equal_resources_and_frames():
    gpu = Resources(cpus=2, gpus=0.5)
    scorers = {
        "a": Link(gives=("a",)),
        "b": Link(gives=("b",), resources=gpu),
        "c": Link(gives=("c",)),
        "d": Link(gives=("d",), looks=False),
    }
    groups = [(resources.gpus, list(group)) for resources, group in by_worker(scorers)]
    assert groups == [(0, ["a", "c"]), (0.5, ["b"]), (0, ["d"])]


@pytest.mark.parametrize("odd", [{"cpus": -1}, {"gpus": -0.5}, {"gpus": 1.5}])
def test_resources_that_make_no_sense_are_refused(odd):
    with pytest.raises(ValueError, match="resources"):
        Resources(**odd)


def test_a_table_depends_on_those_it_was_made_from(tmp_path):
    corpus = Corpus(tmp_path)
    for table, description in describe_tables(CHAIN).items():
        claim(corpus, "score", table, description)
    other = CHAIN | {"first": Link(("path",), ("a",), size=2)}
    now = describe_tables(other)
    assert list(now) == ["scores/first", "scores/alone", "scores/middle", "scores/last"]
    changed = {table for table, description in now.items() if changes(corpus, table, description)}
    assert changed == {"scores/first", "scores/middle", "scores/last"}
    with pytest.raises(ConfigChanged, match=r"made_from\.scores/middle\.made_from\.scores/first\.size was 1, is 2"):
        refuse_changed(corpus, "score", "scores/last", now["scores/last"])


def test_readers_of_a_column_and_those_built_on_them():
    assert tables_from(CHAIN, "captions") == ["scores/middle", "scores/last"]
    assert tables_from(CHAIN, "height") == []


def test_other_weights_are_another_table_and_unseen_ones_are_not_compared(tmp_path):
    corpus, name = Corpus(tmp_path / "out"), str(tmp_path / "net")
    scorers = {"a": Link((), ("x",), weights_at=name), "b": Link(("x",), ("y",))}

    def differ() -> list[str]:
        return [table for table, made in describe_tables(scorers).items() if changes(corpus, table, made)]

    Path(name + ".bin").write_bytes(b"one")
    for table, description in describe_tables(scorers).items():
        claim(corpus, "score", table, description)
    assert differ() == []
    Path(name + ".bin").write_bytes(b"two")
    assert differ() == ["scores/a", "scores/b"]
    Path(name + ".bin").unlink()
    assert differ() == [], "on a machine without them nothing can be said"
