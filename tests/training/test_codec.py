"""The codec against diffusers' own computation, on tiny autoencoders with random weights."""

import socket

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder

from training.codec import DiffusersCodec

CPU = torch.device("cpu")
FACTORS = [(0.7, None), (1.3, 0.25)]  # scale and shift


def tiny(folder, scale=0.7, shift=None, blocks=4, channels=4):
    torch.manual_seed(0)
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=(8,) * blocks,
        norm_num_groups=4,
        latent_channels=channels,
        scaling_factor=scale,
        shift_factor=shift,
    )
    torch.nn.init.normal_(model.decoder.conv_out.weight, std=0.3)  # else the pictures are nearly gray
    model.save_pretrained(folder)
    return model.eval()


def tiny_temporal(folder):
    """The autoencoder of Stable Video Diffusion, whose decoder looks at all frames of a video."""
    torch.manual_seed(0)
    model = AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * 2,
        block_out_channels=(32, 32),
        layers_per_block=1,
        scaling_factor=0.7,
    )
    for parameter in model.decoder.time_conv_out.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return model.eval()


def codec_of(folder, dtype=torch.float32, **settings):
    codec = DiffusersCodec(str(folder), **settings)
    codec.load(CPU, dtype)
    return codec


def some_frames(batch=2, num_frames=3):
    return torch.randint(0, 256, (batch, num_frames, 16, 24, 3), generator=torch.Generator().manual_seed(1)).byte()


@torch.no_grad()
def posterior(model, frames):
    scaled = frames.flatten(0, 1).permute(0, 3, 1, 2).float() * 2 / 255 - 1
    return model.encode(scaled).latent_dist


def pixels_of(decoded):
    return ((decoded + 1) * 127.5).permute(0, 2, 3, 1)


@pytest.fixture(scope="module", params=FACTORS, ids=["scaled", "shifted"])
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    scale, shift = request.param
    return tiny(folder, scale, shift), folder, scale, shift or 0.0


def test_latents_are_the_scaled_mean_of_each_frame(saved):
    model, folder, scale, shift = saved
    frames = some_frames()
    latents, distribution = codec_of(folder).encode(frames), posterior(model, frames)
    expected = ((distribution.mean - shift) * scale).reshape(2, 3, 4, 2, 3)
    assert latents.dtype == torch.float32 and latents.shape == expected.shape
    assert torch.allclose(latents, expected, atol=1e-5)
    assert distribution.std.mean() > 0.1  # a drawn sample would differ


def test_frames_are_encoded_and_decoded_apart_from_their_neighbours(saved):
    _, folder, *_ = saved
    codec, frames = codec_of(folder), some_frames()
    latents = codec.encode(frames)
    assert torch.allclose(codec.encode(frames[1:, 2:]), latents[1:, 2:], atol=1e-5)
    alone, among = codec.decode(latents[1:, 2:]).int(), codec.decode(latents)[1:, 2:].int()
    assert (alone - among).abs().max() <= 1


@pytest.mark.parametrize("size", [1, 4, 6])
def test_the_batch_size_changes_nothing(saved, size):
    _, folder, *_ = saved
    codec, frames = codec_of(folder, batch_size=size), some_frames()
    latents = codec_of(folder).encode(frames)
    assert torch.allclose(codec.encode(frames), latents, atol=1e-5)
    assert (codec.decode(latents).int() - codec_of(folder).decode(latents).int()).abs().max() <= 1


def test_the_round_trip_is_that_of_diffusers(saved):
    model, folder, *_ = saved
    codec, frames = codec_of(folder), some_frames()
    with torch.no_grad():
        expected = pixels_of(model.decode(posterior(model, frames).mean).sample).reshape(frames.shape)
    decoded = codec.decode(codec.encode(frames))
    assert decoded.dtype == torch.uint8 and decoded.shape == frames.shape
    differences = (decoded.float() - expected.round().clamp(0, 255)).abs()
    assert differences.max() <= 1 and differences.mean() < 1e-3
    assert decoded.float().std() > 10  # a picture, not a gray


