"""The demo video network: its labels, what it was folded into, and what its features tell of clips it never saw."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from curation.demo.clip_data import Stream
from curation.demo.motion import CAMERA_MOVES, DIRECTIONS
from curation.demo.train_video_net import Settings, batches
from curation.demo.train_video_net import train as train_video_net
from curation.demo.video_net_data import MOVES, Clips, clip_of
from curation.demo.video_net_heads import Heads, evaluate, load_heads, save_heads
from curation.demo.video_net_model import (
    CONFIG,
    FOLDER,
    LAYERS,
    NUM_FRAMES,
    WEIGHTS,
    as_input,
    build,
    features,
    folded,
    load,
    save,
)


@pytest.fixture(scope="module")
def clips() -> Clips:
    each = [clip_of(Stream.TEST, index, NUM_FRAMES) for index in range(48)]
    return Clips(**{name: np.concatenate([getattr(clip, name) for clip in each]) for name in vars(each[0])})


def does(clip: Clips) -> str:
    """What the only thing of a clip does."""
    return MOVES[clip.doings[0].max(axis=0).argmax()]


def test_the_weights_are_small_and_in_half_precision():
    assert (FOLDER / WEIGHTS).stat().st_size < 1e6
    assert {tensor.dtype for tensor in load_file(FOLDER / WEIGHTS).values()} == {torch.float16}
    config = json.loads((FOLDER / CONFIG).read_text())
    assert config == {"num_frames": NUM_FRAMES, "height": 64, "width": 96, "layers": LAYERS}


def test_features_tell_what_clips_show(clips):
    figures = evaluate(load(), load_heads(), clips)
    assert figures.background >= 0.9 and figures.colours >= 0.9 and figures.velocity_r2 >= 0.8
    assert figures.moves >= 0.5 and figures.shapes >= 0.35  # the commonest, always: 0.26 and 0.27


def test_a_label_is_what_was_rendered(clips):
    assert clips.frames.shape == (48, NUM_FRAMES, 64, 96, 3) and clips.frames.dtype == np.uint8
    assert (clips.doings.sum(axis=(1, 2)) >= clips.shapes.sum(axis=1)).all(), "as many doings as things"
    for row in range(48):
        clip = clips.at(np.array([row]))
        if clip.doings.sum() == 1 and does(clip).startswith("moves"):
            way = np.array(DIRECTIONS[does(clip).removeprefix("moves ")])
            assert (np.sign(clip.velocity[0]) == way).all()


def test_the_same_clip_is_rendered_again():
    first, again, other = (clip_of(stream, 3, 2) for stream in (Stream.TEST, Stream.TEST, Stream.TRAIN))
    assert all(np.array_equal(getattr(first, name), getattr(again, name)) for name in vars(first))
    assert not np.array_equal(first.frames, other.frames)


@pytest.mark.parametrize(
    ("move", "mirrored", "backwards"),
    [
        ("moves left", "moves right", "moves right"),
        ("moves up left", "moves up right", "moves down right"),
        ("moves down", "moves down", "moves up"),
        ("turns", "turns", "turns"),
        ("grows", "grows", "shrinks"),
    ],
)
def test_labels_turn_with_the_clip(move, mirrored, backwards):
    doings = np.zeros((1, 8, len(MOVES)), np.float32)
    doings[0, 2, MOVES.index(move)] = 1
    frames = np.random.default_rng(0).integers(0, 255, (1, 3, 4, 6, 3), np.uint8)
    clip = Clips(frames, np.array([1]), np.array([0]), np.zeros((1, 7)), doings, np.array([[2.0, 3.0]]))
    left, back = clip.mirrored(), clip.backwards()
    assert (does(left), does(back)) == (mirrored, backwards)
    assert left.velocity.tolist() == [[-2, 3]] and back.velocity.tolist() == [[-2, -3]]
    assert np.array_equal(left.frames, frames[:, :, :, ::-1]) and np.array_equal(back.frames, frames[:, ::-1])
    still = clip.still()
    assert does(still) == "stands" and still.doings[0, 2].sum() == 1 and not still.velocity.any()
    assert np.array_equal(still.frames, frames[:, [0, 0, 0]])


@pytest.mark.parametrize(
    ("camera", "mirrored", "backwards"),
    [("", "", ""), ("pans left", "pans right", "pans right"), ("zooms in", "zooms in", "zooms out")],
)
def test_the_camera_turns_with_the_clip(camera, mirrored, backwards, clips):
    clip = clips.at(np.array([0]))
    clip.camera[0] = CAMERA_MOVES.index(camera)
    assert [CAMERA_MOVES[each.camera[0]] for each in (clip.mirrored(), clip.backwards())] == [mirrored, backwards]


def test_folding_the_norms_changes_nothing(clips, tmp_path):
    torch.manual_seed(0)
    chain = build()
    pixels = as_input(clips.frames[:4])
    features(chain.train(), pixels)  # norms with statistics of their own
    wanted = features(chain.eval(), pixels)
    assert torch.allclose(features(folded(chain), pixels), wanted, atol=1e-5)
    save(chain, tmp_path)
    assert torch.allclose(features(load(tmp_path), pixels), wanted, atol=2e-3)


def test_training_learns(clips, tmp_path):
    torch.manual_seed(0)
    chain, heads = build(), Heads()
    losses = train_video_net(chain, heads, clips, Settings(epochs=3, batch_size=8))
    assert len(losses) == 18 and np.mean(losses[-6:]) < 0.75 * np.mean(losses[:6])
    save_heads(heads, tmp_path)
    again = load_heads(tmp_path)(torch.ones(1, 96))["velocity"]
    assert torch.allclose(again, heads(torch.ones(1, 96))["velocity"], atol=1e-2)


def test_each_epoch_takes_every_clip_once(clips):
    settings = Settings(epochs=1, batch_size=16, still=0)
    seen = [batch.frames.sum(axis=(1, 2, 3, 4)) for batch in batches(clips, settings)]
    assert sorted(np.concatenate(seen)) == sorted(clips.frames.sum(axis=(1, 2, 3, 4)))
