"""Latent sets: what they hold and state, how they resume, and that a stale one is refused."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from clipset import clip_of, gray_clip, overwrite, picture, put_set
from safetensors.torch import load
from tiny_recipe import TinyRecipe

import training.encode_shards
import training.latent_set
from shards.picture import fitted
from shards.reader import ShardSet
from shards.store import read_json, write_json
from shards.verify import verify
from shards.writer import write_manifest
from training.__main__ import main
from training.bucket import Bucket
from training.codec import DiffusersCodec
from training.decode import pictures
from training.latent_set import LatentSet
from training.text import OpenClipText


class Tiny(TinyRecipe):
    """A tiny recipe with a folder for latents; its text encoder has a folder of its own, to be changed."""

    def __init__(self, root):
        super().__init__(root)
        self.root, self.out = root, root / "latents"
        shutil.copytree("curation/demo/weights/clip", root / "clip")
        self.arguments = [f"--model.text.init_args.model=local-dir:{root / 'clip'}"]

    def fill(self, split, samples):
        put_set(self.shards / "pretrain" / split, samples)
        write_json(self.shards / "pretrain" / "manifest.json", {})

    def encode(self, *arguments, stage="2"):
        command = ["encode", "--recipe", str(self.recipe), "--stage", stage, "--out", str(self.out)]
        return main([*command, *self.arguments, *arguments])

    def train_on_latents(self, *arguments, stage="1"):
        return main(self.train(stage, *self.arguments, f"--data.latents={self.out}", *arguments))

    @property
    def set(self):
        return self.out / "pretrain"

    def files(self):
        found = (path for path in self.set.rglob("*") if path.is_file())
        return {str(path.relative_to(self.set)): path.read_bytes() for path in sorted(found)}


@pytest.fixture
def tiny(tmp_path):
    made = Tiny(tmp_path)
    made.fill("train", [gray_clip(k, 6) for k in range(5)])
    made.fill("val", [gray_clip(7, 6)])
    return made


def small(number):
    return clip_of(number, np.zeros((6, 12, 96, 3), np.uint8))


def test_a_set_holds_every_sample_or_says_why_not(tiny):
    clips = [gray_clip(0, 6), small(1), gray_clip(2, 6, captions=[]), gray_clip(3, 6)]
    tiny.fill("train", clips)
    overwrite(ShardSet(tiny.shards / "pretrain" / "train"), 3, bytes(10**6))
    assert tiny.encode() == 0
    encoded = ShardSet(tiny.set / "train")
    assert encoded.keys == [clips[0].key, clips[2].key]
    for i, clip in enumerate((clips[0], clips[2])):
        sample = encoded.read(i)
        assert sample.meta == clip.meta and sample.extension == "safetensors"
        tensors = load(sample.content)
        assert {name: (tuple(t.shape), t.dtype) for name, t in tensors.items()} == {
            "latents": ((6, 4, 2, 3), torch.float16),
            "text": ((len(clip.meta["captions"]), 48, 64), torch.float16),
            "pts": ((7,), torch.float64),
            "second": ((1,), torch.float64),
        }
        seconds = tensors["pts"] / tensors["second"]
        torch.testing.assert_close(seconds, torch.arange(7).double() / 24, atol=2e-3, rtol=0)
    skipped = [
        row for path in sorted((tiny.set / "skipped").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    assert [(row["key"], row["reason"]) for row in skipped] == [
        (clips[1].key, "smaller than the bucket"),
        (clips[3].key, "does not decode"),
    ]
    assert [checked.problem for checked in verify(tiny.set, "all")] == [None, None, None]
    assert read_json(tiny.set / "manifest.json")["failed"] == 2


def test_the_latents_are_those_of_the_codec_in_the_type_asked_for(tiny):
    assert tiny.encode("--dtype", "bfloat16") == 0
    tensors = load(ShardSet(tiny.set / "train").read(0).content)
    assert tensors["latents"].dtype == tensors["text"].dtype == torch.bfloat16
    codec, text = DiffusersCodec(str(tiny.root / "vae")), OpenClipText(f"local-dir:{tiny.root / 'clip'}")
    for part in (codec, text):
        part.load(torch.device("cpu"), torch.float32)
    torch.testing.assert_close(tensors["text"].float(), text.encode(["Straße 0", "second"]), rtol=2**-8, atol=1e-6)
    frames = pictures(gray_clip(0, 6).content, np.arange(6) / 24, 24.0, Bucket(6, 16, 24))
    latents = codec.encode(torch.from_numpy(frames)[None])[0]
    assert latents.std() > 0.01
    torch.testing.assert_close(tensors["latents"].float(), latents, rtol=2**-8, atol=1e-6)


def test_what_was_encoded_with_is_stated(tiny):
    assert tiny.encode() == 0
    record = LatentSet(tiny.set).record
    stated = record["facts"]
    assert len(stated["codec_weights"]) == len(stated["text_weights"]) == 64
    assert (stated["height"], stated["width"], stated["frames"]) == (16, 24, "every frame, by itself")
    assert "num_frames" not in stated and "fps" not in stated and "model.codec.init_args.path" not in stated
    assert record["dtype"] == "float16" and record["num_windows"] == 0
    assert list(record["source"]["train"]["shards"]) == ["00000", "00001"]
    (made_with,) = record["made_with"]
    assert made_with["device"] == "cpu" and made_with["threads"] == 1
    assert made_with["torch"] and made_with["diffusers"] and made_with["av"]


def test_an_interrupted_run_goes_on_to_the_same_bytes(tiny, monkeypatch, capsys):
    assert tiny.encode() == 0
    whole = tiny.files()
    shutil.rmtree(tiny.set)
    write = training.encode_shards.write_shard

    def write_and_break(path, samples):
        if path.name != "00000.tar":
            next(iter(samples))
            raise OSError("the power went out")
        return write(path, samples)

    monkeypatch.setattr(training.encode_shards, "write_shard", write_and_break)
    assert tiny.encode() == 1
    assert "the power went out" in capsys.readouterr().err
    assert tiny.train_on_latents() == 1
    assert "is not finished" in capsys.readouterr().err
    first = tiny.set / "train" / "00000.tar"
    at = first.stat().st_mtime_ns
    monkeypatch.setattr(training.encode_shards, "write_shard", write)
    assert tiny.encode("--data.workers=1") == 0
    assert tiny.files() == whole and first.stat().st_mtime_ns == at
    capsys.readouterr()
    assert tiny.encode() == 0
    assert "is finished" in capsys.readouterr().out and tiny.files() == whole


def change_codec(tiny):
    path = tiny.root / "vae" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scaling_factor": 0.5}))


def change_text(tiny):
    (tiny.root / "clip" / "note.txt").write_text("other weights")


def change_shards(tiny):
    tiny.fill("train", [gray_clip(k, 6, path="/other.mp4") for k in range(5)])


STALE = {
    "codec_weights": change_codec,
    "text_weights": change_text,
    "train/manifest.json": change_shards,
    "height": lambda _: "--data.buckets=[{num_frames: 4, height: 8, width: 24}]",
    "model.text.init_args.skip_last": lambda _: "--model.text.init_args.skip_last=1",
}


@pytest.mark.parametrize("what", STALE)
def test_a_stale_set_is_refused_before_the_first_step(tiny, capsys, what):
    assert tiny.encode() == 0
    arguments = [made] if (made := STALE[what](tiny)) else []
    capsys.readouterr()
    assert tiny.train_on_latents(*arguments) == 1
    said = capsys.readouterr().err
    assert "is stale" in said and f"  {what}: " in said and "FORCE=1" in said
    assert [line for line in said.splitlines() if " -> " in line][1:] == []
    assert not (tiny.runs / "1").exists()


def test_a_flipped_byte_of_what_it_states_is_found_and_refused(tiny, capsys):
    assert tiny.encode() == 0
    assert read_json(tiny.set / "manifest.json")["files"].keys() == {"latents.json"}
    path = tiny.set / "latents.json"
    path.write_text(path.read_text().replace('"threads": 1', '"threads": 3'))
    (found,) = [checked for checked in verify(tiny.set) if checked.problem]
    assert found.name == "latents.json" and "another SHA-256" in str(found.problem)
    assert tiny.train_on_latents() == 1
    assert "latents.json: is not the file that manifest.json lists" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["FITTING", "FORMAT"])
def test_a_set_of_older_code_that_meant_other_things_is_refused(tiny, capsys, monkeypatch, name):
    assert tiny.encode() == 0
    monkeypatch.setattr(training.latent_set, name, "other")
    assert tiny.train_on_latents() == 1
    assert f"  {name.lower()}: " in capsys.readouterr().err


def test_latents_of_pictures_and_of_a_mixture_are_what_the_pictures_give(tiny, capsys):
    pictures = tiny.root / "pictures"
    put_set(pictures / "train", [picture(k) for k in (10, 11, 12)])
    put_set(pictures / "val", [picture(13)])
    write_json(pictures / "manifest.json", {})
    mixture = f"--data.mixture={{pretrain: 1, {pictures}: 1}}"
    assert tiny.encode(mixture, stage="1") == 0
    said = capsys.readouterr().out
    assert "latents of 4 of 4 samples, 0 skipped" in said and f"LATENTS={tiny.out}" in said
    assert [checked for checked in verify(tiny.out / "pictures", "all") if checked.problem] == []
    tensors = load(ShardSet(tiny.out / "pictures" / "train").read(1).content)
    codec = DiffusersCodec(str(tiny.root / "vae"))
    codec.load(torch.device("cpu"), torch.float32)
    frames = torch.from_numpy(fitted(picture(11).content, 24, 16))
    assert torch.equal(tensors["latents"], codec.encode(frames[None, None])[0].half())
    assert tiny.train_on_latents(mixture) == 0
    assert tiny.train_on_latents(f"--data.mixture={{pretrain: 1, {tiny.root}/other/pretrain: 1}}") == 1


def test_what_cannot_be_encoded_at_all_is_no_success(tiny, capsys):
    shards = ShardSet(tiny.shards / "pretrain" / "train")
    for number in range(5):
        overwrite(shards, number, b"no video" * 10)
    assert tiny.encode() == 1
    assert "no sample to train on could be encoded" in capsys.readouterr().err
    assert not (tiny.set / "manifest.json").exists()


def test_weights_that_were_moved_are_the_same(tiny):
    assert tiny.encode() == 0
    shutil.move(tiny.root / "vae", tiny.root / "elsewhere")
    assert tiny.train_on_latents(f"--model.codec.init_args.path={tiny.root / 'elsewhere'}") == 0


def test_a_set_of_other_making_is_not_gone_on_with_unless_forced(tiny, capsys):
    assert tiny.encode() == 0
    before = tiny.files()
    assert tiny.encode("--dtype", "bfloat16") == 1
    assert "  dtype: 'float16' -> 'bfloat16'" in capsys.readouterr().err
    change_shards(tiny)
    assert tiny.encode() == 1
    assert "shard train/00000 of the packed set is another" in capsys.readouterr().err
    assert tiny.files() == before
    assert tiny.encode("--force") == 0
    assert (tiny.out / "aside" / "pretrain-1" / "latents.json").exists()
    assert ShardSet(tiny.set / "train").read(0).meta["path"] == "/other.mp4"


def test_a_set_grows_with_the_packed_one(tiny, capsys):
    assert tiny.encode() == 0
    standing = {name: data for name, data in tiny.files().items() if name.startswith(("train/0", "val/0"))}
    more = tiny.shards / "pretrain" / "train"
    put_set(tiny.root / "more", [gray_clip(9, 6)])
    for suffix in (".tar", ".parquet"):
        shutil.copy(tiny.root / "more" / f"00000{suffix}", more / f"00002{suffix}")
    write_manifest(more, "c0ffee")
    assert tiny.train_on_latents() == 1
    assert "  train/manifest.json: " in capsys.readouterr().err
    assert tiny.encode() == 0
    assert "train/00002: 1 samples" in capsys.readouterr().out
    after = tiny.files()
    assert len(ShardSet(tiny.set / "train")) == 6 and {name: after[name] for name in standing} == standing


def test_what_cannot_be_had_is_said(tiny, capsys):
    def refused(*words, arguments=(), of=main):
        assert (tiny.encode(*arguments) if of is main else of(*arguments)) == 1
        said = capsys.readouterr().err
        assert all(word in said for word in words), said

    refused("is no latent set", of=tiny.train_on_latents)
    refused("at least 1", arguments=["--threads", "0"])
    refused("cannot be loaded", "--model.codec.init_args.path", arguments=["--model.codec.init_args.path=some/hub"])
    refused("multiples of 8", arguments=["--data.buckets=[{num_frames: 4, height: 12, width: 24}]"])
    assert tiny.encode() == 0
    sizes = "[{num_frames: 4, height: 16, width: 24}, {num_frames: 4, height: 24, width: 16}]"
    refused("one height and width", arguments=[f"--data.buckets={sizes}"], of=tiny.train_on_latents)
    refused("holds latents", arguments=[f"--data.shards={tiny.out}"])
    tiny.out = tiny.shards
    refused("none of latents")


def test_numbers_that_do_not_fit_the_type_stop_the_run(tiny, capsys, monkeypatch):
    monkeypatch.setattr(DiffusersCodec, "encode", lambda codec, frames: torch.full((1, frames.shape[1], 4, 2, 3), 1e6))
    assert tiny.encode() == 1
    assert "--dtype bfloat16" in capsys.readouterr().err
    assert not (tiny.set / "train" / "00000.tar").exists()
    assert tiny.encode("--dtype", "bfloat16", "--force") == 0
