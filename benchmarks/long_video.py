"""How much memory reading a long video takes: a rendered minute of 720p, over and over, read by a fresh process.

Run as a script it is that process: it prints by how many bytes it grew.
"""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import av
import numpy as np

from curation.child import ENVIRONMENT

RATE, SIZE = 25, (1280, 720)


def growth_bytes(scratch: Path, minutes: int) -> int:
    """Resident memory that a process takes to read so many minutes, at its highest, over that before it began."""
    path = repeat(render_minute(scratch / "minute.mp4"), scratch / f"{minutes}.mp4", minutes)
    command, environment = [sys.executable, __file__, str(path)], ENVIRONMENT | os.environ
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    path.unlink()
    return int(answer.stdout)


def render_minute(path: Path) -> Path:
    """A minute of moving texture with a cut every four seconds."""
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "30"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(60 * RATE):
            if number % (4 * RATE) == 0:
                texture = np.kron(rng.integers(0, 256, (50, 90, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
            shift = 2 * (number % (4 * RATE))
            picture = np.roll(texture, shift, axis=1)[: SIZE[1], : SIZE[0]]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def repeat(source: Path, target: Path, times: int) -> Path:
    """The packets of a video over and over, without decoding them."""
    with av.open(str(target), "w") as out:
        stream = None
        for number in range(times):
            with av.open(str(source)) as container:
                video = container.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                shift = number * round(Fraction(60) / Fraction(video.time_base or 1))
                for packet in container.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    out.mux(packet)
    return target


def _resident_bytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def _read(path: Path) -> int:
    """Growth of this process over one video, from when its modules and models are loaded."""
    from curation.config import SplitConfig
    from curation.read_video import read_video
    from curation.shot_network import shot_network

    config = SplitConfig()
    config.splitter.build(Fraction(1, 1000), Fraction(25))
    shot_network("auto", 1)  # else loaded at the first doubt
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark starts anew
    before = _resident_bytes("VmRSS")
    read_video("v", str(path), config, path.parent / "proxies.parquet")
    return _resident_bytes("VmHWM") - before


if __name__ == "__main__":
    print(_read(Path(sys.argv[1])))
