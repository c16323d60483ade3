"""Pictures and texts to unit embeddings by a model of open_clip, in batches."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.batches import Batches
from curation.open_clip_model import load_open_clip

if TYPE_CHECKING:
    from torch import Tensor


class Embedder:
    """A loaded model."""

    def __init__(
        self, model: str, pretrained: str | None, device: str, threads: int, batch_size: int, loaders: int = 1
    ) -> None:
        """Loads the model; raises ValueError as `load_open_clip`.

        Args:
            model: as open_clip names it.
            pretrained: tag or file of the weights, or None.
            device: `cpu` or `cuda`.
            threads: of torch on a CPU.
            batch_size: pictures or texts at once, at most; halved when memory runs out.
            loaders: threads that prepare pictures while a GPU works; on a CPU, and with 1, there are none beside it.
        """
        import open_clip

        self._model, self._preprocess = load_open_clip(model, pretrained, device)
        self._tokenizer, self._threads, self._batches = open_clip.get_tokenizer(model), threads, Batches(batch_size)
        beside = loaders > 1 and device.startswith("cuda")
        self._pool = ThreadPoolExecutor(loaders, initializer=_one_thread) if beside else None

    @property
    def logit_scale(self) -> float:
        """By what the model multiplies a cosine before softmax."""
        return float(self._model.logit_scale.detach().float().exp())

    def pictures(self, load: Sequence[Callable[[], np.ndarray]]) -> np.ndarray:
        """Unit embeddings of pictures: float32 (num_pictures, D); (0, 0) of none.

        Args:
            load: for each picture a function that gives it, uint8 (H, W, 3) RGB; called in a thread.
        """
        prepared = [self._begin(picture) for picture in load]
        return self._embed(lambda batch: _stack(picture() for picture in batch), prepared, "encode_image")

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit embeddings of texts: float32 (num_texts, D); what is longer than the model reads is cut off."""
        return self._embed(lambda batch: self._tokenizer(list(batch)), texts, "encode_text")

    def _begin(self, load: Callable[[], np.ndarray]) -> Callable[[], "Tensor"]:
        """A function that gives the prepared picture; where there are threads, one of them is at it already."""
        return self._pool.submit(self._prepare, load).result if self._pool else partial(self._prepare, load)

    def _prepare(self, load: Callable[[], np.ndarray]) -> "Tensor":
        from PIL import Image

        return self._preprocess(Image.fromarray(load()))

    def _embed(self, prepare: Callable[[Any], "Tensor"], items: Sequence, method: str) -> np.ndarray:
        import torch

        torch.set_num_threads(self._threads)  # each time: it is one setting for all scorers of a worker
        device, encode = next(self._model.parameters()).device, getattr(self._model, method)

        def run(batch: Sequence) -> list[np.ndarray]:
            tensor = prepare(batch).to(device, non_blocking=True)
            return list(encode(tensor, normalize=True).float().cpu().numpy())

        with torch.inference_mode():
            embedded = self._batches(run, items)
        return np.stack(embedded) if embedded else np.empty((0, 0), np.float32)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)  # the threads of the pool are the parallelism


def _stack(tensors) -> "Tensor":
    import torch

    return torch.stack(list(tensors))
