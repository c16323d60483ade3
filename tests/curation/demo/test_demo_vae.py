import dataclasses
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from curation.demo import clip_data, vae_data
from curation.demo.clip_data import Stream
from curation.demo.train_vae import Optimizer, Settings, batches, loss_of, matrices, normalise_latents, set_gradients
from curation.demo.train_vae import train as train_vae
from curation.demo.vae_data import HEIGHT, WIDTH, fit, held_out_frames, held_out_scene, train_frames, train_scene
from curation.demo.vae_model import (
    FOLDER,
    LATENT_CHANNELS,
    WEIGHTS,
    as_frames,
    as_input,
    build,
    decode,
    encode,
    evaluate,
    load,
    psnr,
    save,
)

NUM_SCENES = 64
TINY = Settings(steps=12, batch_size=4, frames_per_scene=2)

# What the trainer does, in a process that cannot reach any network.
LOAD_WITHOUT_NETWORK = """
import socket, sys

def refuse(*_):
    raise OSError("no network here")

socket.socket.connect = socket.getaddrinfo = refuse
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

model = AutoencoderKL.from_pretrained(sys.argv[1], low_cpu_mem_usage=False)
print(model.dtype, model.config.latent_channels)
"""


@pytest.fixture(scope="module")
def vae():
    return load()


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return held_out_frames(NUM_SCENES, Stream.TEST)


def test_the_weights_are_small_and_in_half_precision():
    assert (FOLDER / WEIGHTS).stat().st_size < 4e6
    assert {tensor.dtype for tensor in load_file(FOLDER / WEIGHTS).values()} == {torch.float16}


def test_the_model_loads_as_published_weights_do_without_network_or_warning():
    command = [sys.executable, "-c", LOAD_WITHOUT_NETWORK, str(FOLDER)]
    run = subprocess.run(command, env=os.environ | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == (f"torch.float32 {LATENT_CHANNELS}", "")


def test_the_config_says_what_was_built(vae):
    config = json.loads((FOLDER / "config.json").read_text())
    assert 2 ** (len(config["block_out_channels"]) - 1) == 8
    built = json.loads(build().to_json_string())
    measured = {"scaling_factor", "shift_factor", "_name_or_path"}
    assert {key: config[key] for key in built if key not in measured} == {
        key: value for key, value in built.items() if key not in measured
    }
    assert "_name_or_path" not in config  # it would be a path of the machine that trained


def test_held_out_scenes_come_back(vae, frames):
    figures = evaluate(vae, frames)
    assert figures.psnr_db >= 27
    assert 0.8 <= figures.latent_std <= 1.25
    assert abs(figures.latent_mean) <= 0.2
    assert figures.posterior_std < 0.25


def test_a_latent_covers_eight_by_eight_pixels_and_sees_the_picture(vae, frames):
    means, stds = encode(vae, frames[:3])
    assert means.shape == stds.shape == (3, LATENT_CHANNELS, HEIGHT // 8, WIDTH // 8)
    assert decode(vae, means).shape == (3, HEIGHT, WIDTH, 3)
    own, others = psnr(frames[::3][:8], decode(vae, encode(vae, frames[::3][:8])[0])), psnr(frames[:8], frames[8:16])
    assert own.min() > others.mean() + 5


def test_psnr_of_a_known_error():
    frame = np.full((2, 8, 8, 3), 100, np.uint8)
    other = frame.copy()
    other[1] += 5
    quality = psnr(frame, other)
    assert np.isinf(quality[0])
    assert quality[1] == pytest.approx(20 * np.log10(255 / 5))


def test_frames_survive_the_way_into_the_model_and_out(frames):
    pictures = as_input(frames[:4])
    assert pictures.shape == (4, 3, HEIGHT, WIDTH)
    assert pictures.abs().max() <= 1
    np.testing.assert_array_equal(as_frames(pictures), frames[:4])
    assert as_frames(torch.tensor([-3.0, 3.0, 0.0]).view(1, 3, 1, 1)).ravel().tolist() == [0, 255, 128]


def test_the_frame_is_the_middle_of_the_picture():
    picture = np.zeros((180, 320, 3), np.uint8)
    picture[:, :20], picture[:, 160:] = 255, 200  # left edge, right half
    frame = fit(picture)
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert frame[:, :47].max() == 0  # the left edge is cut away
    assert frame[:, 49:].min() == 200
    np.testing.assert_array_equal(fit(frame), frame)


def test_scenes_are_functions_of_their_numbers_and_streams_share_none():
    np.testing.assert_array_equal(train_scene(3, 2), train_scene(3, 2))
    np.testing.assert_array_equal(held_out_scene(3, Stream.TEST), held_out_scene(3, Stream.TEST))
    drawn = [vae_data.scene_rng(stream, 0).random() for stream in Stream]
    drawn += [clip_data.scene_rng(stream, 0).random() for stream in Stream]
    assert len({*drawn, vae_data.scene_rng(Stream.TRAIN, 1).random()}) == 2 * len(Stream) + 1
    assert vae_data.ENTROPY != clip_data.ENTROPY


def test_workers_render_what_one_process_does():
    expected = np.concatenate([train_scene(index, 2) for index in range(3)])
    np.testing.assert_array_equal(train_frames(3, 2, num_workers=1), expected)


def test_a_pass_takes_every_frame_once_and_mirrors_some_batches():
    pictures = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 1), np.uint8)
    pictures[:, :, 1] += 100
    drawn = list(batches(pictures, Settings(steps=30, batch_size=4)))
    for start in range(0, 30, 3):
        rows = np.concatenate([batch.min(axis=(1, 2, 3)) for batch in drawn[start : start + 3]])
        assert sorted(rows) == list(range(12))
    mirrored = [bool(batch[0, 0, 0, 0] >= 100) for batch in drawn]
    assert 5 < sum(mirrored) < 25


