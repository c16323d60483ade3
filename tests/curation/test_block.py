"""The block list, in its parts and through the jobs."""

from pathlib import Path

import pyarrow as pa
import pytest
from footage import noise_scene, write_video
from handmade import VIDEO, clip_ids, put_clips, put_dedup, put_inputs, put_scores, put_videos, split_video

from curation import accounts, filter, funnel
from curation.__main__ import main
from curation.block import blocked_videos, digest, is_blocked, read_block_list, refuse_older_verdicts
from curation.config import CurateConfig, Rule, RuleSet
from curation.scorers.motion import Motion
from curation.tables import Corpus
from shards.reader import ShardSet

CONFIG = """
engine: local
split: {min_clip_s: 0.5}
scorers: {motion: {class_path: curation.scorers.motion.Motion}}
sets: {pretrain: {rules: []}}
pack: {val_share: 0}
"""


def test_entries_are_ids_paths_and_addresses(tmp_path, bucket):
    lines = f"# taken down\n\n  {VIDEO}  \n{clip_ids(1)[0]}\nsub/../a b.mp4\n/films/b#.mp4\n{bucket}/c.mp4\n"
    for folder in (tmp_path, bucket):
        (folder / "block.txt").write_bytes(b"\xef\xbb\xbf" + lines.encode())
        wanted = {VIDEO, clip_ids(1)[0], f"{folder}/a b.mp4", "/films/b#.mp4", f"{bucket}/c.mp4"}
        assert read_block_list(f"{folder}/block.txt") == wanted
    assert read_block_list(None) == frozenset()


def test_a_list_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"block_list: .*nowhere\.txt cannot be read"):
        read_block_list(str(tmp_path / "nowhere.txt"))
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"block_list: .*b\.txt cannot be read"):
        read_block_list(str(tmp_path / "b.txt"))


def test_a_digest_tells_lists_apart_and_not_their_order():
    assert digest(frozenset("ab")) == digest(frozenset("ba")) != digest(frozenset("a"))
    assert digest(frozenset()) is None


def test_a_blocked_path_blocks_all_byte_copies(tmp_path):
    corpus = Corpus(tmp_path)
    put_inputs(corpus, 0, ["v", "w"])
    put_inputs(corpus, 1, ["v", "x"])
    assert blocked_videos(corpus, frozenset({"/films/1/0.mp4", "x"})) == {"v", "x"}
    assert blocked_videos(corpus, frozenset()) == frozenset()


def test_clips_are_blocked_by_their_video_or_by_themselves():
    clips = pa.table({"clip_id": ["v-0-1", "v-1-2", "w-0-1"], "video_id": ["v", "v", "w"]})
    assert is_blocked(clips, frozenset({"v-1-2"}), frozenset({"w"})).to_pylist() == [False, True, True]


def test_filter_rejects_blocked_clips_before_it_chooses_among_duplicates(tmp_path):
    corpus = Corpus(tmp_path / "out")
    ids = put_clips(corpus, 0, 3)
    put_inputs(corpus, 0, [VIDEO])
    put_scores(corpus, 0, "motion", ids, motion=[1.0, 1.0, 0.0])
    put_dedup(corpus, 0, ids, ["g", "g", None], [0, 1, None])
    (tmp_path / "block.txt").write_text(ids[0])
    rules = RuleSet([Rule("motion", min=0.5)])
    sets = {"hq": rules}
    config = CurateConfig(scorers={"motion": Motion()}, sets=sets, block_list=str(tmp_path / "block.txt"))
    assert filter.run(corpus, config)["hq"] == {"clips": 3, "kept": 1, "rejected": 2}
    rejected = corpus.read("verdicts/hq", "part-00000")["rejected_by"].to_pylist()
    assert rejected == [["blocked", "duplicate"], [], ["motion:min"]]


def test_the_funnel_counts_blocked_videos(tmp_path):
    corpus = Corpus(tmp_path)
    blocked = {"video_id": "b", "status": "blocked", "error": "on the block list"}
    put_videos(corpus, 0, [split_video(1), blocked])
    put_clips(corpus, 0, 1)
    sums = accounts.count(corpus, [], [])
    videos = next(each for each in sums if each.name == "videos")
    assert not funnel.broken(sums)
    assert {part.what: part.count for part in videos.parts} == {"split": 1, "failed": 0, "quarantined": 0, "blocked": 1}


