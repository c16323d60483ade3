import math
from fractions import Fraction

import cv2
import numpy as np
import pyarrow as pa
import pytest
from footage import noise_scene, write_video

from curation.best_frame import BestFrames, detail, read_best_frames
from curation.config import SplitConfig
from curation.measure import blockiness, sharpness
from curation.proxy_frames import ProxyFrames
from curation.tables import Corpus, part_name
from shards.schema import PROXIES
from shards.video import open_video


def best(*frames, span=(0, 100), video="v"):
    """Of frames of one video: (pts, sharpness, blockiness)."""
    columns = list(zip(*frames, strict=True)) or [[], [], []]
    types = (pa.int64(), pa.float32(), pa.float32())
    arrays = [pa.array(values, dtype) for values, dtype in zip(columns, types, strict=True)]
    table = pa.table(
        [pa.array(["v"] * len(frames), pa.string()), *arrays], ["video_id", "pts", "sharpness", "blockiness"]
    )
    return BestFrames(table).pts(video, *span)


def test_the_sharpest_frame_of_the_span_wins_and_of_equal_ones_the_first():
    frames = [(0, 90.0, 1.0), (10, 20.0, 1.0), (20, 50.0, 1.0), (30, 50.0, 1.0), (40, 70.0, 1.0)]
    assert best(*frames) == 0
    assert best(*frames, span=(10, 40)) == 20
    assert best(*frames, span=(1, 41)) == 40
    assert best(*frames, span=(30, 31)) == 30


def test_sharpness_that_blocks_made_does_not_count():
    assert best((0, 100.0, 1.0), (10, 150.0, 4.0)) == 0
    assert best((0, 100.0, 1.0), (10, 150.0, 1.1)) == 10
    assert best((0, 100.0, 0.5), (10, 101.0, None)) == 10, "no blocks are not worth more than few, nor is the unknown"
    assert detail(np.array([23.0, 8.0, math.nan]), np.array([4.0, 1.0, 1.0])).tolist() == [8.0, 8.0, -1.0]


def test_where_no_frame_was_kept_or_measured_there_is_none():
    assert best((0, 90.0, 1.0), span=(1, 9)) is None
    assert best((0, 90.0, 1.0), video="w") is None
    assert best((0, None, None), (10, None, 1.0)) is None
    assert best((0, None, None), (10, 0.0, None)) == 10, "a flat frame, where none is better"
    assert best() is None


def test_frames_of_other_videos_do_not_count():
    columns = [["a", "a", "b", "b"], [0, 10, 0, 10], [1.0, 2.0, 9.0, 3.0], [1.0] * 4]
    found = BestFrames(pa.table(columns, ["video_id", "pts", "sharpness", "blockiness"]))
    assert (found.pts("a", 0, 20), found.pts("b", 0, 20)) == (10, 0)


def measured(path):
    """The proxy frames of a video as `split` measures them, every frame one."""
    rows = []
    with open_video(str(path)) as video:
        proxies = ProxyFrames("v", Fraction(video.info.time_base), SplitConfig(proxy_fps=10), rows.append)
        ticks = [frame.pts for frame in video.frames() if proxies.take(frame) is None]
    assert len(rows) == len(ticks)
    return rows, ticks


def test_neither_black_nor_white_nor_blurred_frames_nor_mixtures_win(tmp_path):
    scene, other = noise_scene(3, 12), noise_scene(4, 12)
    frames = [cv2.GaussianBlur(frame, (0, 0), 2) for frame in scene]
    frames[7] = scene[7]
    frames[0], frames[5], frames[10] = (np.full_like(scene[0], value) for value in (0, 255, 40))
    frames[11] = cv2.addWeighted(scene[11], 0.5, other[11], 0.5, 0)  # amid a dissolve
    frames[9] = (scene[9] * 0.4).astype(np.uint8)  # amid a fade
    rows, ticks = measured(write_video(tmp_path / "a.mp4", frames))
    found = BestFrames(pa.Table.from_pylist(rows, PROXIES))
    assert found.pts("v", ticks[0], ticks[-1] + 1) == ticks[7]
    assert found.pts("v", ticks[0], ticks[7]) not in (ticks[0], ticks[5])


def test_a_frame_spoilt_by_compression_has_less_detail():
    picture = cv2.cvtColor(noise_scene(5, 1, size=(640, 480))[0], cv2.COLOR_RGB2GRAY)
    spoilt = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 1])[1], cv2.IMREAD_GRAYSCALE)
    sharp = np.array([sharpness(each) for each in (picture, spoilt)])
    blocks = np.array([blockiness(each) for each in (picture, spoilt)])
    clean, blocky = detail(sharp, blocks)
    assert sharp[1] > sharp[0] and blocky < clean, (sharp, blocks)


def test_no_picture_is_read(tmp_path, monkeypatch):
    corpus, asked = Corpus(tmp_path), []
    row = {"video_id": "v", "pts": 3, "time_s": 0.0, "sharpness": 1.0, "blockiness": 1.0, "jpeg": b"x"}
    corpus.write("proxies", part_name(0), pa.Table.from_pylist([row], PROXIES), PROXIES)
    read = Corpus.read
    monkeypatch.setattr(Corpus, "read", lambda self, *args: asked.append(args) or read(self, *args))
    assert read_best_frames(corpus, part_name(0)).pts("v", 0, 9) == 3
    assert asked == [("proxies", part_name(0), ["video_id", "pts", "sharpness", "blockiness"])]
    with pytest.raises(ValueError, match=r"proxies.part-00001.* say FORCE=split"):
        read_best_frames(corpus, part_name(1))
