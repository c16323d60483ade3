"""Reads from the tables of a corpus what duplicates are known by, in order of rank."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.duplicates.perceptual import Fingerprints
from curation.joined import Joined

logger = logging.getLogger(__name__)

WORDS = 2  # of 64 bits, in a frame's hash


def content_keys(wide: Joined, rows: np.ndarray) -> np.ndarray:
    """Equal for clips of equal content hash, number of frames and size: (clips,) int64, -1 without a hash.

    The hash is of frames as they are stored; two copies of one stream, one of them to be turned, show different things.

    Args:
        wide: clips and scores.
        rows: (clips,) int64, the clips in order of rank.
    """
    # Large strings: of 70 million clips, the keys are more than 2 GB.
    columns = ("content_hash", "num_frames", "width", "height")
    told = pc.binary_join_element_wise(
        *(wide.column(name).cast(pa.large_string()) for name in columns), pa.scalar("-", pa.large_string())
    )
    keys = [pc.fill_null(chunk.indices.cast(pa.int64()), -1).to_numpy() for chunk in told.dictionary_encode().chunks]
    return np.concatenate([np.zeros(0, np.int64), *keys])[rows]


def fingerprints(wide: Joined, hashes: str, times: str, rows: np.ndarray) -> Fingerprints:
    """The frame hashes of some clips; none of a clip that has no score, or a null or NaN among them.

    Args:
        wide: clips and scores.
        hashes: column, list<uint64>, two words a frame.
        times: column, list<float>, one a frame.
        rows: (clips,) int64, the clips in order of rank.

    Raises:
        ValueError: the two lists of a clip do not fit each other; names the file and the clip's row.
    """
    parts = [_frames(wide, hashes, times, part) for part in wide.parts()]
    words, times_s, num_frames, broken = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    _tell(f"{hashes}` and `{times}", broken, "perceptual")
    return Fingerprints(words.reshape(-1, WORDS), times_s, np.append(0, np.cumsum(num_frames))).take(rows)


def embeddings(wide: Joined, column: str, rows: np.ndarray) -> np.ndarray:
    """The embeddings of some clips: float16 (clips, D), NaN for a clip that has none, or one that is not finite.

    Args:
        wide: clips and scores.
        column: list of floats.
        rows: (clips,) int64, the clips in order of rank.

    Raises:
        ValueError: they are of several lengths; names the file.
    """
    found, start, broken = np.empty((len(rows), 0), np.float16), 0, []
    by_row = np.argsort(rows)
    for part in wide.parts():
        lists = _lists(wide, column, part)
        known = start + np.flatnonzero(_is_known(lists))
        start += len(lists)
        if not len(known):
            continue
        lengths = np.unique(lists.value_lengths().drop_null())
        if not found.shape[1]:
            found = np.full((len(rows), lengths[0]), np.nan, np.float16)
        if len(others := lengths[lengths != found.shape[1]]):
            raise ValueError(
                f"{wide.corpus.path(wide.homes[column], part)}: embeddings of length {others[0]}, elsewhere of "
                f"{found.shape[1]}: they are of several models; say FORCE=score"
            )
        vectors = _vectors(lists)
        broken += [np.isnan(vectors).all(axis=1)]
        place = np.searchsorted(rows, known, sorter=by_row).clip(max=len(rows) - 1)
        wanted = rows[by_row[place]] == known if len(rows) else np.zeros(len(known), bool)
        found[by_row[place[wanted]]] = vectors[wanted]
    _tell(column, np.concatenate([np.zeros(0, bool), *broken]), "semantic")
    return found


def _lists(wide: Joined, column: str, part: str) -> pa.ListArray:
    return wide.corpus.read(wide.homes[column], part, [column])[column].combine_chunks()


def _frames(wide: Joined, hashes: str, times: str, part: str) -> tuple[np.ndarray, ...]:
    """Of a part the words and times of all frames, how many frames each clip has, and which clips are broken."""
    pair = [_lists(wide, column, part) for column in (hashes, times)]
    known, whole = (np.logical_and(*map(of, pair)) for of in (_is_known, _is_whole))
    num_words, num_times = (pc.fill_null(lists.value_lengths(), 0).to_numpy() for lists in pair)
    if len(unfit := np.flatnonzero(whole & (num_words != WORDS * num_times))):
        raise ValueError(
            f"{wide.corpus.path(wide.homes[hashes], part)}, row {unfit[0]}: {num_words[unfit[0]]} words in `{hashes}` "
            f"for {num_times[unfit[0]]} times in `{times}`, where there must be {WORDS} for each; name columns that "
            "belong together, or say FORCE=score"
        )
    words, times_s = (lists.filter(pa.array(whole)).flatten().to_numpy() for lists in pair)
    return words, times_s.astype(np.float32), np.where(whole, num_times, 0), known & ~whole


def _is_known(lists: pa.ListArray) -> np.ndarray:
    return lists.is_valid().to_numpy(zero_copy_only=False)


def _is_whole(lists: pa.ListArray) -> np.ndarray:
    """Which lists are there, with no null and no NaN or infinity in them: (lists,) bool."""
    items, whole = lists.flatten(), _is_known(lists).copy()
    good = items.is_valid().to_numpy(zero_copy_only=False) & np.isfinite(items.to_numpy(zero_copy_only=False))
    whole[pc.list_parent_indices(lists).to_numpy()[~good]] = False
    return whole


def _vectors(lists: pa.ListArray) -> np.ndarray:
    """Lists of one length that are not null: float16 (lists, D), all NaN where a number is missing or not finite."""
    with np.errstate(over="ignore"):
        vectors = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float16)
    vectors = vectors.reshape(len(lists) - lists.null_count, -1)
    vectors[~np.isfinite(vectors).all(axis=1)] = np.nan
    return vectors


def _tell(columns: str, broken: np.ndarray, kind: str) -> None:
    if number := np.count_nonzero(broken):
        logger.warning("`%s`: %d clips hold a null, NaN or infinity: they get no %s duplicates", columns, number, kind)
