"""Job 6: what became of everything, as tables: `stats/{clips,funnel,histograms,failures,coverage}.parquet`.

Cheap, so always written anew. Clips are read and written part by part, so memory does not grow with the corpus.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from curation.accounts import count
from curation.config import CurateConfig
from curation.coverage import COVERAGE, coverage
from curation.filtered import filtered_sets
from curation.funnel import FUNNEL, Sum, broken, to_table
from curation.histograms import HISTOGRAMS, histograms, score_columns, spreads
from curation.joined import KEY, Joined, join, read_mirror
from curation.streamed import in_order, write_streamed
from curation.tables import Corpus
from curation.user_columns import merged_columns, names_beside, of_files
from shards.schema import FAILURES, VIDEO_ID, field
from shards.store import parquet_file, write_table

TABLES = ("clips.parquet", "funnel.parquet", "histograms.parquet", "failures.parquet", "coverage.parquet")
OF_CLIPS = ("clips.parquet", "histograms.parquet")
PATH = field("path", pa.string(), "the source file")
LOST = pa.schema(
    [
        PATH,
        VIDEO_ID,
        field("clip_id", pa.string(), "the clip that could not be packed; null where the whole video is lost"),
        field("rule_set", pa.string(), "the set it was packed for; null where the whole video is lost"),
        field("status", pa.string(), "failed | quarantined | blocked (videos) | not packed (clips)"),
        field("error", pa.string(), "why"),
    ]
)


def run(corpus: Corpus, config: CurateConfig) -> list[Sum]:
    """Writes the tables of `stats/` from whatever jobs have run.

    Returns:
        The funnel. If one of its sums is broken, those of OF_CLIPS are not written and old ones are removed.

    Raises:
        ValueError: a table cannot be read, does not mirror `clips`, or has parts that were made with another
            configuration or other weights; names the file.
    """
    folder = corpus.folder("stats")
    sets = filtered_sets(corpus, config.sets)
    sums = count(corpus, config.scorers, sets)
    write_table(folder / "funnel.parquet", to_table(sums), FUNNEL)
    write_table(folder / "failures.parquet", failures(corpus, config.sets), LOST)
    write_streamed(folder / "coverage.parquet", COVERAGE, coverage(corpus))
    if broken(sums):
        for name in OF_CLIPS:
            (folder / name).unlink(missing_ok=True)
    else:
        scored = [name for name in [*config.scorers, "dedup"] if corpus.parts(f"scores/{name}")]
        write_clips(join(corpus, scored), sets, merged_columns(corpus))
        write_histograms(corpus, sets)
    return sums


def write_clips(wide: Joined, sets: list[str], users: dict[str, pa.DataType]) -> None:
    """Writes `stats/clips.parquet`: one row a clip, rejected ones too, in the order of `clips`.

    Columns: those of `clips`, `path`, every score that is no list, every `<scorer>_error`, for each set `kept_<set>`
    and `rejected_by_<set>`, and those that the user's table brought. What a job has not reached is null.
    """
    schema = clip_schema(wide, sets, users)

    def rows_of(part: str) -> pa.Table:
        return pa.table(clip_columns(wide, sets, users, part), names=schema.names).cast(schema)

    write_streamed(wide.corpus.folder("stats") / "clips.parquet", schema, in_order(rows_of, wide.parts()))


def write_histograms(corpus: Corpus, sets: list[str]) -> None:
    """Writes `stats/histograms.parquet` of the scores in `stats/clips.parquet`."""
    folder = corpus.folder("stats")
    with parquet_file(folder / "clips.parquet") as clips:
        spread = spreads(clips, score_columns(clips.schema_arrow))
        write_table(folder / "histograms.parquet", histograms(clips, sets, spread), HISTOGRAMS)


def clip_schema(wide: Joined, sets: list[str], users: dict[str, pa.DataType]) -> pa.Schema:
    """Columns of `stats/clips.parquet` with doc and unit; the user's stand last, and give way to others."""
    own = [*(wide.fields[column] for column in wide.flat()), PATH]
    for name in sets:
        own.append(field(f"kept_{name}", pa.bool_(), f"whether the set `{name}` keeps the clip"))
        own.append(field(f"rejected_by_{name}", pa.list_(pa.string()), f"why `{name}` does not keep it"))
    names = names_beside(users, [each.name for each in own])
    told = [field(names[name], dtype, f"`{name}` of your table of videos") for name, dtype in users.items()]
    return pa.schema([*own, *told])


def clip_columns(wide: Joined, sets: list[str], users: dict[str, pa.DataType], part: str) -> list[pa.ChunkedArray]:
    """The columns of one part, in the order of the schema."""
    corpus, rows = wide.corpus, wide.read(part, wide.flat(), pending=True)
    videos = corpus.read("videos", part, ["video_id", "path"])
    place = pc.index_in(rows["video_id"], value_set=videos["video_id"])
    columns = [*rows.columns, videos["path"].take(place)]
    for name in sets:
        rejected_by = _rejected_by(corpus, name, part, rows[KEY])
        columns += [pc.equal(pc.list_value_length(rejected_by), 0), rejected_by]
    told = of_files(corpus, part, videos["path"], users).take(place).columns if users else []
    return [*columns, *told]


def _rejected_by(corpus: Corpus, name: str, part: str, clip_ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Why a set rejects each clip, null where the part is not filtered yet."""
    table = f"verdicts/{name}"
    if not corpus.has(table, part):
        return pa.chunked_array([pa.nulls(len(clip_ids), pa.list_(pa.string()))])
    return read_mirror(corpus, table, part, clip_ids, ["rejected_by"])["rejected_by"]


def failures(corpus: Corpus, sets: Iterable[str]) -> pa.Table:
    """What was lost, a table of the schema LOST: videos that failed or were quarantined, clips that were not packed."""
    clips = pa.concat_tables([LOST.empty_table().drop_columns("path"), *(_unpacked(corpus, name) for name in sets)])
    tables, paths = [LOST.empty_table()], [pa.schema([VIDEO_ID, PATH]).empty_table()]
    for part in corpus.parts("videos"):
        videos = corpus.read("videos", part, ["path", "video_id", "status", "error"])
        tables.append(videos.filter(pc.not_equal(videos["status"], "ok")))
        wanted = pc.is_in(videos["video_id"], value_set=clips["video_id"])
        paths.append(videos.select(["video_id", "path"]).filter(wanted))
    known = pa.concat_tables(paths)
    place = pc.index_in(clips["video_id"], value_set=known["video_id"])
    tables.append(clips.append_column("path", known["path"].take(place)))
    return pa.concat_tables(tables, promote_options="default")


def _unpacked(corpus: Corpus, name: str) -> pa.Table:
    """Failures of one set, as LOST without the path; a clip's id begins with its video's."""
    table = f"shards/{name}/failures"
    stems = sorted(path.stem for path in corpus.folder(table).glob("*.parquet"))
    rows = pa.concat_tables([FAILURES.empty_table(), *(corpus.read(table, stem) for stem in stems)])
    video_ids = pc.list_element(pc.split_pattern(rows[KEY], "-"), 0)
    told = [pa.repeat(text, len(rows)) for text in (name, "not packed")]
    schema = pa.schema([column for column in LOST if column.name != "path"])
    return pa.table([video_ids, rows[KEY], *told, rows["error"]], schema=schema)
