"""How one set is packed: what it says itself, over what `pack` says."""

import os

import pytest
from handmade import put_clips, put_dedup, put_scores

from curation import filter
from curation.__main__ import main, make_parser
from curation.config import Bucket, CurateConfig, PackConfig, Rule, RuleSet
from curation.remembered import of_corpus
from curation.scorers.motion import Motion
from curation.tables import Corpus

YAML = """
sets:
  videos: {rules: []}
  pictures:
    pack: {mode: images, image_format: webp, buckets: [{frames: 1, width: 64, height: 48}]}
pack: {crf: 20, val_share: 0.1, short_side_px: null}
"""


def parsed(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    parser = make_parser()
    found = parser.parse_args(["run", "--config", str(tmp_path / "c.yaml")])
    built = parser.instantiate(found)["run"]
    return CurateConfig(sets=built.sets, pack=built.pack), of_corpus(parser.dump(found))


def test_a_set_takes_from_pack_what_it_does_not_say(tmp_path):
    config, _ = parsed(tmp_path, YAML)
    assert config.pack_of("videos") == PackConfig(crf=20, val_share=0.1) == config.pack == config.pack_of("unknown")
    wanted = PackConfig(mode="images", image_format="webp", buckets=[Bucket(1, 64, 48)], crf=20, val_share=0.1)
    assert config.pack_of("pictures") == wanted


def test_a_set_may_take_back_what_pack_says(tmp_path):
    config, _ = parsed(
        tmp_path, "sets: {a: {pack: {mode: images, fps: null, audio: drop}}}\npack: {fps: 8, audio: copy}"
    )
    assert (config.pack_of("a").fps, config.pack_of("a").audio, config.pack.fps) == (None, "drop", 8)


def test_what_is_remembered_gives_the_same_again(tmp_path):
    config, remembered = parsed(tmp_path, YAML)
    again, twice = parsed(tmp_path, remembered)
    assert again == config and twice == remembered


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ("{moed: images}", "'moed'"),
        ("{mode: pictures}", "pictures"),
        ("{image_quality: high}", "high"),
        ("{buckets: [{frames: 1, width: 64, hight: 64}]}", "hight"),
        ("{mode: images, fps: 8}", "sets.a.pack.fps: is for videos"),
        ("[mode]", "sets"),
    ],
)
def test_a_wrong_key_or_value_of_a_set_is_named(tmp_path, capsys, changes, words):
    (tmp_path / "c.yaml").write_text(f"sets: {{a: {{pack: {changes}}}}}")
    assert main(["run", "--config", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out")]) != 0
    errors = capsys.readouterr().err
    assert words in errors and "Traceback" not in errors and not (tmp_path / "out").exists()


def test_how_a_set_is_packed_changes_nothing_of_its_verdicts(tmp_path):
    corpus = Corpus(tmp_path)
    ids = put_clips(corpus, 0, 3)
    put_scores(corpus, 0, "motion", ids, flow=[1.0, 2.0, 3.0])
    put_dedup(corpus, 0, ids)

    def verdicts(**settings):
        rules = RuleSet([Rule("flow", min=1.5)], **settings)
        filter.run(corpus, CurateConfig(scorers={"motion": Motion()}, sets={"hq": rules}))
        folder = tmp_path / "verdicts" / "hq"
        return {name: (folder / name).read_bytes() for name in os.listdir(folder)}

    plain = verdicts()
    assert verdicts(pack={"mode": "images", "buckets": [Bucket(1, 64, 48)]}) == plain == verdicts(pack={})
    assert verdicts(duplicates="keep")["rules.json"] != plain["rules.json"]
