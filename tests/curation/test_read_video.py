import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from footage import noise_scene, write_video

from curation.config import SplitConfig
from curation.read_video import read_video
from curation.splitters.adaptive import Adaptive

CHILD = """
import sys
from pathlib import Path
from curation.config import SplitConfig
from curation.read_video import read_video
from curation.splitters.adaptive import Adaptive
read_video("v", sys.argv[1], SplitConfig(splitter=Adaptive()), Path(sys.argv[2]))
lines = Path("/proc/self/status").read_text().splitlines()  # getrusage would tell of the parent that it began as
print("torch" in sys.modules, next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    frames = noise_scene(1, 60, size=(320, 240)) + noise_scene(2, 60, size=(320, 240))
    return write_video(tmp_path_factory.mktemp("footage") / "two.mp4", frames, fps=30)


def test_a_worker_without_a_network_is_small(path, tmp_path):
    """Torch alone would take longer to import than many videos take to read."""
    command = [sys.executable, "-c", CHILD, str(path), str(tmp_path / "p.parquet")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert said[0] == "False" and int(said[1]) < 600


def test_decoder_threads_change_nothing(path, tmp_path):
    readings = []
    for threads in (1, 2):
        config = SplitConfig(splitter=Adaptive(), decoder_threads=threads)
        readings.append(read_video("v", str(path), config, tmp_path / f"{threads}.parquet"))
    assert readings[0] == readings[1] and len(readings[0].clips) == 2
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_proxies_come_at_their_instants_with_their_measures(path, tmp_path):
    read_video("v", str(path), SplitConfig(splitter=Adaptive(), proxy_fps=5.0), tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert [row["time_s"] for row in rows] == pytest.approx(np.arange(0, 4, 0.2), abs=1e-6)
    assert all(row["sharpness"] > 0 and 0.5 < row["blockiness"] < 3 for row in rows)


def test_nothing_is_left_of_the_log_of_frames(path, tmp_path):
    read_video("v", str(path), SplitConfig(splitter=Adaptive()), tmp_path / "p.parquet")
    assert [file.name for file in tmp_path.iterdir()] == ["p.parquet"]
