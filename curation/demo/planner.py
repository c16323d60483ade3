"""Draws the plan of a corpus from its config: formats, special files, planted faults, copies."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from curation.demo.config import DemoConfig
from curation.demo.faults import PLANTED_FAULTS
from curation.demo.plan import CopyPlan, CorpusPlan, Encoding, JunkPlan, ScenePlan, VideoPlan

# Of 60 videos, how many are special; a smaller corpus has its share, and at least one of each.
_SPECIAL_PER_60 = {"resolution_jump": 2, "variable_fps": 4, "rotated": 3, "non_ascii_name": 2}
_REMUXES_PER_60, _BYTE_COPIES_PER_60, _BROKEN_PER_60 = 2, 3, 2
_SCENES_PER_FAULT = 31  # one scene in so many gets a given fault
_BROKEN_SCENES = 3
_FORMATS = (
    "h264 mp4,h264 mkv,vp9 webm,h264 mp4,mpeg4 avi,h264 mp4,h264 mov,h264 mp4,hevc mp4,h264 mp4,"
    "h264 mkv,h264 mp4,av1 mp4,h264 mp4,mjpeg mov,h264 mp4,h264 mp4,hevc mkv,h264 mp4,mpeg4 mp4"
)
_FORMAT_CYCLE = [tuple(pair.split()) for pair in _FORMATS.split(",")]
_FRAME_RATES = (24, 24, 24, 24, 24, 24, 25, 30, 12, 15, Fraction(30000, 1001))
_TRANSITIONS = ("hard",) * 8 + ("dissolve", "dissolve", "fade")


def plan_corpus(config: DemoConfig) -> CorpusPlan:
    """Draws the plan of a corpus.

    Args:
        config: Size and seed.

    Returns:
        The plan; equal configs give equal plans, whatever their `workers`.
    """
    rng = np.random.default_rng([config.seed, 0])
    videos = _plan_videos(config, rng)
    copies = _plan_copies(config, videos)
    videos = _plant_faults(videos, rng)
    videos = _point_near_duplicates(videos, {copy.source for copy in copies}, rng)
    broken = _plan_broken(config, len(videos), rng)
    return CorpusPlan(tuple(videos + broken), tuple(copies), tuple(_plan_junk(config)))


def _share(config: DemoConfig, per_60: int) -> int:
    return max(1, round(config.num_videos * per_60 / 60))


def _plan_videos(config: DemoConfig, rng: np.random.Generator) -> list[VideoPlan]:
    specials = [kind for kind, per_60 in _SPECIAL_PER_60.items() for _ in range(_share(config, per_60))]
    kinds = specials + [""] * (config.num_videos - len(specials))
    # The first video stays ordinary: it is the one people open.
    rest = 1 + rng.permutation(config.num_videos - 1)
    kind_of = dict(zip([*rest.tolist(), 0], kinds, strict=True))
    return [_plan_video(config, number, kind_of[number], rng) for number in range(config.num_videos)]


def _plan_video(config: DemoConfig, number: int, kind: str, rng: np.random.Generator) -> VideoPlan:
    encoding = _plan_encoding(number, kind, rng)
    jumps = kind == "resolution_jump"
    stem = "vidéo_日本" if kind == "non_ascii_name" else "video"
    seeds = [(config.seed, 1, number, index) for index in range(config.scenes_per_video)]
    return VideoPlan(
        path=f"{stem}_{number:03d}.{encoding.container}",
        encoding=encoding,
        scenes=_plan_scenes(seeds, rng, only_hard_cuts=jumps),
        scales=(1.0, 0.8) if jumps else (1.0,),
    )


def _plan_encoding(number: int, kind: str, rng: np.random.Generator) -> Encoding:
    rate = Fraction(_FRAME_RATES[rng.integers(len(_FRAME_RATES))])
    keyframe_s, b_frames = float(rng.choice((1.0, 1.5, 2.0))), int(rng.choice((0, 0, 2)))
    match kind:
        case "resolution_jump":
            return Encoding("h264", "ts", Fraction(24))
        case "variable_fps":
            return Encoding("h264", ("mp4", "mkv")[number % 2], Fraction(30), True, keyframe_s)
        case "rotated":
            return Encoding("h264", ("mp4", "mov")[number % 2], Fraction(30), rotation_deg=(90, 180, 270)[number % 3])
        case "non_ascii_name":
            return Encoding("h264", "mp4", rate, keyframe_s=keyframe_s)
    codec, container = _FORMAT_CYCLE[number % len(_FORMAT_CYCLE)]
    return Encoding(codec, container, rate, keyframe_s=keyframe_s, b_frames=b_frames if codec == "h264" else 0)


def _plan_scenes(seeds: list[tuple[int, ...]], rng: np.random.Generator, only_hard_cuts: bool) -> tuple[ScenePlan, ...]:
    scenes = []
    for index, seed in enumerate(seeds):
        duration_s = round(float(rng.uniform(1.2, 2.7)), 2)
        transition = str(rng.choice(_TRANSITIONS))
        transition_s = round(float(rng.uniform(0.3, 0.7)), 2)
        if transition == "hard" or only_hard_cuts or index == 0:
            transition, transition_s = "hard", 0.0
        scenes.append(ScenePlan(seed, duration_s, transition=transition, transition_s=transition_s))
    return tuple(scenes)


def _with_scene(video: VideoPlan, index: int, **changes: str | float | tuple[int, ...]) -> VideoPlan:
    scene = replace(video.scenes[index], **changes)
    return replace(video, scenes=(*video.scenes[:index], scene, *video.scenes[index + 1 :]))


def _plant_faults(videos: list[VideoPlan], rng: np.random.Generator) -> list[VideoPlan]:
    places = [(v, s) for v, video in enumerate(videos) if len(video.scales) == 1 for s in range(len(video.scenes))]
    times = max(1, round(len(places) / _SCENES_PER_FAULT))
    chosen = rng.permutation(places)[: times * len(PLANTED_FAULTS)]
    for (v, s), fault in zip(chosen, PLANTED_FAULTS * times, strict=True):
        videos[v] = _with_scene(videos[v], s, fault=fault)
    return videos


def _point_near_duplicates(videos: list[VideoPlan], copied: set[str], rng: np.random.Generator) -> list[VideoPlan]:
    """Gives each near duplicate a scene without fault, of another video, to repeat."""
    places = [(v, s) for v, video in enumerate(videos) if len(video.scales) == 1 for s in range(len(video.scenes))]
    free = [(v, s) for v, s in places if not videos[v].scenes[s].fault and videos[v].path not in copied]
    originals = [tuple(place) for place in rng.permutation(free)]
    for v, s in places:
        if videos[v].scenes[s].fault == "near_duplicate":
            v0, s0 = next(place for place in originals if place[0] != v)
            originals.remove((v0, s0))
            original = videos[v0].scenes[s0]
            copy_of = f"{videos[v0].path}#{s0}"
            videos[v] = _with_scene(videos[v], s, seed=original.seed, duration_s=original.duration_s, copy_of=copy_of)
    return videos


def _plan_copies(config: DemoConfig, videos: list[VideoPlan]) -> list[CopyPlan]:
    ordinary = [video for video in videos if not video.tags and video.encoding.codec == "h264"]
    plain = [video.path for video in ordinary if video.encoding.container == "mp4"]
    num_remuxes, num_copies = _share(config, _REMUXES_PER_60), _share(config, _BYTE_COPIES_PER_60)
    remuxes = [
        CopyPlan(f"remux_of_{source.removesuffix('.mp4')}.{container}", source, container)
        for source, container in zip(plain, ("mkv", "mov") * num_remuxes, strict=False)
    ][:num_remuxes]
    copies = [CopyPlan(f"{source.removesuffix('.mp4')}_copy.mp4", source) for source in plain[-num_copies:]]
    return remuxes + copies


def _plan_broken(config: DemoConfig, first: int, rng: np.random.Generator) -> list[VideoPlan]:
    kinds = [("truncated", "mp4"), ("truncated", "mkv"), ("corrupt_payload", "mp4"), ("corrupt_header", "mp4")]
    broken = []
    for number, (damage, container) in enumerate(kinds * _share(config, _BROKEN_PER_60), start=first):
        seeds = [(config.seed, 1, number, index) for index in range(_BROKEN_SCENES)]
        encoding = Encoding("h264", container, Fraction(24))
        path = f"{damage}_{number:03d}.{container}"
        broken.append(VideoPlan(path, encoding, _plan_scenes(seeds, rng, only_hard_cuts=True), damage=damage))
    return broken


def _plan_junk(config: DemoConfig) -> list[JunkPlan]:
    number = _share(config, _BROKEN_PER_60)
    return [JunkPlan(f"{kind}_{i}.mp4", kind) for kind in ("empty", "text", "audio_only") for i in range(number)]