def test_muon_moves_the_convolutions_and_adam_the_rest():
    torch.manual_seed(0)
    model = build()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = Optimizer(model, dataclasses.replace(TINY, warm_up=0.01))
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    moved = {name: (parameter.detach() - before[name]) for name, parameter in model.named_parameters()}
    assert all(change.abs().max() > 0 for change in moved.values())
    convolutions = matrices(model)
    assert "decoder.conv_in.weight" in convolutions and "decoder.conv_out.weight" not in convolutions
    # What tells Muon: all singular values of a step are about the same.
    values = torch.linalg.svdvals(moved["decoder.conv_in.weight"].flatten(1))
    assert values[0] < 3 * values[-1]


def test_the_loss_weighs_distortion_and_rate():
    torch.manual_seed(0)
    model, pictures = build(), torch.rand(2, 3, 16, 16) * 2 - 1
    noise = torch.zeros(2, LATENT_CHANNELS, 2, 2)
    free, dear = (loss_of(model, pictures, noise, kl_weight).item() for kl_weight in (0.0, 1.0))
    with torch.inference_mode():
        posterior = model.encode(pictures).latent_dist  # type: ignore[union-attr]
        error = (model.decode(posterior.mean).sample - pictures).square().mean(dim=(1, 2, 3))  # type: ignore[union-attr]
    assert free == pytest.approx(0.5 * error.log().mean().item(), abs=0.02)  # the model runs in bfloat16
    assert dear - free == pytest.approx(posterior.kl().mean().item() / noise[0].numel(), rel=0.02)


def test_the_threads_give_the_gradient_of_the_whole_batch(frames):
    torch.manual_seed(0)
    model, gradients = build(), []
    for threads in (1, 2):
        torch.manual_seed(1)
        settings = dataclasses.replace(TINY, threads=threads)
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as workers:
            set_gradients(model, frames[:4], settings, workers)
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99
    assert gradients[0].norm() <= TINY.max_gradient * 1.001


def test_a_few_steps_lower_the_loss_and_save_and_load_agree(frames, tmp_path: Path):
    torch.manual_seed(0)
    model = build()
    losses = train_vae(model, frames[:24], TINY)
    assert len(losses) == TINY.steps
    assert np.mean(losses[-3:]) < losses[0] - 0.3

    normalise_latents(model.eval(), frames[:24])
    save(model, tmp_path)
    loaded = load(tmp_path)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor.half().float(), msg=name)
    figures = evaluate(loaded, frames[:24])
    assert figures.latent_std == pytest.approx(1, abs=0.05)
    assert figures.latent_mean == pytest.approx(0, abs=0.05)
