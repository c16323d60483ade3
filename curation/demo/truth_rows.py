"""Writes down the ground truth of one file from its plan and from what a decoder says of it."""

from dataclasses import dataclass, field

from curation.demo.encode import Decoded
from curation.demo.plan import CopyPlan, VideoPlan
from curation.demo.timeline import Segment

SOURCE = "demo"


@dataclass
class Rows:
    """Rows of the truth tables, and of the captions that a user would bring."""

    videos: list[dict] = field(default_factory=list)
    scenes: list[dict] = field(default_factory=list)
    cuts: list[dict] = field(default_factory=list)
    captions: list[dict] = field(default_factory=list)

    def extend(self, other: "Rows") -> None:
        """Adds the rows of another at the end."""
        for name in ("videos", "scenes", "cuts", "captions"):
            getattr(self, name).extend(getattr(other, name))


@dataclass(frozen=True)
class Shown:
    """A segment and where it lies in the finished file."""

    segment: Segment
    start_pts: int
    end_pts: int


def locate(laid: list[Segment], owners: list[int], all_pts: list[int], decoded: Decoded) -> list[Shown]:
    """Finds where the segments of a video lie among the frames that decode.

    Args:
        laid: The segments of the video.
        owners: For each frame as written, the index of its segment.
        all_pts: For each frame as written, its pts in the file before any damage.
        decoded: What decodes of the file.

    Returns:
        The segments that have frames, in order.
    """
    owner_of = dict(zip(all_pts, owners, strict=True))
    known = [(pts, owner_of[pts]) for pts in decoded.pts if pts in owner_of]
    starts: dict[int, int] = {}
    for pts, owner in known:
        starts.setdefault(owner, pts)
    ends = [*list(starts.values())[1:], decoded.end_pts]
    return [Shown(laid[owner], start, end) for (owner, start), end in zip(starts.items(), ends, strict=True)]


def describe_file(
    video: VideoPlan, captions: list[tuple[str, str]], shown: list[Shown], decoded: Decoded, copy: CopyPlan | None
) -> Rows:
    """Writes the rows of one file.

    Args:
        video: The plan of the video, or of the video that the file copies.
        captions: For each scene its true caption, and the one a user brings.
        shown: Where its segments lie.
        decoded: What decodes of the file.
        copy: The plan of the copy, when the file is one.

    Returns:
        Rows of all tables.
    """
    path = copy.path if copy else video.path
    origin = decoded.pts[0]
    rows = Rows([_video_row(video, decoded, copy)])
    for index, place in enumerate(shown):
        span = _span(place.start_pts, place.end_pts, decoded)
        if place.segment.kind != "scene":
            rows.cuts.append({"path": path, "kind": place.segment.kind, **span})
            continue
        if index and shown[index - 1].segment.kind == "scene":
            rows.cuts.append({"path": path, "kind": "hard", **_span(place.start_pts, place.start_pts, decoded)})
        seconds = {
            "start_s": float((place.start_pts - origin) * decoded.time_base),
            "end_s": float((place.end_pts - origin) * decoded.time_base),
        }
        true_caption, brought_caption = captions[place.segment.scene_index]
        facts = _scene_facts(video, place.segment.scene_index, copy)
        rows.scenes.append({"path": path, **span, **seconds, "caption": true_caption, **facts})
        rows.captions.append({"path": f"videos/{path}", **seconds, "text": brought_caption, "source": SOURCE})
    return rows


def describe_failure(path: str, tags: list[str], codec: str | None = None, container: str | None = None) -> Rows:
    """Writes the row of a file from which no frame decodes.

    Args:
        path: File name below `videos/`.
        tags: What is wrong with it.
        codec: Its codec, if it was a video once.
        container: Its container, if it was a video once.

    Returns:
        One row of `videos`.
    """
    nothing = dict.fromkeys(("fps", "width", "height", "num_frames", "duration_s", "copy_of"))
    known = {"path": path, "codec": codec, "container": container, "tags": tags, "expected_status": "failed"}
    return Rows([{**known, **nothing}])


def _span(start_pts: int, end_pts: int, decoded: Decoded) -> dict:
    base = decoded.time_base
    return {
        "start_pts": start_pts,
        "end_pts": end_pts,
        "time_base_num": base.numerator,
        "time_base_den": base.denominator,
    }


def _video_row(video: VideoPlan, decoded: Decoded, copy: CopyPlan | None) -> dict:
    copied = [("remux" if copy.container else "byte_copy")] if copy else []
    return {
        "path": copy.path if copy else video.path,
        "codec": video.encoding.codec,
        "container": (copy and copy.container) or video.encoding.container,
        "fps": None if video.encoding.variable_fps else float(video.encoding.fps),
        "width": decoded.width,
        "height": decoded.height,
        "num_frames": len(decoded.pts),
        "duration_s": float((decoded.end_pts - decoded.pts[0]) * decoded.time_base),
        "tags": video.tags + copied,
        "expected_status": "ok",
        "copy_of": copy.source if copy else None,
    }


def _scene_facts(video: VideoPlan, index: int, copy: CopyPlan | None) -> dict:
    scene = video.scenes[index]
    faults = ([scene.fault] if scene.fault else []) + video.file_faults
    if copy is None:
        return {"scene_index": index, "faults": faults, "duplicate_of": scene.copy_of or None}
    faults.append("exact_duplicate" if copy.container else "byte_copy")
    return {"scene_index": index, "faults": faults, "duplicate_of": f"{copy.source}#{index}"}
