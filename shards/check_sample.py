"""One packed sample against the row of its index: its json, its text, its video, picture or latents."""

from itertools import islice
from typing import Any, Literal

import pyarrow as pa

from shards.check_latents import check_latents
from shards.problem import Bad, named
from shards.sample import LATENTS, PICTURES, Sample, index_row
from shards.schema import INDEX, from_rows

Decode = Literal["first", "all", "none"]
"""Which frames of each video are decoded; a picture is one frame."""
ABOVE_0 = ("fps", "num_frames", "duration_s", "width", "height")
MOST_MOTION = 255


def check_sample(row: dict, members: dict[str, bytes], decode: Decode) -> None:
    """Whether the members of a tar are a sample, the one that the index tells of.

    Args:
        row: of `schema.INDEX`.
        members: bytes by extension.
        decode: which frames of the video are decoded.

    Raises:
        Bad: they are not; names the member.
    """
    with named(row["key"], "json"):
        try:
            sample = Sample.from_webdataset({"__key__": row["key"], **members})
        except (ValueError, RecursionError) as error:
            raise Bad(str(error)) from error
        told = _as_in_index(sample.meta, row["members"])
        if other := [name for name in INDEX.names if told[name] != row[name]]:
            raise Bad(f"it says {other[0]}: {told[other[0]]!r}, the index says {row[other[0]]!r}")
        _check_numbers(told)
    with named(row["key"], "txt"):
        if "txt" not in members:
            raise Bad("the sample has none")
        if members["txt"] != sample.caption.encode():
            raise Bad("it is not the first caption of the json")
    with named(row["key"], sample.extension):
        if sample.extension == LATENTS:
            check_latents(sample.meta, sample.content)
        elif sample.extension in PICTURES:
            _check_picture(sample, decode)
        elif decode != "none":
            _check_video(sample, decode)


def _as_in_index(meta: dict[str, Any], members: list[dict]) -> dict:
    """What the index should say of a sample, in the types of the index."""
    try:
        return from_rows([index_row(meta, members)], INDEX).to_pylist()[0]
    except (pa.ArrowException, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Bad(f"a field is not of the type that the schema says ({error})") from error


def _check_numbers(told: dict) -> None:
    """Whether the numbers of a sample can be such; null is what is not known."""
    for name in ABOVE_0:
        if told[name] is not None and not told[name] > 0:
            raise Bad(f"it says {name}: {told[name]!r}, which must be above 0")
    if told["motion_bucket"] is not None and not 0 <= told["motion_bucket"] <= MOST_MOTION:
        raise Bad(f"it says motion_bucket: {told['motion_bucket']}, which must be 0 to {MOST_MOTION}")


def _check_picture(sample: Sample, decode: Decode) -> None:
    from shards.picture import look  # a set of videos needs no Pillow

    if sample.meta["num_frames"] != 1:
        raise Bad(f"the json says {sample.meta['num_frames']} frames, a picture is one")
    if decode == "none":
        return
    try:
        found = look(sample.content, whole=True)
    except ValueError as error:
        raise Bad(f"it is no picture to train on ({error})") from error
    if found.extension != sample.extension:
        raise Bad(f"its bytes are those of a {found.extension} file")
    if (found.width, found.height) != (sample.meta["width"], sample.meta["height"]):
        told = f"{sample.meta['width']}x{sample.meta['height']}"
        raise Bad(f"it is displayed with {found.width}x{found.height} pixels, the json says {told}")


def _check_video(sample: Sample, decode: Decode) -> None:
    from shards.video import VideoError, open_video  # libav is slow to load

    size, num_frames = (sample.meta["width"], sample.meta["height"]), 0
    try:
        with open_video(sample.content) as video:
            for frame in islice(video.frames(), 1 if decode == "first" else None):
                num_frames += 1
                if frame.raw.is_corrupt:
                    raise Bad(f"its frame {num_frames} is damaged")
                if frame.size != size:
                    raise Bad(f"its frame {num_frames} has {frame.size} pixels, the json says {size}")
            if num_errors := video.num_decode_errors:
                raise Bad(f"{num_errors} of its packets do not decode")
    except VideoError as error:
        raise Bad(f"does not decode: {error}") from error
    wanted = min(1, sample.meta["num_frames"]) if decode == "first" else sample.meta["num_frames"]
    if num_frames != wanted:
        raise Bad(f"{num_frames} of its frames decode, the json says {sample.meta['num_frames']}")
