"""Every caption of a clip, whoever wrote it: the user's first, then those that scorers wrote."""

from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa

from curation.captions import CAPTION_COLUMN
from curation.joined import KEY, read_mirror
from curation.safe_score import table_name
from curation.scorer import Scorer
from curation.tables import Corpus


def caption_columns(scorers: Mapping[str, Scorer]) -> dict[str, str]:
    """Columns of captions that scorers write -> the table that holds them, in the order of the configuration."""
    return {
        column.name: table_name(name)
        for name, scorer in scorers.items()
        for column in scorer.writes
        if column.name.startswith(CAPTION_COLUMN) and pa.types.is_string(column.type)
    }


def clip_captions(corpus: Corpus, part: str, scorers: Mapping[str, Scorer]) -> dict[str, list[dict]]:
    """clip_id -> its captions, each a dict of `text` and `source`; nothing for a clip without any.

    Args:
        corpus: where the tables lie.
        part: a part of `clips`.
        scorers: those of the configuration, by name; a caption's source is its column without `caption_`.

    Raises:
        ValueError: a table of captions is missing or does not mirror `clips`; names the file.
    """
    found: dict[str, list[dict]] = defaultdict(list)
    for row in corpus.read("captions", part).to_pylist():
        found[row[KEY]].append({"text": row["text"], "source": row["source"]})
    clip_ids = corpus.read("clips", part, [KEY])[KEY]
    for column, table in caption_columns(scorers).items():
        texts = read_mirror(corpus, table, part, clip_ids, [column])[column].to_pylist()
        for clip_id, text in zip(clip_ids.to_pylist(), texts, strict=True):
            if text:
                found[clip_id].append({"text": text, "source": column.removeprefix(CAPTION_COLUMN)})
    return dict(found)
