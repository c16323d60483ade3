"""Which of several captions suits a clip best, by its stored embeddings: screen recordings, cartoons, slideshows ..."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.frame_embeddings import OfFrames, of_frames
from curation.open_clip_model import check_open_clip, weights_file
from curation.scorer import Misfit, Resources, Score, Scorer
from curation.scorers.openclip import OpenClip
from shards.schema import field as column


@dataclass(frozen=True)
class ZeroShot(Scorer):
    """Softmax over labels, each told by captions, as CLIP classifies (arXiv 2103.00020, section 3.1).

    A label's embedding is the mean of the unit embeddings of its captions, again of unit length. Every frame gets
    probabilities, with the model's own logit scale; the clip gets their mean. One embedding serves any number of sets.
    """

    model: str
    """The model that made the embeddings, as its `OpenClip` names it."""
    pretrained: str | None = None
    """As that `OpenClip` names it."""
    sets: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Name of a set -> label -> captions that tell it; each label gives a column `<set>_<label>`."""
    embeddings: str = "clip_frame_embeddings"
    """Column of embeddings that it reads."""
    of_frames: OfFrames = "mean"
    """What of the frames' probabilities; with `max` those of a set need not sum to 1."""
    threads: int = 1
    """CPU threads, fixed because they change the last digits."""
    resources: Resources = Resources()
    """What a worker takes from the cluster; captions are embedded once, on the CPU."""

    reads_frames = False

    def __post_init__(self) -> None:
        if not self.sets:
            raise ValueError("sets: name at least one set of labels")
        for name, labels in self.sets.items():
            if len(labels) < 2 or not all(
                captions and all(c.strip() for c in captions) for captions in labels.values()
            ):
                raise ValueError(f"sets.{name}: a set has at least two labels, each with captions that are not empty")
            if odd := [label for label in labels if not f"{name}_{label}".isidentifier()]:
                raise ValueError(f"sets.{name}.{odd[0]}: a label names a column: letters, digits and underscores")

    @property
    def reads(self) -> Sequence[str]:
        """The embeddings."""
        return (self.embeddings,)

    @property
    def writes(self) -> pa.Schema:
        """One column a label."""
        return pa.schema(
            [
                column(
                    f"{name}_{label}",
                    pa.float32(),
                    f"probability of {captions[0]!r} among {', '.join(labels)}; {self.of_frames} over frames",
                    "0..1",
                )
                for name, labels in self.sets.items()
                for label, captions in labels.items()
            ]
        )

    def check(self, writers: Mapping[str, Scorer]) -> None:
        """Sees that the embeddings are of the same model.

        Raises:
            ValueError: they are of another one.
        """
        writer = writers.get(self.embeddings)
        theirs = (writer.model, writer.pretrained) if isinstance(writer, OpenClip) else None
        if theirs and theirs != (self.model, self.pretrained):
            raise ValueError(
                f"`{self.embeddings}` is made with model {theirs[0]!r}, pretrained {theirs[1]!r}, but captions would "
                f"be embedded by {self.model!r}, {self.pretrained!r}; name the same ones"
            )

    def prepare(self) -> None:
        """Sees that the weights can be had; downloads them where they come from a hub.

        Raises:
            ValueError: they cannot be had; names them and the way out.
        """
        check_open_clip(self.model, self.pretrained)

    def weights(self) -> Mapping[str, Path | None]:
        """Those that came from a hub."""
        return weights_file(self.model, self.pretrained)

    def build(self) -> Score:
        """Embeds the captions; the model is not kept."""
        logits = self._weight_of_labels()
        ends = np.cumsum([len(labels) for labels in self.sets.values()])[:-1]

        def score(table: pa.Table, frames: Sequence) -> dict[str, Sequence]:
            return of_frames(table, self.embeddings, self.writes.names, values, self.of_frames)

        def values(embeddings: np.ndarray) -> np.ndarray:
            if embeddings.shape[1] != len(logits):
                raise Misfit(
                    f"{self.model} embeds captions as {len(logits)} numbers, `{self.embeddings}` has "
                    f"{embeddings.shape[1]}: it is of another model"
                )
            return np.concatenate([_softmax(part) for part in np.split(embeddings @ logits, ends, axis=1)], axis=1)

        return score

    def _weight_of_labels(self) -> np.ndarray:
        """Turns unit embeddings into logits: float64 (D, labels of all sets)."""
        from curation.open_clip_embed import Embedder

        embedder = Embedder(self.model, self.pretrained, "cpu", self.threads, batch_size=64)
        labels = [captions for labels in self.sets.values() for captions in labels.values()]
        embedded = embedder.texts([caption for captions in labels for caption in captions]).astype(np.float64)
        ends = np.cumsum([len(captions) for captions in labels])[:-1]
        means = np.stack([part.mean(axis=0) for part in np.split(embedded, ends)], axis=1)
        return embedder.logit_scale * means / np.linalg.norm(means, axis=0)


def _softmax(logits: np.ndarray) -> np.ndarray:
    """(n, labels), each row to probabilities."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
