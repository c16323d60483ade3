"""Semantic duplicates: SemDeDup (arXiv 2303.09540), k-means and then cosines within each cluster.

k-means is applied again inside clusters that are too large, so that time grows as n log n and not as n times clusters.
"""

import logging
from collections.abc import Iterator

import numpy as np

from curation.duplicates.config import SemanticConfig
from curation.duplicates.stars import Stars, alone

BRANCHES = 32  # most clusters of one k-means
ITERATIONS = 10
SAMPLE_PER_CLUSTER = 256  # clips that k-means learns from
CHUNK = 8192  # clips that are given to a cluster at a time
BLOCK = 256  # clips that are compared at a time
SLACK = 1e-4  # a product of matrices may be off by this: what it finds near is computed again, exactly


def semantic_stars(embeddings: np.ndarray, config: SemanticConfig) -> Stars:
    """Groups clips by the cosine of their embeddings, which is the similarity.

    Memory is that of `embeddings` and some tens of MB. A clip whose embedding is 0, or not finite throughout,
    stands alone.

    Args:
        embeddings: float16 or float32 (clips, D), in order of rank.
        config: thresholds and k-means.
    """
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells which of its builds it tried
    import faiss

    faiss.omp_set_num_threads(config.threads)
    known = _known(embeddings)
    stars = alone(len(embeddings))
    for number in range(config.rounds):
        left = np.intersect1d(stars.survivors(), known, assume_unique=True)
        found = alone(len(embeddings))
        for cluster in _clusters(embeddings, left, config, config.seed + number):
            _join(found, embeddings, cluster, 1 - config.epsilon)
        stars = stars.then(_among(found, left), left)
    return stars


def _known(embeddings: np.ndarray) -> np.ndarray:
    """The clips whose embedding has a direction, (m,) int64, rising; by chunks, since all at once is as large again."""
    chunks = (embeddings[start : start + CHUNK] for start in range(0, len(embeddings), CHUNK))
    known = [np.isfinite(chunk).all(axis=1) & chunk.any(axis=1) for chunk in chunks]
    return np.flatnonzero(np.concatenate([np.zeros(0, bool), *known]))


def _among(stars: Stars, clips: np.ndarray) -> Stars:
    """The same of some clips only, numbered anew; they hold each other's bests."""
    return Stars(np.searchsorted(clips, stars.best[clips]), stars.similarity[clips])


def _clusters(embeddings: np.ndarray, clips: np.ndarray, config: SemanticConfig, seed: int) -> Iterator[np.ndarray]:
    """Divides clips into clusters of at most `cluster_size`, unless what is in one cannot be told apart."""
    if len(clips) <= config.cluster_size:
        yield clips
        return
    labels = _k_means(embeddings, clips, min(BRANCHES, -(-len(clips) // config.cluster_size)), seed)
    order = np.argsort(labels, kind="stable")
    for cluster in np.split(clips[order], np.flatnonzero(np.diff(labels[order])) + 1):
        if len(cluster) == len(clips):
            yield cluster
        else:
            yield from _clusters(embeddings, cluster, config, seed)


def _k_means(embeddings: np.ndarray, clips: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """The cluster of each clip, (clips,) int64."""
    import faiss

    sample = clips[np.linspace(0, len(clips) - 1, min(len(clips), SAMPLE_PER_CLUSTER * clusters)).astype(int)]
    k_means = faiss.Kmeans(embeddings.shape[1], clusters, niter=ITERATIONS, seed=seed, spherical=True)
    k_means.train(_unit(embeddings[sample]))
    chunks = [clips[start : start + CHUNK] for start in range(0, len(clips), CHUNK)]
    return np.concatenate([k_means.assign(_unit(embeddings[chunk]))[1] for chunk in chunks])


def _join(stars: Stars, embeddings: np.ndarray, clips: np.ndarray, limit: float) -> None:
    """Each clip, from the best on, joins the best before it that is near and joined nobody; fills `stars` in place."""
    hubs = np.zeros(0, np.int64)
    for start in range(0, len(clips), BLOCK):
        mine = clips[start : start + BLOCK]
        clip, hub, cosine = _near(embeddings, mine, hubs, limit)
        clip, first = np.unique(clip, return_index=True)
        stars.best[clip], stars.similarity[clip] = hub[first], cosine[first]
        mine = np.setdiff1d(mine, clip, assume_unique=True)
        for clip, hub, cosine in zip(*_near(embeddings, mine, mine, limit), strict=True):
            if stars.best[clip] == clip and stars.best[hub] == hub:
                stars.best[clip], stars.similarity[clip] = hub, cosine
        hubs = np.concatenate([hubs, mine[stars.best[mine] == mine]])


def _near(embeddings: np.ndarray, clips: np.ndarray, others: np.ndarray, limit: float) -> tuple[np.ndarray, ...]:
    """Of each clip those of `others` before it whose cosine is above the limit: clip, other, cosine; sorted."""
    products = _unit(embeddings[clips]) @ _unit(embeddings[others]).T
    rows, columns = np.nonzero(products > limit - SLACK)
    before = others[columns] < clips[rows]
    clip, other = clips[rows[before]], others[columns[before]]
    cosines = _cosines(embeddings[clip], embeddings[other])
    near = cosines > limit
    return clip[near], other[near], cosines[near]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Float32 vectors of length 1."""
    vectors = vectors.astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Row by row, without a library whose last digits depend on the number of threads."""
    dots = [np.einsum("ij,ij->i", a, b, dtype=np.float64) for a, b in ((left, right), (left, left), (right, right))]
    return dots[0] / np.sqrt(dots[1] * dots[2])
