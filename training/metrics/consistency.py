"""Subject and background consistency: whether frames look alike to a network (Huang et al. 2024, VBench)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torchvision.transforms.functional import normalize as standardised
from torchvision.transforms.functional import resize

from training.hub import local_copy
from training.metrics.metric import Measure, Videos
from training.metrics.open_clip_frames import OpenClip
from training.metrics.rows import MeanOfVideos

SIDE_PX = 224
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, as DINO takes pictures
BATCH_SIZE = 64


def consistency(seen: Tensor) -> Tensor:
    """Mean over frames, from the second on, of the cosines to the first and to the previous frame; below 0 counts as 0.

    Args:
        seen: (B, T, D), unit vectors, T >= 2.

    Returns:
        (B,), 0..1.

    Raises:
        ValueError: there is one frame.
    """
    if seen.shape[1] < 2:
        raise ValueError("a video of one frame has no consistency")
    to_first = torch.einsum("btd,bd->bt", seen[:, 1:], seen[:, 0])  # (B, T-1)
    to_previous = torch.einsum("btd,btd->bt", seen[:, 1:], seen[:, :-1])
    return (to_first.clamp(min=0) + to_previous.clamp(min=0)).mean(dim=1) / 2


@dataclass(frozen=True)
class BackgroundConsistency(MeanOfVideos):
    """VBench's background consistency, which is that of CLIP's embeddings of frames; VBench takes `ViT-B-32`.

    Frames go through the model's own preprocessing: most models, `ViT-B-32` too, scale the short side and cut out the
    middle square, so the ends of wide frames are not seen; some squash the whole frame.
    A video that stands still has 1: read it beside `dynamic_degree`.
    """

    clip: OpenClip
    name: str = "background_consistency"
    better = "higher"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        return f"VBench background consistency: {self.clip}, cosines to first and previous frame"

    def weights(self) -> Path | None:
        """See `Metric`."""
        return self.clip.weights()

    def load(self, device: torch.device) -> Measure:
        """See `Metric`."""
        clip = self.clip.load(device)
        return lambda videos: consistency(clip.frames(videos.frames))


@dataclass(frozen=True)
class SubjectConsistency(MeanOfVideos):
    """VBench's subject consistency: the same of DINO, which tells things apart by their looks more than their kind.

    Without DINO's weights a CLIP may stand in; the figure is then `BackgroundConsistency`'s, as the protocol says.
    """

    dino: str | None = None
    """DINO ViT-B/16 in the layout of transformers: a folder or hub name, such as `facebook/dino-vitb16`."""
    clip: OpenClip | None = None
    """What stands in where `dino` is not named."""
    name: str = "subject_consistency"
    better = "higher"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        network = f"DINO {Path(self.dino).name}, short side 224 px" if self.dino else f"{self.clip} in place of DINO"
        return f"VBench subject consistency: {network}, cosines to first and previous frame"

    def weights(self) -> Path | None:
        """See `Metric`."""
        if self.dino:
            return local_copy(self.dino, "", "`dino`")
        return self.clip.weights() if self.clip else None

    def load(self, device: torch.device) -> Measure:
        """See `Metric`."""
        if self.dino:
            return _by_dino(_dino(self.dino, device), device)
        if self.clip is None:
            raise ValueError("needs DINO: name its folder as `dino`, or an open_clip model as `clip` in its place")
        clip = self.clip.load(device)
        return lambda videos: consistency(clip.frames(videos.frames))


def _dino(name: str, device: torch.device) -> Any:
    from transformers import ViTModel

    try:
        found: Any = ViTModel.from_pretrained(local_copy(name, "", "`dino`"), add_pooling_layer=False)
    except Exception as error:  # a hub, a cache, a file: each library raises its own
        words = " ".join(str(error).split())[:300]
        raise ValueError(f"needs DINO {name!r}, which cannot be loaded ({words}): name a folder as `dino`") from error
    return found.to(device).eval().requires_grad_(False)


def _by_dino(model: Any, device: torch.device) -> Measure:
    def measure(videos: Videos) -> Tensor:
        frames = videos.frames.flatten(0, 1).permute(0, 3, 1, 2)  # (B*T, 3, H, W)
        seen = [_first_token(model, part.to(device)) for part in frames.split(BATCH_SIZE)]
        return consistency(normalize(torch.cat(seen), dim=-1).unflatten(0, videos.frames.shape[:2]))

    return measure


def _first_token(model: Any, frames: Tensor) -> Tensor:
    """Frames uint8 (N, 3, H, W), their short side brought to 224 px and nothing cut, as VBench does: float32 (N, D)."""
    pixels = standardised(resize(frames, [SIDE_PX], antialias=False).float() / 255, MEAN, STD)
    return model(pixels, interpolate_pos_encoding=True).last_hidden_state[:, 0]
