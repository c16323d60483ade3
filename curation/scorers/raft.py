"""Motion by RAFT (Teed and Deng, arXiv 2003.12039), which reads the video itself: for a small set of high quality."""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from curation.batches import Batches
from curation.config import LimitsConfig
from curation.scorer import Resources, Score, Scorer
from curation.scorers.motion import STEP_S, averaged, motion_columns, motion_of, motion_table
from curation.span_frames import SpanReader
from shards.video import VideoError

CELL_PX = 8  # RAFT looks at cells of so many pixels
LEAST_PX = 128  # with fewer its coarsest level is empty
MAX_ASPECT = 4  # its memory grows with the square of the picture


@dataclass(frozen=True)
class Raft(Scorer):
    """The definition of `Motion` with the flow of RAFT between frames of the video, half a second apart.

    SVD computes it so at 800x450 for its third stage. A video is decoded anew for it, on one core, which takes longer
    than the flow on a GPU: let several workers share one, e.g. `resources: {cpus: 1, gpus: 0.125}`.
    """

    model: Literal["raft_large", "raft_small"] = "raft_large"
    """Architecture, as torchvision names it."""
    pretrained: str = "DEFAULT"
    """Weights: a tag of torchvision, e.g. `C_T_SKHT_V2`, or a file of its format (.pth or .safetensors)."""
    short_side_px: int = 448
    """Short side at which flow is computed, whatever the size of the video; sides are multiples of 8."""
    map_short_side_px: int = 16
    """Short side of the averaged map; the scores are in pixels of this map."""
    device: Literal["cpu", "cuda"] = "cuda"
    """Where the model runs; never guessed, since the last digits differ."""
    threads: int = 1
    """CPU threads, fixed because they change the last digits."""
    batch_size: int = 8
    """Pairs of frames a forward pass; they are of one clip."""
    limits: LimitsConfig = LimitsConfig()
    """When reading a clip is given up."""
    resources: Resources = Resources()
    """What a worker takes from the cluster."""

    reads = ("path", "start_pts", "end_pts", "width", "height")
    reads_frames = False

    @property
    def writes(self) -> pa.Schema:
        """Motion, and what of it the camera makes."""
        return motion_columns("raft_motion", self.map_short_side_px)

    def prepare(self) -> None:
        """Sees that the weights can be had; downloads those of torchvision.

        Raises:
            ValueError: they cannot; names them and the way out.
        """
        self._load()

    def weights(self) -> Mapping[str, Path | None]:
        """The copy of torchvision's weights on this machine; a file is named by its field."""
        if Path(self.pretrained).is_file():
            return {}
        import torch

        copy = Path(torch.hub.get_dir(), "checkpoints", Path(self._tagged().url).name)
        return {"weights": copy if copy.is_file() else None}

    def _tagged(self) -> Any:
        from torchvision.models import get_model_weights

        tags = get_model_weights(self.model).__members__
        if self.pretrained not in tags:
            raise ValueError(f"pretrained: {self.pretrained} is no file, and {self.model} has the tags {list(tags)}")
        return tags[self.pretrained]

    def _load(self) -> Any:
        from torchvision.models import get_model

        model = get_model(self.model, weights=None)
        try:
            model.load_state_dict(self._state())
        except ValueError:
            raise
        except Exception as error:  # a download, a file, another model's weights: each raises its own
            raise ValueError(
                f"weights {self.pretrained!r} of {self.model} cannot be loaded ({type(error).__name__}: {error}). "
                "Name a file of torchvision's format that fits: pretrained: <file>"
            ) from error
        return model.eval()

    def _state(self) -> Mapping[str, Any]:
        path = Path(self.pretrained)
        if not path.is_file():
            return self._tagged().get_state_dict(progress=False, check_hash=True, weights_only=True)
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        import torch

        return torch.load(path, map_location="cpu", weights_only=True)

    def build(self) -> Score:
        """Loads the model; a process that reads videos starts with the first clip."""
        return _RaftScore(self, self._load().to(self.device))


class _RaftScore:
    """The loaded model."""

    def __init__(self, config: Raft, model: Any) -> None:
        self._config, self._model = config, model
        self._batches = Batches(config.batch_size)
        self._reader = SpanReader(STEP_S, config.limits)
        weakref.finalize(self, self._reader.close)

    def __call__(self, table: pa.Table, frames: Sequence) -> dict[str, Sequence]:
        rows, errors = [], []
        for clip in table.to_pylist():
            try:
                rows.append(self._of_clip(clip))
                errors.append(None)
            except VideoError as error:
                rows.append(None)
                errors.append(str(error))
        told = motion_table("raft_motion", rows)
        return told | {"error": [error or reason for error, reason in zip(errors, told["error"], strict=True)]}

    def _of_clip(self, clip: dict) -> tuple[float, float, float] | None:
        size = flow_size(self._config.short_side_px, clip["width"], clip["height"])
        pictures = self._reader.frames(clip["path"], clip["start_pts"], clip["end_pts"], size)
        pairs = [(before, after) for (_, before), (_, after) in pairwise(pictures)]
        return motion_of([time_s for time_s, _ in pictures], self._batches(self._maps, pairs))

    def _maps(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Averaged flow of pairs of uint8 (H, W, 3) RGB: for each float32 (h, w, 2)."""
        import torch

        torch.set_num_threads(self._config.threads)  # each time: it is one setting for all scorers of a worker
        before, after = (torch.from_numpy(np.stack(side)).to(self._config.device) for side in zip(*pairs, strict=True))
        with torch.inference_mode():
            flow = self._model(_signed(before), _signed(after))[-1]  # the last of its refinements
        flows = flow.permute(0, 2, 3, 1).float().cpu().numpy()
        return [averaged(one, self._config.map_short_side_px) for one in flows]


def _signed(pictures: Any) -> Any:
    """uint8 (n, H, W, 3) to float32 (n, 3, H, W) in -1..1, as torchvision's weights take them."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def flow_size(short_side_px: int, width: int, height: int) -> tuple[int, int]:
    """Width and height at which RAFT sees a frame: multiples of 8, at least 128 pixels."""
    scale = min(short_side_px / min(width, height), MAX_ASPECT * short_side_px / max(width, height))
    wide, high = (max(LEAST_PX, CELL_PX * round(side * scale / CELL_PX)) for side in (width, height))
    return wide, high
