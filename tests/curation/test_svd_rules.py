"""The rules of configs/curate/svd.yaml as they are: Stable Video Diffusion's choice, and its 7 % of text."""

import numpy as np
import pytest
from handmade import put_clips, put_dedup, put_scores

from curation import filter
from curation.__main__ import make_parser
from curation.config import CurateConfig
from curation.remembered import with_default_config
from curation.rule import stated
from curation.tables import Corpus
from shards.store import read_json

SVD, TEXT_7 = "configs/curate/svd.yaml", "configs/curate/svd-text-7.yaml"
CLIPS = 200
PUBLISHED = [
    {"column": "motion", "drop_bottom": 0.25},
    {"column": "aesthetic", "drop_bottom": 0.25},
    {"column": "clip_similarity", "drop_bottom": 0.5},
]
TEXT = {SVD: {"column": "text_area", "drop_top": 0.25}, TEXT_7: {"column": "text_area", "max": 0.07}}


def sets_of(*configs: str) -> dict:
    """The sets of `make filter` with these files, in this order."""
    named = [word for config in configs for word in ("--config", config)]
    parser = make_parser("filter")
    return parser.instantiate(parser.parse_args(with_default_config(["filter", *named, "--out", "x"])))["filter"].sets


@pytest.mark.parametrize("configs", [(SVD,), (SVD, TEXT_7)])
def test_the_published_shares(configs):
    assert [stated(rule) for rule in sets_of(*configs)["pretrain"].rules] == [*PUBLISHED, TEXT[configs[-1]]]


def test_the_variant_changes_the_rule_on_text_alone():
    plain, varied = sets_of(SVD), sets_of(SVD, TEXT_7)
    assert list(plain) == list(varied) == ["pretrain", "hq"] and plain["hq"] == varied["hq"]
    assert plain["pretrain"].rules[:-1] == varied["pretrain"].rules[:-1] and plain["pretrain"] != varied["pretrain"]


@pytest.mark.parametrize(
    ("configs", "reason", "clips"),
    [((SVD,), "text_area:drop_top", CLIPS // 4), ((SVD, TEXT_7), "text_area:max", CLIPS * 3 // 10)],
)
def test_what_they_reject(tmp_path, configs, reason, clips):
    corpus, random = Corpus(tmp_path), np.random.default_rng(0)
    ids = put_clips(corpus, 0, CLIPS)
    columns = ("motion", "aesthetic", "clip_similarity", "raft_motion")
    scores = {name: random.permutation(CLIPS).astype(float).tolist() for name in columns}
    text = ((random.permutation(CLIPS) + 1) / (10 * CLIPS)).tolist()  # evenly to 0.1: 3 of 10 have more than 7 %
    put_scores(corpus, 0, "all", ids, **scores, text_area=text)
    put_dedup(corpus, 0, ids)
    sets = {"pretrain": sets_of(*configs)["pretrain"]}
    filter.run(corpus, CurateConfig(scorers={"all": None}, sets=sets))
    found = read_json(corpus.folder("verdicts/pretrain") / "rules.json")["reasons"]
    rejected = {name: by["clips"] for name, by in found.items() if by["clips"]}
    shares = {"motion:drop_bottom": CLIPS // 4, "aesthetic:drop_bottom": CLIPS // 4}
    assert rejected == shares | {"clip_similarity:drop_bottom": CLIPS // 2, reason: clips}
