import numpy as np
import pytest
import torch
from clipset import gray_clip, put_set
from test_sample_plan import plan
from tiny_recipe import TinyRecipe

from shards.store import write_json
from training.__main__ import main
from training.caption_draw import CaptionDraw
from training.config import build_stage
from training.recipe import Recipe
from training.sample_plan import Needs

SVD = CaptionDraw({"coca": 0.5, "v-blip": 0.25, "llm": 0.25})


def row(*sources):
    return {"captions": [{"text": "a", "source": source} for source in sources]}


def shares(draw, sample, number=4000):
    found = [draw.number(sample, (k + 0.5) / number) for k in range(number)]
    return (np.bincount(found, minlength=len(sample["captions"])) / number).tolist()


@pytest.mark.parametrize(
    ("sources", "wanted"),
    [
        (("v-blip", "coca", "llm"), [0.25, 0.5, 0.25]),
        (("llm", "coca"), [1 / 3, 2 / 3]),
        (("coca", "coca", "llm"), [1 / 3, 1 / 3, 1 / 3]),
        (("user", "llm", None), [0, 1, 0]),
    ],
)
def test_sources_are_drawn_by_weight_over_those_that_a_sample_has(sources, wanted):
    assert shares(SVD, row(*sources)) == pytest.approx(wanted, abs=1e-3)


def test_without_weights_all_are_drawn_alike_and_blank_ones_never():
    sample = {"captions": [{"text": " ", "source": "coca"}, *row("coca", None)["captions"]]}
    assert shares(CaptionDraw(), sample) == [0.5, 0.5, 0]  # numbers are among those that are no blanks
    assert CaptionDraw({"": 1}).number(sample, 0.9) == 1
    assert SVD.number(row("user"), 0.5) == CaptionDraw().number(row(), 0.5) == -1


@pytest.mark.parametrize("weight", [0, -1, float("nan")])
def test_a_weight_is_above_0(weight):
    with pytest.raises(ValueError, match=r"data.caption_weights.llm is above 0"):
        CaptionDraw({"llm": weight})


def test_optional_captions_are_counted_and_a_set_without_any_is_refused():
    some = {"captions": row("coca")["captions"]}, {"captions": []}, {"captions": row("user")["captions"]}
    assert plan(*some, needs=Needs("optional")).num_unconditional == 1
    assert plan(*some, needs=Needs("optional", ("coca",))).num_unconditional == 2
    assert plan(*some, needs=Needs("required", ("coca",))).counts == {"no caption": 2}
    with pytest.raises(ValueError, match="has no captions, and this stage"):
        plan(some[1], needs=Needs("optional"))
    with pytest.raises(ValueError, match="'cocoa'; it has those of 'coca', 'user': name some"):
        plan(*some, needs=Needs("optional", ("cocoa",)))


def test_a_sample_without_caption_trains_with_the_features_that_dropout_gives(tmp_path, capsys):
    tiny, out = TinyRecipe(tmp_path), tmp_path / "latents"
    put_set(tiny.shards / "pretrain" / "train", [gray_clip(0), gray_clip(1, captions=[])])
    put_set(tiny.shards / "pretrain" / "val", [gray_clip(2)])
    write_json(tiny.shards / "pretrain" / "manifest.json", {})
    assert main(["encode", "--recipe", str(tiny.recipe), "--stage", "1", "--out", str(out)]) == 0
    for more in ([], [f"--data.latents={out}"]):
        stage = build_stage(Recipe(tiny.recipe).files("1"), more)
        stage.open()
        assert "2 usable + 0 skipped; 1 without a caption train unconditionally" in "\n".join(stage.data.describe())
        stage.model.load_frozen(torch.device("cpu"))
        batch = stage.data.stream[0]
        text = stage.model.conditioner.features(batch.captions, batch.features)
        without = batch.captions.index("")
        assert torch.equal(text[without], stage.model.conditioner.empty[0])
        assert not torch.equal(text[1 - without], text[without])
    assert main(tiny.train("1")) == 0


def test_a_source_that_no_sample_has_is_refused(tmp_path, capsys):
    """Else the others would be drawn more often, unseen."""
    tiny = TinyRecipe(tmp_path)
    tiny.pack(captions=[{"text": "a cat", "source": "coca"}])
    assert main(tiny.train("1", "--data.caption_weights", "{coca: 2, llm: 1, vblip: 1}")) == 1
    said = capsys.readouterr().err
    assert "data.caption_weights names 'llm', 'vblip', and no usable sample of" in said
    assert main(tiny.train("1", "--data.caption_weights", "{coca: 2}")) == 0


def test_a_set_of_several_may_lack_a_source_and_says_so(tmp_path, capsys):
    tiny, more = TinyRecipe(tmp_path), tmp_path / "more"
    tiny.pack(captions=[{"text": "a cat", "source": "coca"}])
    put_set(more / "train", [gray_clip(n, captions=[{"text": "a dog", "source": "llm"}]) for n in range(20, 24)])
    write_json(more / "manifest.json", {})
    sets = ("--data.mixture", f"{{pretrain: 1, {more}: 1}}")
    assert main(tiny.train("1", *sets, "--data.caption_weights", "{coca: 2, llm: 1}")) == 0
    said = capsys.readouterr().out
    assert "skipped; no caption of 'llm'" in said and "skipped; no caption of 'coca'" in said
    assert "not drawn" not in said


def test_captions_that_are_there_and_never_drawn_are_told(tmp_path, capsys):
    tiny = TinyRecipe(tmp_path)
    tiny.pack(captions=[{"text": "a cat", "source": "coca"}, {"text": "mine", "source": None}])
    assert main(tiny.train("1", "--data.caption_weights", "{coca: 1}")) == 0
    assert "skipped; captions of '' are not drawn" in capsys.readouterr().out