def test_pack_refuses_verdicts_of_another_list(tmp_path):
    corpus, entries = Corpus(tmp_path), frozenset({"v"})
    refuse_older_verdicts(corpus, "hq", {"block_list": digest(entries)}, entries)
    for rules, now in [({"block_list": None}, entries), ({}, entries), ({"block_list": digest(entries)}, frozenset())]:
        with pytest.raises(ValueError, match=r"verdicts/hq was made with another block list; run JOB=filter"):
            refuse_older_verdicts(corpus, "hq", rules, now)


@pytest.fixture
def films(tmp_path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(3):
        write_video(folder / f"{number}.mp4", noise_scene(number, 15))
    (folder / "copy.mp4").write_bytes((folder / "1.mp4").read_bytes())
    return folder


def curate(tmp_path: Path, *arguments: str) -> int:
    (tmp_path / "config.yaml").write_text(CONFIG + f"block_list: {tmp_path / 'block.txt'}\n")
    named = ["--videos", str(tmp_path / "films"), "--out", str(tmp_path / "out")]
    return main(["run", "--config", str(tmp_path / "config.yaml"), *named, *arguments])


def statuses(tmp_path: Path) -> dict[str, str]:
    rows = Corpus(tmp_path / "out").read_all("videos", ["path", "status"]).to_pylist()
    return {Path(row["path"]).name: row["status"] for row in rows}


def packed(tmp_path: Path) -> set[str]:
    index = ShardSet(tmp_path / "out/shards/pretrain/train").index
    return {Path(path).name for path in index["path"].to_pylist()}


def test_a_video_is_blocked_before_and_after_it_was_split_and_comes_back(films, tmp_path, capsys):
    (tmp_path / "block.txt").write_text("films/copy.mp4\n")
    assert curate(tmp_path) == 0
    assert statuses(tmp_path) == {"0.mp4": "ok", "1.mp4": "blocked", "2.mp4": "ok"}
    assert packed(tmp_path) == {"0.mp4", "2.mp4"} and "1 blocked" in capsys.readouterr().out
    split = (tmp_path / "out/videos/part-00000.parquet").read_bytes()

    (tmp_path / "block.txt").write_text("films/copy.mp4\nfilms/2.mp4\n")
    assert curate(tmp_path, "--job", "pack") == 1
    assert "made with another block list; run JOB=filter" in capsys.readouterr().err
    assert curate(tmp_path) == 1
    assert "FORCE=pack" in capsys.readouterr().err
    assert curate(tmp_path, "--force", "pack") == 0
    assert packed(tmp_path) == {"0.mp4"}
    assert (tmp_path / "out/videos/part-00000.parquet").read_bytes() == split, "what stands is not touched"

    (tmp_path / "block.txt").write_text("# all is well\n")
    assert curate(tmp_path, "--retry", "blocked", "--force", "pack") == 0
    assert set(statuses(tmp_path).values()) == {"ok"} and packed(tmp_path) == {"0.mp4", "1.mp4", "2.mp4"}


def test_words_behind_an_entry_are_no_part_of_it(tmp_path):
    (tmp_path / "block.txt").write_text(f"{VIDEO.upper()}  # takedown 17\n   # of Monday\nfilm#2.mp4 # twice\n")
    assert read_block_list(str(tmp_path / "block.txt")) == {VIDEO, f"{tmp_path}/film#2.mp4"}


def test_a_run_that_names_no_list_cannot_undo_a_takedown(tmp_path, capsys):
    (tmp_path / "footage").mkdir()
    write_video(tmp_path / "footage" / "a.mp4", noise_scene(1, 30))
    (tmp_path / "block.txt").write_text("a.mp4\n")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = ["run", "--config", str(tmp_path / "config.yaml"), "--videos", str(tmp_path / "footage")]
    run += ["--out", str(tmp_path / "out"), "--job", "split"]
    assert main([*run, "--block_list", str(tmp_path / "block.txt")]) == 0
    assert main(run) == 1
    assert "has the block list" in capsys.readouterr().err
    assert main([*run, "--block_list", str(tmp_path / "empty.txt")]) == 0
