"""What rules know as `bucket`: the same that `pack` computes clip by clip, and never a column on disk of that name."""

import random
from itertools import product

import pyarrow as pa
import pytest
from handmade import put_clips, put_dedup, put_scores
from test_rule_meaning import apply, put

from curation import filter
from curation.bucket_column import bucket_column
from curation.config import Bucket, CurateConfig, PackConfig, RuleSet
from curation.pack_plan import bucket_of
from curation.rule import Rule
from curation.scorers.frame import CROP
from curation.selectable import declared
from curation.tables import Corpus

BUCKETS = [Bucket(8, 64, 48, 8.0), Bucket(16, 64, 48, 8.0), Bucket(9, 96, 96, 7.9), Bucket(8, 48, 64, 8.0)]
PACK = PackConfig(buckets=BUCKETS)


def drawn(number):
    """Clips at random, many of them just at a limit of a bucket."""
    rng = random.Random(0)
    clips = []
    for _ in range(number):
        frames, fps = rng.choice([7, 8, 9, 15, 16, 17, 40]), rng.choice([7.9, 8.0, 24.0, 24 / 1.001])
        size = rng.choice([(64, 48), (63, 48), (48, 64), (96, 96), (80, 48), (71, 60), (640, 360), (1000, 100)])
        box = rng.choice(
            [(0.0, 0.0, 1.0, 1.0), (0.0, 0.125, 1.0, 0.875), (0.25, None, 0.75, 1.0), (0.5, 0.5, 0.5, 0.5)]
        )
        shape = dict(zip(("width", "height", *CROP), (*size, *box), strict=True))
        clips.append({"num_frames": frames, "duration_s": frames / fps} | shape)
    return clips


@pytest.mark.parametrize(("crop_bars", "max_crop"), list(product([True, False], [0.0, 0.2])))
def test_it_is_the_bucket_that_each_clip_is_packed_for(crop_bars, max_crop):
    settings = PackConfig(buckets=BUCKETS, crop_bars=crop_bars, bucket_max_crop=max_crop)
    clips = drawn(2000)
    expected = [bucket_of(settings, clip)["bucket"] for clip in clips]
    assert len(set(expected)) >= 4
    assert bucket_column(settings, pa.Table.from_pylist(clips)).to_pylist() == expected


def test_without_buckets_a_column_of_that_name_is_one_like_any_other(tmp_path):
    corpus = Corpus(tmp_path)
    ids = put_clips(corpus, 0, 2)
    put_scores(corpus, 0, "motion", ids, bucket=pa.array(["a", "b"]))
    put_dedup(corpus, 0, ids)
    sets = {"hq": RuleSet([Rule("bucket", equals="a")])}
    filter.run(corpus, CurateConfig(scorers={"motion": None}, sets=sets))
    assert corpus.read_all("verdicts/hq")["rejected_by"].to_pylist() == [[], ["bucket:equals"]]
    with pytest.raises(ValueError, match=r"sets.hq: a rule names `bucket`, .* column of scores/motion as well; rename"):
        filter.run(corpus, CurateConfig(scorers={"motion": None}, sets=sets, pack=PACK))


def test_of_the_users_table_it_is_told_before_any_work(tmp_path):
    corpus = Corpus(tmp_path)
    put(corpus, 0, [1.0], [1.0], ["a"], ["web"])
    listed = pa.table({"path": ["/a"], "bucket": [3]})
    sets = {"hq": RuleSet([Rule("bucket", max=3)])}
    assert declared(corpus, CurateConfig(scorers={}, sets=sets), listed)["bucket"] == pa.int64()
    with pytest.raises(ValueError, match=r"sets.hq: a rule names `bucket`"):
        declared(corpus, CurateConfig(scorers={}, sets=sets, pack=PACK), listed)
    assert apply(corpus, Rule("flow", min=0)) == [[]]
