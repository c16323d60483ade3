"""Renders one file of the corpus, with its copies, and returns the truth about them. Runs in a worker process."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from curation.demo.damage import damaged
from curation.demo.encode import Decoded, read_back, remux, write_sound, write_video
from curation.demo.plan import CopyPlan, JunkPlan, VideoPlan
from curation.demo.timeline import moments, pictures, segments
from curation.demo.truth_rows import Rows, describe_failure, describe_file, locate
from curation.demo.world import Scene, random_scene

_JUNK_TEXT = "This file is called a video, and is none.\n" * 20


def render_video(folder: Path, video: VideoPlan, copies: list[CopyPlan], width: int, height: int) -> Rows:
    """Renders a video and its copies.

    Args:
        folder: Where the files go.
        video: The plan of the video.
        copies: The plans of its copies.
        width: Columns of a frame, in pixels.
        height: Rows of a frame, in pixels.

    Returns:
        The truth about all files written.
    """
    cv2.setNumThreads(1)  # the pool already fills the cores
    os.environ["SVT_LOG"] = "1"  # the AV1 encoder talks on stderr unless told to name errors alone
    scenes = [random_scene(np.random.default_rng(plan.seed), width, height) for plan in video.scenes]
    captions = _captions(video, scenes)
    path, laid, owners = folder / video.path, segments(video), [moment.segment for moment in moments(video)]
    write_video(path, video.encoding, pictures(video, scenes))
    whole = _read_whole(path, len(owners))
    decoded = _damage(path, video) if video.damage else whole
    if decoded is None:
        return describe_failure(video.path, video.tags, video.encoding.codec, video.encoding.container)
    rows = describe_file(video, captions, locate(laid, owners, whole.pts, decoded), decoded, None)
    for copy in copies:
        copied = _read_whole(_write_copy(folder, copy), len(owners))
        rows.extend(describe_file(video, captions, locate(laid, owners, copied.pts, copied), copied, copy))
    return rows


def _read_whole(path: Path, num_frames: int) -> Decoded:
    decoded = read_back(path)
    if decoded is None or len(decoded.pts) != num_frames:
        raise RuntimeError(f"{path}: wrote {num_frames} frames, read back {len(decoded.pts) if decoded else 0}")
    return decoded


def _damage(path: Path, video: VideoPlan) -> Decoded | None:
    path.write_bytes(damaged(path.read_bytes(), video.damage, seed=video.scenes[0].seed[-2]))
    return read_back(path)


def _write_copy(folder: Path, copy: CopyPlan) -> Path:
    source, target = folder / copy.source, folder / copy.path
    if copy.container:
        remux(source, target, copy.container)
    else:
        shutil.copyfile(source, target)
    return target


def _captions(video: VideoPlan, scenes: list[Scene]) -> list[tuple[str, str]]:
    """For each scene its true caption, and the one a user brings."""
    true = [scene.caption for scene in scenes]
    wrong = [min(true, key=lambda other, own=own: _likeness(own, other)) for own in true]
    faults = [plan.fault for plan in video.scenes]
    return [(t, w if fault == "wrong_caption" else t) for t, w, fault in zip(true, wrong, faults, strict=True)]


def _likeness(caption: str, other: str) -> float:
    ours, theirs = set(caption.split()), set(other.split())
    return len(ours & theirs) / len(ours | theirs)


def write_junk(folder: Path, junk: JunkPlan) -> Rows:
    """Writes a file that holds no video.

    Args:
        folder: Where the file goes.
        junk: The plan of the file.

    Returns:
        The truth about it.
    """
    path = folder / junk.path
    if junk.kind == "audio_only":
        write_sound(path)
    else:
        # Numbered, so that no two are byte copies of each other by accident; empty files cannot help it.
        path.write_text(f"{junk.path}\n{_JUNK_TEXT}" if junk.kind == "text" else "", encoding="utf-8")
    return describe_failure(junk.path, [junk.kind])
