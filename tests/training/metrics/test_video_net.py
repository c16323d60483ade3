"""Frozen networks for the proxy distance: the demo's, and a user's own."""

import json
import re

import numpy as np
import pytest
import torch
from counting import Brightness, some_videos
from networks import Demanding, OfPictures, Pooled, Several, Unpooled, saved

from curation.demo import video_net_model
from training.metrics.evaluation import Evaluation
from training.metrics.metric import Videos
from training.metrics.video_net import ProxyFrechetDistance, ScriptedNet, VideoNet
from training.run import content_hash

DEMO = "curation/demo/weights/video_net"
CPU = torch.device("cpu")


def noise(number, frames, height, width) -> torch.Tensor:
    drawn = np.random.default_rng(0).integers(0, 256, (number, frames, height, width, 3), np.uint8)
    return torch.from_numpy(drawn)


def test_the_trainer_sees_what_the_demo_trained():
    frames = noise(2, 8, 64, 96)
    found = ProxyFrechetDistance(VideoNet(DEMO), batch_size=1).load(CPU)(Videos(frames, [""] * 2, 8.0))
    chain = video_net_model.load()
    wanted = video_net_model.features(chain, video_net_model.as_input(frames.numpy()))
    assert found.shape == (2, 96) and torch.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 128, 192), (8, 90, 160)])
def test_other_sizes_are_seen_alike(size):
    """A picture that is the same at any size, and stands still: features hardly change."""
    measure = ProxyFrechetDistance(VideoNet(DEMO)).load(CPU)

    def gradient(frames, height, width):
        rows, columns = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
        picture = torch.stack([255 * columns, 255 * rows, 128 + 0 * rows], dim=2).to(torch.uint8)
        return Videos(picture.expand(1, frames, height, width, 3), [""], 8.0)

    known, found = measure(gradient(8, 64, 96)), measure(gradient(*size))
    assert (found - known).norm() < 0.2 * known.norm()
    assert measure(gradient(17, 64, 96)).shape == known.shape


def test_the_first_frames_may_be_all_that_counts():
    frames = noise(1, 12, 64, 96)
    few = ProxyFrechetDistance(VideoNet(DEMO), num_frames=8)
    whole = ProxyFrechetDistance(VideoNet(DEMO))
    assert torch.equal(few.load(CPU)(Videos(frames, [""], 8.0)), whole.load(CPU)(Videos(frames[:, :8], [""], 8.0)))
    assert "first 8 frames" in few.protocol and "all frames; covariances by N-1" in whole.protocol


def test_a_network_of_the_users_is_named_a_proxy(tmp_path):
    path = saved(Pooled(), tmp_path)
    metrics = [ProxyFrechetDistance(ScriptedNet(path)), ProxyFrechetDistance(ScriptedNet("nowhere.pt"), name="none")]
    evaluation = Evaluation(metrics, CPU)
    for is_real in (False, True):
        evaluation.add(range(9), some_videos(9), is_real)
    found, none = evaluation.figures()
    assert found.value == pytest.approx(0, abs=1e-9) and found.weights_hash == content_hash(ScriptedNet(path).weights())
    assert found.protocol.startswith("proxy Frechet distance, not FVD: TorchScript Pooled.pt")
    assert "needs the weights of a network of your choice" in none.missing


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (OfPictures(), r"OfPictures.pt takes no videos .*\(9, 3, 3, 4, 6\) .*conv2d"),
        (Demanding(), "Demanding.pt takes no videos .*takes 99 frames"),
        (Unpooled(), r"gives \(9, 3, 4, 6\) for 9 videos: it takes features \(B, D\)"),
        (Several(), "gives tuple for 9 videos"),
    ],
)
def test_a_network_of_another_form_costs_its_own_figure_alone(tmp_path, network, told):
    evaluation = Evaluation([ProxyFrechetDistance(ScriptedNet(saved(network, tmp_path))), Brightness()], CPU)
    evaluation.add(range(9), some_videos(9))
    lost, other = evaluation.figures()
    assert re.search(told, lost.missing) and "\n" not in lost.missing and other.value is not None


def test_a_folder_that_holds_no_network_is_told(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        VideoNet(str(tmp_path / "nowhere")).load(CPU)
    with pytest.raises(ValueError, match="holds no video network"):
        VideoNet(str(tmp_path)).load(CPU)
    chain = video_net_model.build()
    video_net_model.save(chain, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["layers"].pop()
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"holds no video network .*Unexpected key.*layers\.4"):
        VideoNet(str(tmp_path)).load(CPU)
