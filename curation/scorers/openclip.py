"""Any open_clip model: one forward pass gives embeddings, similarity to the caption, and how alike the frames are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curation.open_clip_model import check_open_clip, weights_file
from curation.scorer import Frames, Resources, Score, Scorer
from shards.schema import field

if TYPE_CHECKING:
    from curation.open_clip_embed import Embedder

PLACES = ("first", "middle", "last")


@dataclass(frozen=True)
class OpenClip(Scorer):
    """Embeds the first, middle and last proxy frame of each clip, as Stable Video Diffusion does, or more of them."""

    model: str
    """`ViT-L-14`, `hf-hub:<owner>/<name>` or `local-dir:<folder>`, as open_clip names models."""
    pretrained: str | None = None
    """Tag or file of the weights, where the model name does not imply them."""
    caption: str = "captions"
    """Whose text is compared: `captions` (the first that the user brought), or a column `caption_<source>`."""
    num_frames: int = 3
    """Frames looked at, evenly spread; odd, so that first, middle and last are among them."""
    prefix: str = "clip"
    """What its columns begin with, so that two models can stand side by side."""
    device: str = "cpu"
    """`cpu` or `cuda`; on a GPU the model runs in bfloat16."""
    threads: int = 1
    """CPU threads, fixed because they change the last digits."""
    batch_size: int = 64
    """Frames a forward pass; halved when memory runs out."""
    resources: Resources = Resources()
    """What a worker takes from the cluster; beside a GPU as many threads as it has CPUs prepare frames."""

    def __post_init__(self) -> None:
        if self.num_frames < len(PLACES) or self.num_frames % 2 == 0:
            raise ValueError(f"num_frames: {self.num_frames} must be odd, and at least 3")

    @property
    def reads(self) -> Sequence[str]:
        """The caption."""
        return (self.caption,)

    @property
    def frame_embeddings(self) -> str:
        """The column that heads read."""
        return f"{self.prefix}_frame_embeddings"

    @property
    def writes(self) -> pa.Schema:
        """Embeddings, similarities and consistency."""
        cosine, similarity = (
            "cosine of image and caption embedding; null without a caption",
            f"{self.prefix}_similarity",
        )
        vector, alike = pa.list_(pa.float16()), "mean cosine of each frame with the next one; null with a single frame"
        return pa.schema(
            [
                field(f"{self.prefix}_embedding", vector, "mean of the frames' unit embeddings, unit length"),
                field(self.frame_embeddings, pa.list_(vector), "unit embeddings of the frames, in order of time"),
                field(similarity, pa.float32(), f"mean over first, middle, last frame: {cosine}", "-1..1"),
                *(
                    field(f"{similarity}_{place}", pa.float32(), f"{place} frame: {cosine}", "-1..1")
                    for place in PLACES
                ),
                field(f"{self.prefix}_consistency", pa.float32(), alike, "-1..1"),
            ]
        )

    def prepare(self) -> None:
        """Sees that the weights can be had, before any work starts; downloads them where they come from a hub.

        Raises:
            ValueError: they cannot be had; names the key and the way out.
        """
        check_open_clip(self.model, self.pretrained)

    def weights(self) -> Mapping[str, Path | None]:
        """Those that came from a hub."""
        return weights_file(self.model, self.pretrained)

    def build(self) -> Score:
        """Loads the model."""
        from curation.open_clip_embed import Embedder

        loaders = max(1, int(self.resources.cpus))
        embedder = Embedder(self.model, self.pretrained, self.device, self.threads, self.batch_size, loaders)
        return _OpenClipScore(self, embedder)


class _OpenClipScore:
    """A loaded model; see `Score`."""

    def __init__(self, config: OpenClip, embedder: "Embedder") -> None:
        self._config, self._embedder = config, embedder

    def __call__(self, table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
        captions = [_text(value) for value in table[self._config.caption].to_pylist()]
        chosen = [spread(len(clip), self._config.num_frames) for clip in frames]
        load = [partial(_picture, clip, i) for clip, some in zip(frames, chosen, strict=True) for i in some]
        embedded, ends = self._embedder.pictures(load), np.cumsum([len(some) for some in chosen])
        images = [embedded[end - len(some) : end] for some, end in zip(chosen, ends, strict=True)]
        texts = iter(self._embedder.texts([text for text in captions if text]))
        rows = [self._row(mine, next(texts) if text else None) for mine, text in zip(images, captions, strict=True)]
        return {name: [row[name] for row in rows] for name in (*self._config.writes.names, "error")}

    def _row(self, images: np.ndarray, text: np.ndarray | None) -> dict:
        """Columns of one clip from unit embeddings: images (n, D), text (D,)."""
        prefix, row = self._config.prefix, dict.fromkeys([*self._config.writes.names, "error"])
        if not len(images):
            return row | {"error": "no proxy frame"}
        mean = images.mean(axis=0)
        row[f"{prefix}_embedding"] = (mean / np.linalg.norm(mean)).astype(np.float16)
        row[self._config.frame_embeddings] = list(images.astype(np.float16))
        if len(images) > 1:
            row[f"{prefix}_consistency"] = float((images[1:] * images[:-1]).sum(axis=1).mean())
        return row if text is None else row | self._similarities(images, text)

    def _similarities(self, images: np.ndarray, text: np.ndarray) -> dict[str, float]:
        name = f"{self._config.prefix}_similarity"
        cosines = [float(images[index] @ text) for index in (0, len(images) // 2, -1)]
        return {name: float(np.mean(cosines))} | {f"{name}_{p}": c for p, c in zip(PLACES, cosines, strict=True)}


def spread(count: int, wanted: int) -> list[int]:
    """Indices of evenly spread frames, each once: first, last, and the middle one (`count // 2`) among them.

    Args:
        count: how many there are.
        wanted: odd; fewer come out where there are fewer.
    """
    gaps = wanted - 1
    return sorted({(2 * step * (count - 1) + gaps) // (2 * gaps) for step in range(wanted)}) if count else []


def _picture(clip: Frames, index: int) -> np.ndarray:
    return clip[index][1]


def _text(value: str | list[str] | None) -> str | None:
    """The first text that says something."""
    return next((text for text in ([value] if isinstance(value, str) else value or ()) if text and text.strip()), None)
