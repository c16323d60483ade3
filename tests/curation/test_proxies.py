"""Proxy frames: decoded when looked at, and files that are not what they should be."""

import cv2
import numpy as np
import pytest

from curation.proxies import JpegFrames, ProxyReader, proxy_writer


def jpeg(level: int) -> bytes:
    return cv2.imencode(".jpg", np.full((8, 16, 3), level, np.uint8))[1].tobytes()


def rows(count: int) -> list[dict]:
    common = {"video_id": "v", "sharpness": 0.0, "blockiness": 1.0}
    return [common | {"pts": k, "time_s": k / 2, "jpeg": jpeg(20 * k)} for k in range(count)]


@pytest.fixture
def path(tmp_path):
    with proxy_writer(tmp_path / "part-00000.parquet") as write:
        for row in rows(9):
            write(row)
    return tmp_path / "part-00000.parquet"


def test_frames_are_what_was_written(path):
    frames = ProxyReader(path).frames("v", 2, 6)
    assert len(frames) == 4 and [time_s for time_s, _ in frames] == [1.0, 1.5, 2.0, 2.5]
    assert [round(picture.mean()) for _, picture in frames] == pytest.approx([40, 60, 80, 100], abs=1)
    assert frames[-1][0] == 2.5 and [t for t, _ in frames[1:3]] == [1.5, 2.0] and frames[0][1].shape == (8, 16, 3)
    with pytest.raises(IndexError):
        frames[4]


def test_a_frame_is_decoded_once_and_only_when_looked_at():
    frames = JpegFrames([*rows(1), {"time_s": 3.25, "jpeg": b"no picture"}])
    assert len(frames) == 2 and frames[0][1] is frames[0][1]
    with pytest.raises(ValueError, match=r"the proxy frame at 3\.250 s is damaged"):
        frames[1]
    with pytest.raises(ValueError, match="is damaged"):
        list(frames)


def test_a_file_of_another_split_is_told(path):
    with pytest.raises(ValueError, match=r"part-00000\.parquet holds no frame of the video w.*FORCE=split"):
        ProxyReader(path).frames("w", 0, 5)


def test_a_file_cut_short_or_missing_is_told(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cannot read .*part-00000\.parquet .*FORCE=split"):
        ProxyReader(path)
    path.unlink()
    with pytest.raises(ValueError, match=r"cannot read .*part-00000\.parquet"):
        ProxyReader(path)


def test_a_file_with_a_damaged_page_is_told(path):
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xd8\xff")  # in the first JPEG, whose page is compressed but hardly smaller
    data[at - 64 : at + 64] = bytes(128)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot read .*part-00000\.parquet|is damaged"):
        list(ProxyReader(path).frames("v", 0, 9))
