"""What it takes to decode a window of a packed clip, against torchcodec.

    make bench NAME=decode ARGS="<folder, glob or table>"

Clips of the largest few files are encoded as `pack` does, in their own size. Then in turns, on one thread each: eight
frames at 8 a second, from the begin and from the end of a clip, scaled to cover 256x384 px and cut out, as the trainer
reads them; and the same by torchcodec's decoder with its own resizing, opened anew for each clip too. The median of
some rounds counts. Without torchcodec, which needs FFmpeg's libraries on the system, there is nothing to compare.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from curation.listing import list_videos
from shards.encode import EncodeSettings, cut_clip
from shards.mp4 import PackedClip
from shards.video import VideoError, open_video
from training.bucket import Bucket
from training.decode import cover, pictures

BUCKET = Bucket(8, 256, 384)
OFFSETS = np.arange(BUCKET.num_frames) / 8
LONGEST = 300  # frames of a clip
FLOOR = 1.0


def clips_of(paths: list[str]) -> Iterator[PackedClip]:
    """One clip of each file that is large and long enough, and plays."""
    for path in paths:
        try:
            with open_video(path) as video:
                pts = [frame.pts for frame, _ in zip(video.frames(), range(LONGEST), strict=False)]
            clip = cut_clip(path, pts[0], pts[-1], EncodeSettings())
        except (VideoError, IndexError):
            continue
        is_large = clip.width >= BUCKET.width and clip.height >= BUCKET.height
        if is_large and clip.fps and (clip.num_frames - 2) / clip.fps > OFFSETS[-1]:
            yield clip


def by_torchcodec(clip: PackedClip, times: np.ndarray) -> np.ndarray:
    """uint8 (T, 3, H, W)."""
    from torchcodec.decoders import VideoDecoder  # pyright: ignore[reportMissingImports]
    from torchcodec.transforms import Resize  # pyright: ignore[reportMissingImports]

    width, height = cover((clip.width, clip.height), BUCKET)
    resize = [Resize((height, width))]
    decoder = VideoDecoder(clip.content, num_ffmpeg_threads=1, seek_mode="approximate", transforms=resize)
    return decoder.get_frames_played_at(times.tolist()).data[..., : BUCKET.height, : BUCKET.width].numpy()


def milliseconds(job: Callable[[], object]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    job()
    return 1000 * (time.perf_counter() - start)


def ratio(clip: PackedClip, start_s: float, rounds: int) -> float | None:
    """Time of torchcodec over ours, of one window; None where it cannot play that."""
    times, fps = start_s + OFFSETS, clip.fps or 0.0
    sides = (lambda: pictures(clip.content, times, fps, BUCKET), lambda: by_torchcodec(clip, times))
    try:
        taken = [[milliseconds(side) for side in sides] for _ in range(rounds + 1)][1:]
    except IndexError as error:  # of clips of varying rate, as long as it has not looked at every packet
        print(f"{clip.width}x{clip.height} from {start_s:.1f} s: torchcodec: {error}")
        return None
    ours, theirs = (median(column) for column in zip(*taken, strict=True))
    print(f"{clip.width}x{clip.height} from {start_s:.1f} s: {ours:.1f} ms, torchcodec {theirs:.1f} ms")
    return theirs / ours


def main() -> int:
    """Prints one line of JSON; exits 1 where torchcodec is faster on the median window."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="?", default=os.environ.get("RUSHES_MEDIA") or "data/demo/footage/videos")
    parser.add_argument("--files", type=int, default=24, help="the largest so many are taken")
    parser.add_argument("--rounds", type=int, default=7, help="each side is measured so often, in turn")
    options = parser.parse_args()
    try:
        import torchcodec  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError, OSError) as error:
        print(f"torchcodec cannot be used here: {str(error).splitlines()[0]}")
        print(json.dumps({"name": "decode", "figures": {}, "floors": {}, "ok": True}))
        return 0
    paths = sorted(list_videos(options.videos)["path"].to_pylist(), key=os.path.getsize, reverse=True)
    found = [
        ratio(clip, start_s, options.rounds)
        for clip in clips_of(paths[: options.files])
        for start_s in (0.0, (clip.num_frames - 2) / (clip.fps or 1.0) - OFFSETS[-1])
    ]
    ratios = [each for each in found if each is not None]
    if not ratios:
        parser.error(f"{options.videos}: no clip is large and long enough; name other videos")
    figures = {
        "windows": len(ratios),
        "windows_that_torchcodec_cannot_play": len(found) - len(ratios),
        "torchcodec_over_ours_median": round(median(ratios), 2),
        "torchcodec_over_ours_least": round(min(ratios), 2),
    }
    floors = {"torchcodec_over_ours_median": FLOOR}
    ok = figures["torchcodec_over_ours_median"] >= FLOOR
    print(f"torchcodec {torchcodec.__version__}")
    print(json.dumps({"name": "decode", "figures": figures, "floors": floors, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
