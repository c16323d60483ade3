"""Training from latents against training from pixels, with the same draws, on the demo's VAE and text encoder."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from clipset import clip_of, gray_clip, put_set
from footage import noise_scene
from safetensors.torch import load, save
from samples import make_sample
from tiny_recipe import TinyRecipe

from shards.reader import ShardSet
from shards.sample import Sample
from shards.store import write_json
from training.__main__ import main
from training.bucket import Bucket
from training.codec import DiffusersCodec
from training.conditioning import Conditioning
from training.config import build_stage
from training.latent_set import facts
from training.latents import LatentSource
from training.rates import Rates
from training.recipe import Recipe
from training.sources import rng_of
from training.text import OpenClipText

DEMO = ["--model.codec.init_args.path=curation/demo/weights/vae", "--model.codec.init_args.channels=8"]
DEMO += [f"--model.denoiser.init_args.{side}_channels=8" for side in ("in", "out")]
RATES = "--data.fps=[8, 12]"


def textured(number, num_frames=25):
    """A clip in which no frame is like another."""
    return clip_of(number, np.stack(noise_scene(number, num_frames, 4.0, (96, 64))))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A recipe whose clips are encoded for stages 1 and 2, which have one size."""
    root = tmp_path_factory.mktemp("tiny")
    recipe = TinyRecipe(root)
    put_set(recipe.shards / "pretrain" / "train", [*(textured(k) for k in range(4)), textured(4, 4)])
    put_set(recipe.shards / "pretrain" / "val", [textured(k) for k in (6, 7)])
    write_json(recipe.shards / "pretrain" / "manifest.json", {})
    assert main(["encode", "--recipe", str(recipe.recipe), "--stage", "1", "--out", str(root / "latents"), *DEMO]) == 0
    return recipe


def opened(tiny, stage, *arguments):
    built = build_stage(Recipe(tiny.recipe).files(stage), [*DEMO, *arguments])
    built.open()
    return built


def of_latents(tiny):
    return f"--data.latents={tiny.recipe.parent / 'latents'}"


def batches(stage, count=4):
    return [stage.data.stream[k] for k in range(count)]


@pytest.mark.parametrize("name", ["1", "2"])
def test_the_loss_is_that_of_training_from_pixels(tiny, name):
    """Equal but for the rounding to float16, which a network with random weights can make several times larger."""
    pixels, latents = opened(tiny, name, RATES), opened(tiny, name, RATES, of_latents(tiny))
    model = pixels.model
    model.load_frozen(torch.device("cpu"))
    model.denoiser.eval()
    losses = []
    for seen, encoded in zip(batches(pixels), batches(latents), strict=True):
        assert encoded.keys == seen.keys and encoded.captions == seen.captions
        assert torch.equal(encoded.micro, seen.micro) and torch.equal(encoded.seeds, seen.seeds)
        assert seen.frames.dtype == torch.uint8 and encoded.frames.dtype == torch.float16
        of_pixels = model.codec.encode(seen.frames)
        torch.testing.assert_close(encoded.frames.float(), of_pixels, rtol=1e-3, atol=1e-3)
        assert encoded.features is not None
        torch.testing.assert_close(encoded.features.float(), model.text.encode(seen.captions), rtol=1e-3, atol=1e-3)
        rounded = replace(seen, frames=of_pixels.half(), features=model.text.encode(seen.captions).half())
        losses.append([model.training_step(batch, 0)["loss"].item() for batch in (seen, encoded, rounded)])
    ours, theirs, as_rounded = np.array(losses).T
    np.testing.assert_allclose(theirs, as_rounded, rtol=1e-4)
    np.testing.assert_allclose(theirs, ours, rtol=1e-2)
    assert np.ptp(ours) > 0.02  # so that another window or noise would show
    held_out = [next(iter(stage.data.held_out_batches())) for stage in (pixels, latents)]
    torch.testing.assert_close(*(model.held_out_loss(batch) for batch in held_out), rtol=1e-2, atol=0)


def test_captions_are_dropped_and_left_out_as_from_pixels(tiny):
    stages = [opened(tiny, "2", *more) for more in ([], [of_latents(tiny)])]
    model = stages[0].model
    model.load_frozen(torch.device("cpu"))
    pairs = list(zip(*(batches(stage, 1) for stage in stages), strict=True))
    seeds, num_empty = range(20), 0
    for seen, encoded in pairs:
        for seed in seeds:
            texts = [told(model, batch, seed) for batch in (seen, encoded)]
            torch.testing.assert_close(*texts, rtol=1e-3, atol=1e-3)
            num_empty += int((texts[0] == model.conditioner.empty).flatten(1).all(1).sum())
    assert 0 < num_empty < 2 * len(pairs) * len(seeds) / 2
    without = opened(tiny, "2", of_latents(tiny), "--model.conditioning.captions=false")
    assert batches(without, 1)[0].features is None


def told(model, batch, seed):
    """Features that the denoiser attends to in training."""
    generators = [torch.Generator().manual_seed(seed + number) for number in range(len(batch))]
    return model.conditioner.of_batch(batch, 1, generators, learning=True).text


def test_a_stage_trains_from_latents_without_decoding_a_video(tiny, monkeypatch, capsys):
    def no_decoding(*_):
        raise AssertionError("a video was decoded")

    import training.clips

    monkeypatch.setattr(training.clips, "shown", no_decoding)
    tiny.runs = tiny.recipe.parent / "runs-of-latents"
    assert main(tiny.train("1", *DEMO, of_latents(tiny))) == 0
    assert "held-out loss" in capsys.readouterr().out


