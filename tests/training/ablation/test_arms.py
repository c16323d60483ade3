"""Arms are found where a sweep left them whole, `raw` first; what cannot be compared is told with the way out."""

import json

import pytest

from training.ablation.arms import Arm, find_arms, without_twins


def put(corpus, clips=6, **arms):
    """Verdicts of a sweep's subsets, each with what it says of itself; every other set beside them."""
    for name, told in arms.items():
        folder = corpus / "verdicts" / name
        folder.mkdir(parents=True)
        counts = {"clips": clips, "kept": 4, "rejected": clips - 4}
        (folder / "rules.json").write_text(json.dumps({"rules": [], "counts": counts} | told))
    return corpus


@pytest.fixture
def swept(tmp_path):
    return put(tmp_path, sweep_blur={}, sweep_full={}, sweep_raw={}, sweep_a_bottom_12_5={}, pretrain={})


def test_raw_comes_first_full_second_and_the_others_by_name(swept):
    found = find_arms(swept)
    assert [arm.name for arm in found] == ["raw", "full", "a_bottom_12_5", "blur"]
    assert found[3] == Arm("blur", swept / "verdicts" / "sweep_blur")
    assert found[3].record["counts"] == {"clips": 6, "kept": 4, "rejected": 2}


def test_some_come_as_they_are_named_each_once(swept):
    assert [arm.name for arm in find_arms(swept, ["blur", "raw", "blur"])] == ["blur", "raw"]


def test_verdicts_that_were_cut_off_are_no_arm(swept):
    (swept / "verdicts" / "sweep_full" / "rules.json").unlink()  # written last
    assert [arm.name for arm in find_arms(swept)] == ["raw", "a_bottom_12_5", "blur"]


@pytest.mark.parametrize("there", [{}, {"pretrain": {}, "raw": {}}, {"sweep_full": {}}])
def test_without_a_sweep_there_is_nothing_to_compare(tmp_path, there):
    put(tmp_path, **there)
    with pytest.raises(ValueError, match="has no subsets to compare: write them first, make sweep OUT=") as error:
        find_arms(tmp_path)
    assert str(error.value).endswith(f"OUT={tmp_path}")


def test_names_that_are_not_there_are_told_beside_those_that_are(swept):
    with pytest.raises(
        ValueError, match=r"--arms: no subset 'noise' in .*; there are: a_bottom_12_5, blur, full, raw$"
    ):
        find_arms(swept, ["raw", "noise", "blur"])
    with pytest.raises(ValueError, match="no subset 'pretrain'"):
        find_arms(swept, ["raw", "pretrain"])


def test_raw_belongs_to_every_ablation(swept):
    with pytest.raises(ValueError, match="'raw' belongs to every ablation"):
        find_arms(swept, ["full", "blur"])


def test_subsets_of_different_sweeps_are_not_compared(swept):
    put(swept, clips=9, sweep_older={})
    with pytest.raises(ValueError, match="'older' is of 9 clips and 'raw' of 6: they are of different sweeps") as error:
        find_arms(swept)
    assert f"remove {swept / 'verdicts' / 'sweep_older'}" in str(error.value)
    assert len(find_arms(swept, ["raw", "full"])) == 2


@pytest.mark.parametrize("text", [None, '{"rules": ['])
def test_a_record_that_cannot_be_read_is_told_with_its_file(tmp_path, text):
    if text:
        (tmp_path / "rules.json").write_text(text)
    with pytest.raises(ValueError, match=r"rules\.json cannot be read \(.*\): write the subsets anew, make sweep"):
        _ = Arm("raw", tmp_path).record


def test_subsets_that_keep_the_same_clips_are_one_arm(tmp_path):
    kept = {"sweep_raw": "r", "sweep_full": "f", "sweep_a_top_12_5": "a", "sweep_a_top_25": "a", "sweep_b_top_50": "r"}
    put(tmp_path, **{name: {"kept_hash": each} for name, each in kept.items()}, sweep_old={}, sweep_older={})
    arms, twins = without_twins(find_arms(tmp_path))
    assert [arm.name for arm in arms] == ["raw", "full", "a_top_12_5", "old", "older"]
    assert twins == {"a_top_25": "a_top_12_5", "b_top_50": "raw"}
