"""Reads from the tables of a corpus what duplicates are known by, in order of rank."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.duplicates.perceptual import Fingerprints
from curation.joined import Joined

WORDS = 2  # of 64 bits, in a frame's hash


def content_keys(wide: Joined, rows: np.ndarray) -> np.ndarray:
    """Equal for clips of equal content hash, number of frames and size: (clips,) int64, -1 without a hash.

    The hash is of frames as they are stored; two copies of one stream, one of them to be turned, show different things.

    Args:
        wide: clips and scores.
        rows: (clips,) int64, the clips in order of rank.
    """
    numbers = [wide.column(name).cast(pa.string()) for name in ("num_frames", "width", "height")]
    keys = pc.binary_join_element_wise(wide.column("content_hash"), *numbers, "-").combine_chunks()
    return pc.fill_null(keys.dictionary_encode().indices.cast(pa.int64()), -1).to_numpy()[rows]


def fingerprints(wide: Joined, hashes: str, times: str, rows: np.ndarray) -> Fingerprints:
    """The frame hashes of some clips; none of a clip that has no score.

    Args:
        wide: clips and scores.
        hashes: column, list<uint64>, two words a frame.
        times: column, list<float>, one a frame.
        rows: (clips,) int64, the clips in order of rank.

    Raises:
        ValueError: the lists do not fit each other.
    """
    words, num_words = _flat(wide, hashes)
    times_s, num_times = _flat(wide, times)
    if not np.array_equal(num_words, WORDS * num_times):
        raise ValueError(f"columns {hashes} and {times}: there must be {WORDS} words for each time")
    starts = np.concatenate([[0], np.cumsum(num_times)])
    return Fingerprints(words.astype(np.uint64).reshape(-1, WORDS), times_s.astype(np.float32), starts).take(rows)


def embeddings(wide: Joined, column: str, rows: np.ndarray) -> np.ndarray:
    """The embeddings of some clips: float16 (clips, D), NaN for a clip that has none.

    Args:
        wide: clips and scores.
        column: list of floats.
        rows: (clips,) int64, the clips in order of rank.

    Raises:
        ValueError: they are of several lengths.
    """
    found, start = np.empty((len(rows), 0), np.float16), 0
    by_row = np.argsort(rows)
    for part in wide.parts():
        lists = wide.corpus.read(wide.homes[column], part, [column])[column].combine_chunks()
        known = start + np.flatnonzero(lists.is_valid().to_numpy(zero_copy_only=False))
        vectors = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(known), -1) if len(known) else None
        start += len(lists)
        if vectors is None:
            continue
        if not found.shape[1]:
            found = np.full((len(rows), vectors.shape[1]), np.nan, np.float16)
        if vectors.shape[1] != found.shape[1]:
            raise ValueError(
                f"{wide.corpus.path(wide.homes[column], part)}: embeddings of length {vectors.shape[1]}, elsewhere of "
                f"{found.shape[1]}: they are of several models; say FORCE=score"
            )
        place = np.searchsorted(rows, known, sorter=by_row).clip(max=len(rows) - 1)
        wanted = rows[by_row[place]] == known if len(rows) else np.zeros(len(known), bool)
        found[by_row[place[wanted]]] = vectors[wanted]
    return found


def _flat(wide: Joined, column: str) -> tuple[np.ndarray, np.ndarray]:
    """The items of all lists, and the length of each list, int64; a null is an empty list."""
    column_chunks = wide.column(column).chunks
    items = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column_chunks]
    lengths = [pc.fill_null(chunk.value_lengths(), 0).to_numpy(zero_copy_only=False) for chunk in column_chunks]
    return np.concatenate(items), np.concatenate(lengths).astype(np.int64)