def test_decoded_values_are_clamped_to_bytes(saved):
    model, folder, scale, shift = saved
    latents = 30 * torch.randn(1, 1, 4, 2, 3, generator=torch.Generator().manual_seed(2))
    model = AutoencoderKL.from_pretrained(folder)
    torch.nn.init.normal_(model.decoder.conv_out.weight, std=3.0)
    codec = codec_of(folder)
    codec.model.load_state_dict(model.state_dict())
    with torch.no_grad():
        free = pixels_of(model.decode(latents[0] / scale + shift).sample)
    assert free.min() < -50 and free.max() > 305
    decoded = codec.decode(latents)[0].float()
    assert (decoded - free.round().clamp(0, 255)).abs().max() <= 1


def test_a_subfolder_and_another_geometry(tmp_path):
    tiny(tmp_path / "vae", blocks=3, channels=5)
    codec = codec_of(tmp_path, subfolder="vae", factor=4, channels=5)
    assert codec.encode(some_frames()).shape[1:] == codec.shape(3, 16, 24) == (3, 5, 4, 6)


def test_low_precision_gives_latents_of_float32(saved):
    _, folder, *_ = saved
    frames = some_frames()
    latents = codec_of(folder, torch.bfloat16).encode(frames)
    assert latents.dtype == torch.float32
    assert torch.allclose(latents, codec_of(folder).encode(frames), atol=0.1)


@pytest.mark.parametrize("wrong", [{"factor": 4}, {"channels": 16}])
def test_a_wrong_geometry_is_refused_with_both(saved, wrong):
    _, folder, *_ = saved
    said = {"factor": 8, "channels": 4} | wrong
    words = rf"has factor 8 and 4 channels, .* {said['factor']} and {said['channels']}: set .*factor and \.channels"
    with pytest.raises(ValueError, match=words):
        codec_of(folder, **wrong)


def test_a_missing_folder_is_named_with_the_way_out(tmp_path):
    with pytest.raises(ValueError, match=r"(?s)absent' cannot be loaded.*--model\.codec\.init_args\.path="):
        codec_of(tmp_path / "absent")


@pytest.mark.parametrize(("height", "width"), [(60, 96), (64, 100)])
def test_a_size_that_does_not_divide_is_refused(height, width):
    codec = DiffusersCodec("absent")  # no weights are read
    assert codec.shape(8, 64, 96) == (8, 4, 8, 12)
    with pytest.raises(ValueError, match=f"{width}x{height} px.*multiples of 8"):
        codec.shape(8, height, width)


def test_what_lies_here_is_loaded_without_the_network(saved, monkeypatch):
    _, folder, *_ = saved
    calls = []
    monkeypatch.setattr(socket.socket, "connect", lambda *args: calls.append(args))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: calls.append(args) or [])
    codec = codec_of(folder)
    assert calls == [] and not any(weights.requires_grad for weights in codec.model.parameters())


@torch.no_grad()
@pytest.mark.parametrize("at_once", [2, 8])
def test_the_temporal_decoder_takes_the_frames_of_each_video_together(tmp_path, at_once):
    model, frames = tiny_temporal(tmp_path), some_frames(num_frames=4)
    codec = codec_of(tmp_path, factor=2, batch_size=at_once)
    latents = codec.encode(frames)
    assert torch.allclose(latents.flatten(0, 1), posterior(model, frames).mean * 0.7, atol=1e-5)
    chunks = [chunk for video in latents / 0.7 for chunk in video.split(at_once)]
    expected = torch.cat([pixels_of(model.decode(chunk, num_frames=len(chunk)).sample) for chunk in chunks])
    decoded = codec.decode(latents)
    assert (decoded.flatten(0, 1).float() - expected.round().clamp(0, 255)).abs().max() <= 1
    assert (decoded.float() - codec.decode(latents[:, :1]).float()).abs().max() > 5  # neighbours change a frame


def test_another_kind_of_autoencoder_is_refused(tmp_path):
    tiny_temporal(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace("AutoencoderKLTemporalDecoder", "AutoencoderKLWan"))
    with pytest.raises(ValueError, match="it is a AutoencoderKLWan, not one of AutoencoderKL, AutoencoderKLTemporal"):
        codec_of(tmp_path, factor=2)
