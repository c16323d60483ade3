"""The table of videos that a user brings: one row a span and its captions becomes one row a file."""

from collections import defaultdict
from collections.abc import Sequence

import pyarrow as pa

from curation.user_table import read_user_table, resolved, seconds, texts
from shards.places import Place
from shards.schema import INPUTS

SPAN_COLUMNS = ("start_s", "end_s")


def is_caption(column: str) -> bool:
    """Whether a column of this name holds captions: `caption`, `text`, or `caption_<anything>`."""
    return column in ("caption", "text") or column.startswith("caption_")


def read_video_table(source: Place) -> pa.Table:
    """One row for each file named in the column `path`, sorted by it.

    `spans` holds the spans of all its rows and `captions` their captions, as in `schema.INPUTS`, where there are any.
    Any other column goes along: with its value where the rows of each file agree, else as a list of one value a row.

    Args:
        source: a table (.parquet, .csv, .jsonl) whose relative paths count from its folder.

    Raises:
        ValueError: it cannot be read, has no `path`, has a column that Rushes writes, or holds a wrong value; names
            the file and the row.
    """
    table = read_user_table(source)
    _check_columns(table, source)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, path in enumerate(resolved(table, source)):
        rows[path].append(row)
    paths = sorted(rows)
    mine = [rows[path] for path in paths]
    spans = _spans(table, source)
    told = {"spans": [_own_spans(spans, r) for r in mine], "captions": _captions(table, source, spans, mine)}
    columns = {"path": pa.array(paths, pa.string())}
    columns |= {name: pa.array(values, INPUTS.field(name).type) for name, values in told.items() if any(values)}
    others = [n for n in table.column_names if n != "path" and n not in SPAN_COLUMNS and not is_caption(n)]
    return pa.table(columns | {name: _merged(table[name], mine) for name in others})


def _check_columns(table: pa.Table, source: Place) -> None:
    if "path" not in table.column_names:
        raise ValueError(f"VIDEOS={source}: no column `path`; it has {', '.join(table.column_names) or 'none'}")
    clash = set(table.column_names) & (set(INPUTS.names) - {"path"})
    if clash:
        raise ValueError(f"VIDEOS={source}: rename the columns {sorted(clash)}; Rushes writes columns of that name")


def _spans(table: pa.Table, source: Place) -> list[dict[str, float | None] | None]:
    """The span of each row; None where it names neither end."""
    ends = [seconds(table, name, source) for name in SPAN_COLUMNS]
    pairs = zip(*ends, strict=True)
    return [None if start is end is None else {"start_s": start or 0.0, "end_s": end} for start, end in pairs]


def _own_spans(spans: Sequence, rows: list[int]) -> list[dict] | None:
    """Each span of a file once, in the order of the rows; a row without one adds none, for its captions are of all."""
    own = [spans[row] for row in rows if spans[row]]
    return [span for number, span in enumerate(own) if span not in own[:number]] or None


def _captions(table: pa.Table, source: Place, spans: Sequence, mine: list[list[int]]) -> list[list[dict] | None]:
    columns = {name: texts(table, name, source, if_null="") for name in filter(is_caption, table.column_names)}
    return [
        [
            {**(spans[row] or dict.fromkeys(SPAN_COLUMNS)), "text": words[row], "source": name}
            for row in rows
            for name, words in columns.items()
            if words[row]
        ]
        or None
        for rows in mine
    ]


def _merged(column: pa.ChunkedArray, mine: list[list[int]]) -> pa.Array | pa.ChunkedArray:
    values = column.to_pylist()
    # By their words: NaN is not equal to itself, and may stand deep in a list.
    if all(repr(values[row]) == repr(values[rows[0]]) for rows in mine for row in rows[1:]):
        return column.take(pa.array([rows[0] for rows in mine], pa.int64()))
    return pa.array([[values[row] for row in rows] for rows in mine], pa.list_(column.type))
