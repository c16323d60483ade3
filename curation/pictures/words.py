"""Captions and scores of a picture, out of a text file, a JSON object, or a row of a user's table."""

import json
from collections.abc import Mapping
from typing import Any

from curation.captions import CAPTION_COLUMN
from shards.schema import SAMPLE

Words = tuple[list[dict[str, str]], dict[str, float]]
"""Captions, as dicts of `text` and `source`, and scores by name."""
MAX_SCORE = 3.4e38  # of float32, which a sample has
NAMES = ("caption", "text")
"""Columns, or keys, whose text is a caption that is told apart by no name of its own."""
NOTHING: Words = ([], {})


def of_text(data: bytes, source: str) -> Words:
    """The whole of a text file is one caption.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        return of_row({"caption": data.decode("utf-8-sig")}, source)
    except UnicodeDecodeError as error:
        raise ValueError("its caption is not UTF-8") from error


def of_json(data: bytes, source: str) -> Words:
    """Captions and numbers of a JSON object.

    Raises:
        ValueError: it is none.
    """
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its json cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("its json cannot be read: it is no object")
    return of_row(found, source)


def of_row(row: Mapping[str, Any], source: str) -> Words:
    """`caption` and `caption_<source>` are captions, numbers are scores; what is neither is left out.

    Args:
        row: values by name; those that a sample has of its own, such as `width`, are no scores.
        source: of the captions whose name tells none.
    """
    captions = [
        {"text": _clean(value), "source": _clean(name.removeprefix(CAPTION_COLUMN)) if _has_source(name) else source}
        for name, value in row.items()
        if isinstance(value, str) and value.strip() and is_caption(name)
    ]
    numbers = {_clean(name): value for name, value in row.items() if is_score(value) and name not in SAMPLE.names}
    return captions, {name: float(value) for name, value in sorted(numbers.items())}


def joined(all_words: list[Words]) -> Words:
    """All captions, of equal ones the first, and all scores, of equal names the first."""
    captions: dict[str, dict[str, str]] = {}
    scores: dict[str, float] = {}
    for told, numbers in all_words:
        for caption in told:
            captions.setdefault(caption["text"], caption)
        scores = numbers | scores
    return list(captions.values()), scores


def is_caption(name: str) -> bool:
    """Whether a column or key of that name holds captions."""
    return name in NAMES or _has_source(name)


def _has_source(name: str) -> bool:
    return name.startswith(CAPTION_COLUMN) and name != CAPTION_COLUMN


def is_score(value: object) -> bool:
    """Whether it is a number that a sample can hold, so neither infinite nor no number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_SCORE


def _clean(text: str) -> str:
    """Text without space around it, and without halves of characters, which JSON can hold and UTF-8 cannot."""
    return text.strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")
