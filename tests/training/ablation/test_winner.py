"""Rules have won only where an arm beats the raw set beyond doubt, and they are read back as they were."""

import json

import yaml

from training.ablation.arms import Arm
from training.ablation.elo import Rating
from training.ablation.winner import winning_sets, write_winner


def rating(arm, lead, low):
    return Rating(arm, 10, 1000 + lead, 1000 + lead, 990.0, 1010.0, lead, low, lead + 1)


def arms(root, **rules):
    for name, told in rules.items():
        (root / name).mkdir()
        (root / name / "rules.json").write_text(json.dumps({"duplicates": "best", "thresholds": None} | told))
    return [Arm(name, root / name) for name in rules]


SOFT = {"column": "motion", "drop_bottom": 0.125}
HARD = {"column": "motion", "drop_bottom": 0.5}
TEXT = {"column": "text_area", "drop_top": 0.25}


def test_of_each_score_the_best_share_that_beats_the_raw_set(tmp_path):
    found = arms(
        tmp_path,
        raw={"rules": []},
        full={"rules": [HARD, TEXT], "thresholds": "sample"},
        soft={"rules": [SOFT]},
        hard={"rules": [HARD]},
        text={"rules": [TEXT]},
    )
    rated = [rating("full", 9, 3), rating("hard", 8, 2), rating("soft", 5, 1), rating("text", 4, -0.1)]
    sets = winning_sets(found, [*rated, Rating("raw", 10, 1000.0, 1000.0, 990.0, 1010.0)])
    assert sets["ablation_won"] == {"rules": [HARD, TEXT], "duplicates": "best", "thresholds": "sample"}
    assert sets["ablation_by_score"]["rules"] == [HARD]


def test_noise_wins_nothing(tmp_path):
    found = arms(tmp_path, raw={"rules": []}, soft={"rules": [SOFT]})
    assert winning_sets(found, [rating("soft", 5, -0.1)]) == {}
    assert winning_sets(found, [Rating("soft", 1, 1000.5, 1000.5, None, None, 1.0)]) == {}


def test_texts_that_look_like_numbers_stay_texts(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"out": "x", "sets": {"hq": {"rules": []}}}))
    rules = [{"column": "camera", "equals": "1e3"}]
    write_winner(tmp_path / "rules.yaml", tmp_path, {"ablation_won": {"rules": rules}})
    text = (tmp_path / "rules.yaml").read_text()
    assert "'1e3'" in text and yaml.safe_load(text)["sets"] == {"hq": {"rules": []}, "ablation_won": {"rules": rules}}
