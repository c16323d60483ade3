import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
from footage import noise_scene, write_video
from handmade import put_videos
from rich.console import Console

from curation.config import CurateConfig, InputsConfig, SplitConfig
from curation.defect import SURE, DefectError, refuse_defect
from curation.engine import Counts, Engine
from curation.jobs import Curation
from curation.progress import Screen
from curation.splitter import Splitter
from curation.tables import Corpus, part_name


@dataclass(frozen=True)
class Broken(Splitter):
    """Raises, but where the rate that a video claims says otherwise."""

    def build(self, time_base, fps):
        from curation.splitters.whole import Whole

        if round(fps) == 10:
            raise ZeroDivisionError("of ours")
        return Whole().build(time_base, fps)


def split_all(folder: Path, splitter: Splitter) -> Corpus:
    config = CurateConfig(
        videos=str(folder / "in"),
        engine="local",
        inputs=InputsConfig(part_max_videos=1),
        split=SplitConfig(splitter=splitter),
    )
    corpus = Corpus(folder / "out")
    screen = Screen(Console(quiet=True))
    Curation(corpus, config, Engine("local", 1, folder / "journal"), screen).run(["split"], None, lambda: None)
    return corpus


def test_the_same_exception_from_every_video_is_a_defect_of_ours_whatever_the_parts(tmp_path, caplog):
    (tmp_path / "in").mkdir()
    for number in range(4):
        write_video(tmp_path / "in" / f"{number}.mp4", noise_scene(number, 12))
    words = r"4 videos failed by ZeroDivisionError and none came out well(.|\n)*block list"
    with caplog.at_level(logging.WARNING), pytest.raises(DefectError, match=words):
        split_all(tmp_path, Broken())
    corpus = Corpus(tmp_path / "out")
    assert "of ours" in caplog.text and "in build" in caplog.text
    assert not corpus.parts("videos"), "what is not recorded is read again"
    write_video(tmp_path / "in" / "sound.mp4", noise_scene(9, 12), fps=12)
    assert sorted(split_all(tmp_path, Broken()).read_all("videos")["status"].to_pylist()) == ["failed"] * 4 + ["ok"]


BAD: Counts = {"videos": 1, "failed": 1, "failed by KeyError": 1}


@pytest.mark.parametrize(
    ("counts", "is_defect"),
    [
        ([BAD] * 3, False),
        ([BAD] * 4, True),
        ([{"failed": 1}, *[BAD] * 4, {"quarantined": 1}], True),
        ([*[BAD] * 4, {"ok": 1}], False),
        ([*[BAD] * 4, {"failed": 1, "failed by ValueError": 1}], False),
        ([{"failed": 1}] * 9, False),
        ([{"quarantined": 1}] * 9, False),
    ],
)
def test_several_videos_must_fail_alike_and_none_come_out_well(tmp_path, counts, is_defect):
    told = []
    try:
        with refuse_defect(Corpus(tmp_path), [], lambda part, more: told.append(more)) as done:
            for number, more in enumerate(counts):
                done(part_name(number), more)
        assert not is_defect
    except DefectError:
        assert is_defect
    assert told == counts, "all are told of"


def test_nobody_reads_on_once_it_is_sure_and_what_else_was_written_goes_too(tmp_path):
    corpus = Corpus(tmp_path)
    statuses = {0: "failed", 1: "failed", 2: "ok"}  # the last two by workers that the driver has not heard of yet
    for part, status in statuses.items():
        put_videos(corpus, part, [{"video_id": f"v{part}", "status": status}])
    with pytest.raises(DefectError), refuse_defect(corpus, list(map(part_name, range(9))), lambda *_: None) as done:
        for number in range(SURE):
            done(part_name(number), BAD)
            assert number < SURE - 1
    assert corpus.parts("videos") == [part_name(2)]
