"""Any open_clip model: one forward pass gives the embedding, the similarity to the caption and an aesthetic score."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.scorer import Frames, Resources, Score, Scorer
from shards.schema import field

PLACES = ("first", "middle", "last")
LOCAL_PREFIX = "local-dir:"


@dataclass(frozen=True)
class OpenClip(Scorer):
    """Scores the first, middle and last proxy frame of each clip, as Stable Video Diffusion does."""

    model: str
    """`ViT-L-14`, `hf-hub:<owner>/<name>` or `local-dir:<folder>`, as open_clip names models."""
    pretrained: str | None = None
    """Tag or file of the weights, where the model name does not imply them."""
    aesthetic_head: str | None = None
    """File of a linear head over the normalised embedding (LAION aesthetic predictor V1); null scores none."""
    device: str = "cpu"
    """`cpu` or `cuda`; on a GPU the model runs in bfloat16."""
    threads: int = 1
    """CPU threads, fixed because they change the last digits."""
    batch_size: int = 64
    """Frames a forward pass."""
    resources: Resources = Resources()
    """What a worker takes from the cluster."""

    reads = ("captions",)

    @property
    def writes(self) -> pa.Schema:
        """Embedding, similarities, and the aesthetic score where a head is given."""
        cosine = "cosine of image and caption embedding; null without a caption"
        columns = [
            field("clip_embedding", pa.list_(pa.float16()), "mean of the frames' unit embeddings, unit length"),
            field("clip_similarity", pa.float32(), f"mean over first, middle, last frame: {cosine}", "-1..1"),
            *(field(f"clip_similarity_{place}", pa.float32(), f"{place} frame: {cosine}", "-1..1") for place in PLACES),
        ]
        if self.aesthetic_head:
            columns.append(field("aesthetic", pa.float32(), "mean over first, middle, last frame", "about 1..10"))
        return pa.schema(columns)

    def prepare(self) -> None:
        """Sees that the weights can be had, before any work starts; downloads them where they come from a hub.

        Raises:
            ValueError: they cannot be had; names the key and the way out.
        """
        for path in (self.aesthetic_head, self.model.removeprefix(LOCAL_PREFIX) if self._is_local else None):
            if path is not None and not Path(path).exists():
                raise ValueError(f"there is no {path}; paths count from the folder where the command runs")
        if not self._is_local:
            self._load()

    @property
    def _is_local(self) -> bool:
        return self.model.startswith(LOCAL_PREFIX)

    def _load(self) -> Any:
        import open_clip

        precision = "bf16" if self.device.startswith("cuda") else "fp32"
        try:
            return open_clip.create_model_from_pretrained(
                self.model, self.pretrained, precision=precision, device=self.device
            )
        except Exception as error:  # a hub, a cache, a file: each library raises its own
            raise ValueError(
                f"model {self.model!r} with pretrained {self.pretrained!r} cannot be loaded "
                f"({type(error).__name__}: {error}). With no network name a local copy: model: local-dir:<folder>"
            ) from error

    def build(self) -> Score:
        """Loads the model."""
        import open_clip
        import torch

        torch.set_num_threads(self.threads)
        model, preprocess = self._load()
        head = _load_head(self.aesthetic_head) if self.aesthetic_head else None
        return _OpenClipScore(self, model.eval(), preprocess, open_clip.get_tokenizer(self.model), head)


class _OpenClipScore:
    """A loaded model; see `Score`."""

    def __init__(self, config: OpenClip, model, preprocess, tokenizer, head) -> None:
        self.config, self.model, self.preprocess = config, model, preprocess
        self.tokenizer, self.head = tokenizer, head

    def __call__(self, table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
        captions = [texts[0] if texts else None for texts in table["captions"].to_pylist()]
        embedded = self._embed_images([picture for clip in frames if clip for picture in _three(clip)])
        images = (embedded[start : start + len(PLACES)] for start in range(0, len(embedded), len(PLACES)))
        texts = iter(self._embed_texts([text for text in captions if text]))
        rows = [
            self._row(next(images) if clip else None, next(texts) if text else None)
            for clip, text in zip(frames, captions, strict=True)
        ]
        return {name: [row[name] for row in rows] for name in (*self.config.writes.names, "error")}

    def _row(self, images: np.ndarray | None, text: np.ndarray | None) -> dict:
        """Columns of one clip from unit embeddings: images (3, D), text (D,)."""
        row: dict = dict.fromkeys(self.config.writes.names) | {"error": None}
        if images is None:
            return row | {"error": "no proxy frame"}
        mean = images.mean(axis=0)
        row["clip_embedding"] = (mean / np.linalg.norm(mean)).astype(np.float16)
        if text is not None:
            cosines = images @ text
            row["clip_similarity"] = float(cosines.mean())
            row |= {f"clip_similarity_{place}": float(value) for place, value in zip(PLACES, cosines, strict=True)}
        if self.head is not None:
            weight, bias = self.head
            row["aesthetic"] = float((images @ weight + bias).mean())
        return row

    def _embed_images(self, pictures: list[np.ndarray]) -> np.ndarray:
        """uint8 RGB pictures to unit embeddings: float32 (num_pictures, D)."""
        from PIL import Image

        return self._embed(pictures, lambda p: self.preprocess(Image.fromarray(p)), self.model.encode_image)

    def _embed_texts(self, texts: list[str]) -> np.ndarray:
        """Captions to unit embeddings: float32 (num_texts, D)."""
        return self._embed(texts, lambda text: self.tokenizer([text])[0], self.model.encode_text)

    def _embed(self, items: list, prepare, encode) -> np.ndarray:
        import torch

        embedded = [np.empty((0, 1), np.float32)] if not items else []
        with torch.inference_mode():
            for start in range(0, len(items), self.config.batch_size):
                batch = torch.stack([prepare(item) for item in items[start : start + self.config.batch_size]])
                batch = batch.to(self.config.device)
                batch = batch.to(next(self.model.parameters()).dtype) if batch.is_floating_point() else batch
                embedded.append(encode(batch, normalize=True).float().cpu().numpy())
        return np.concatenate(embedded)


def _three(frames: Frames) -> list[np.ndarray]:
    """First, middle and last picture; the same one thrice where there is only one."""
    return [frames[index][1] for index in (0, len(frames) // 2, -1)]


def _load_head(path: str) -> tuple[np.ndarray, float]:
    """Weight (D,) and bias of a linear head saved by torch, e.g. LAION's `sa_0_4_vit_l_14_linear.pth`.

    Raises:
        ValueError: the file holds something else.
    """
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or set(state) != {"weight", "bias"} or state["weight"].shape[0] != 1:
        raise ValueError(f"{path} is no linear head: it must hold `weight` (1, D) and `bias` (1,) and nothing else")
    return state["weight"][0].float().numpy(), float(state["bias"][0])
