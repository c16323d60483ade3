"""How well the demo CLIP tells captions apart: retrieval, separation, and a threshold for `clip_similarity`.

Pure functions on embeddings; models and pictures are not known here.
"""

from dataclasses import dataclass

import numpy as np

_DRAWS = 20  # sets of wrong captions tried against each picture


@dataclass(frozen=True)
class Figures:
    """What held-out scenes say of a model."""

    top1_one_frame: float
    """Share of middle frames whose own caption beats 31 others, 0..1."""
    top1_three_frames: float
    """The same for the mean of first, middle and last frame."""
    mean_right: float
    """Mean `clip_similarity` (mean cosine of three frames) with the right caption."""
    mean_wrong: float
    """The same with the caption of another scene."""
    auc: float
    """Chance that a right pair scores above a wrong one, 0..1."""
    threshold: float
    """`clip_similarity` below which 99 % of the wrong pairs lie."""
    false_reject: float
    """Share of right pairs below it, 0..1."""


def retrieval_top1(pictures: np.ndarray, captions: np.ndarray, num_candidates: int = 32, seed: int = 0) -> float:
    """Measures how often a picture finds its caption among random others.

    Args:
        pictures: float (N, D) unit embeddings.
        captions: float (N, D) unit embeddings; row i belongs to picture i.
        num_candidates: Captions to choose from, the right one included, 2..N.
        seed: Of the draw of wrong captions.

    Returns:
        Share of right choices over all pictures and draws, 0..1.
    """
    rng = np.random.default_rng(seed)
    cosines = pictures @ captions.T
    rows = np.arange(len(pictures))[:, None]
    hits = []
    for _ in range(_DRAWS):
        # Of a random order of all captions but the right one, the first few.
        order = rng.random(cosines.shape)
        np.fill_diagonal(order, np.inf)
        wrong = np.argpartition(order, num_candidates - 1, axis=1)[:, : num_candidates - 1]
        hits.append(np.diagonal(cosines) > cosines[rows, wrong].max(axis=1))
    return float(np.mean(hits))


def measure(frames: np.ndarray, captions: np.ndarray) -> Figures:
    """Measures a model on held-out scenes; every other scene's caption counts as a wrong one.

    Args:
        frames: float (N, 3, D) unit embeddings of first, middle and last frame.
        captions: float (N, D) unit embeddings.

    Returns:
        The figures.
    """
    similarity = frames.mean(axis=1) @ captions.T
    right, wrong = np.diagonal(similarity), np.sort(similarity[~np.eye(len(captions), dtype=bool)])
    threshold = float(np.quantile(wrong, 0.99))
    return Figures(
        top1_one_frame=retrieval_top1(frames[:, 1], captions),
        # A longer or shorter mean ranks captions the same, so it stays as it is.
        top1_three_frames=retrieval_top1(frames.mean(axis=1), captions),
        mean_right=float(right.mean()),
        mean_wrong=float(wrong.mean()),
        auc=float(np.mean(np.searchsorted(wrong, right) / len(wrong))),
        threshold=threshold,
        false_reject=float(np.mean(right < threshold)),
    )