BUCKET = Bucket(4, 16, 24)


def source(folder, tensors, num_windows=0, clip=None):
    """One clip of 25 frames at 24 a second with these tensors for a video."""
    sample = clip or make_sample(0, b"", fps=24.0, num_frames=25)
    shards = put_set(folder, [Sample(sample.key, save(tensors), sample.meta, "safetensors")])
    return LatentSource(shards, [BUCKET], Rates((8,)), Conditioning(), num_windows)


def numbered(num_frames=25):
    """Latents that are their own number, of frames that come every 100 ticks of 2400 a second."""
    pts = torch.arange(num_frames + 1).double() * 100
    latents = torch.arange(num_frames).half()[:, None, None, None].expand(-1, 4, 2, 3).contiguous()
    return {
        "latents": latents,
        "pts": pts,
        "second": torch.tensor([2400.0]).double(),
        "text": torch.arange(2).half()[:, None, None].expand(-1, 3, 5).contiguous(),
    }


def test_the_frames_shown_at_the_wanted_times_are_taken(tmp_path):
    latents, found, texts = source(tmp_path, numbered()), set(), set()
    for epoch in range(200):
        example = latents.read(0, rng_of(0, epoch, 0))
        first, *others = example.frames[:, 0, 0, 0].tolist()
        assert others == [first + 3, first + 6, first + 9] and example.features is not None
        assert ["Straße 0", "second"][int(example.features[0, 0])] == example.caption
        found, texts = found | {first}, texts | {example.caption}
    assert found == set(range(15)) and len(texts) == 2  # 25 frames leave room for 15 starts and a bit


def test_a_clip_that_ends_early_is_said_so(tmp_path):
    with pytest.raises(ValueError, match=r"^ends early: \d of 4 frames"):
        source(tmp_path, numbered(9)).read(0, rng_of(0, 0, 0))


@pytest.mark.parametrize("missing", ["latents", "text", "second"])
def test_tensors_that_are_missing_are_told(tmp_path, missing):
    tensors = {name: tensor for name, tensor in numbered().items() if name != missing}
    with pytest.raises(ValueError, match=f"^holds no latents: .*{missing}"):
        source(tmp_path, tensors).read(0, rng_of(0, 0, 0))


def test_what_is_no_safetensors_file_is_told(tmp_path):
    sample = make_sample(0, b"", fps=24.0, num_frames=25)
    shards = put_set(tmp_path, [Sample(sample.key, b"\x80\x04pickle", sample.meta, "safetensors")])
    with pytest.raises(ValueError, match=r"^holds no latents: "):
        LatentSource(shards, [BUCKET], Rates((8,)), Conditioning()).read(0, rng_of(0, 0, 0))


def test_of_a_codec_that_looks_back_fixed_windows_are_kept(tmp_path, monkeypatch):
    """What is encoded is the window as the model sees it: its latents are those from pixels with that very start."""
    tiny = TinyRecipe(tmp_path)
    (tmp_path / "weights").write_bytes(b"1")
    base = ["--model.codec=temporal_codec.TemporalCodec", f"--model.codec.path={tmp_path / 'weights'}"]
    put_set(tiny.shards / "pretrain" / "train", [textured(0), textured(1), gray_clip(5, num_frames=4)])
    put_set(tiny.shards / "pretrain" / "val", [textured(2)])
    write_json(tiny.shards / "pretrain" / "manifest.json", {})
    out = tmp_path / "latents"
    command = ["encode", "--recipe", str(tiny.recipe), "--stage", "2", "--out", str(out), "--windows", "3"]
    assert main([*command, *base, RATES]) == 0
    kept = load(ShardSet(out / "pretrain" / "train").read(0).content)
    assert kept["latents"].shape == (6, 4, 4, 2, 3) and kept["fps"].tolist() == [8.0] * 3 + [12.0] * 3
    built = [
        build_stage(Recipe(tiny.recipe).files("2"), [*base, RATES, *more]) for more in ([], [f"--data.latents={out}"])
    ]
    for stage in built:
        stage.open()
    (pixels,), (latents,) = (stage.data.stream.sources for stage in built)
    assert len(pixels) == len(latents) == 2

    def read(own, *draws):
        monkeypatch.setattr("training.clips.uniforms", lambda *_: np.array([*draws, 0.0]))
        return own.read(1, rng_of(0, 0, 0))

    for rate in (0.2, 0.7):
        for k, of_start in enumerate((0.1, 0.5, 0.9)):
            encoded, seen = read(latents, rate, of_start), read(pixels, rate, (k + 0.5) / 3)
            whole = built[0].model.codec.encode(seen.frames[None])[0]
            torch.testing.assert_close(encoded.frames.float(), whole, rtol=1e-3, atol=1e-3)
            assert encoded.micro == seen.micro


def test_facts_tell_windows_where_frames_are_not_encoded_alone():
    weights = "curation/demo/weights"
    codec, text = DiffusersCodec(f"{weights}/vae", channels=8), OpenClipText(f"local-dir:{weights}/clip")
    settings = {"model.codec.class_path": "a.B", "model.codec.init_args.path": "x", "model.ema_decay": 0.9}
    alone = facts(codec, text, settings, Bucket(4, 16, 24), Rates((8.0,)))
    codec.frame_by_frame = False
    looking_back = facts(codec, text, settings, Bucket(4, 16, 24), Rates((8.0,)))
    assert set(looking_back) - set(alone) == {"num_frames", "fps"} and looking_back["fps"] == [8.0]
    assert alone["model.codec.class_path"] == "a.B" and "model.ema_decay" not in alone
