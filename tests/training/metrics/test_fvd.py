"""The four ways of videos into I3D, on a stand-in that tells what came in."""

import pytest
import torch
from networks import I3d, Inception, saved

from training.metrics.evaluation import Evaluation
from training.metrics.fvd import FrechetVideoDistance
from training.metrics.metric import Videos
from training.run import file_hash

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def i3d(tmp_path_factory) -> str:
    return saved(I3d(), tmp_path_factory.mktemp("i3d"))


def ramp(frames=17, height=32, width=48, number=3) -> Videos:
    """Gray rises from 0 to 255 from left to right; later frames than the sixteenth are white."""
    columns = torch.linspace(0, 255, width).round().to(torch.uint8)
    videos = columns[None, None, None, :, None].expand(number, frames, height, width, 3).clone()
    videos[:, 16:] = 255
    return Videos(videos, [""] * number, 8.0)


def features(path: str, variant, videos: Videos) -> torch.Tensor:
    return FrechetVideoDistance(path, variant, batch_size=2).load(CPU)(videos)


@pytest.mark.parametrize(
    ("variant", "size", "came"),
    [
        ("stylegan-v", (32, 48), [32, 48, 16, 1]),
        ("videogpt", (32, 48), [224, 224, 16, 0]),
        ("videogpt", (48, 32), [224, 224, 16, 0]),
        ("tats", (32, 48), [224, 224, 16, 0]),
        ("svd", (320, 576), [240, 320, 16, 1]),
        ("svd", (64, 115), [240, 320, 16, 1]),
    ],
)
def test_each_way_resizes_and_scales_as_it_says(i3d, variant, size, came):
    found = features(i3d, variant, ramp(17, *size))
    assert found.shape == (3, 400) and found[0, :4].tolist() == came
    height, width = size
    cut = {"svd": (432 - 320) / 432, "videogpt": max(0, 1 - height / width)}.get(
        variant, 0
    )  # of the ramp, half at each end
    assert found[0, 4].item() == pytest.approx(-1 + cut, abs=0.02)
    assert found[0, 5].item() == pytest.approx(1 - cut, abs=0.02)
    assert found[0, 6].item() == pytest.approx(0, abs=0.01), "the seventeenth frame, white, is not seen"


def test_frames_of_another_shape_are_not_those_of_svd(i3d):
    with pytest.raises(ValueError, match="576x320 px or their shape, not 48x32"):
        features(i3d, "svd", ramp())


def test_shorter_videos_are_said_to_be_so(i3d):
    with pytest.raises(ValueError, match="videos have 8 frames, and it takes 16"):
        features(i3d, "stylegan-v", ramp(frames=8))


def test_the_figure_tells_its_way_and_its_weights(i3d):
    evaluation = Evaluation([FrechetVideoDistance(i3d), FrechetVideoDistance(i3d, "tats", name="fvd_tats")], CPU)
    noise = torch.randint(0, 255, (12, 16, 8, 8, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    videos = Videos(noise, [""] * 12, 8.0)
    evaluation.add(range(12), videos)
    evaluation.add(range(12), videos, is_real=True)
    same, other = evaluation.figures()
    assert same.value == pytest.approx(0, abs=1e-6) and other.value == pytest.approx(0, abs=1e-6)
    assert same.weights_hash == file_hash(FrechetVideoDistance(i3d).weights())
    assert same.protocol.startswith("FVD, stylegan-v:") and "rescale=True, resize=True" in same.protocol
    assert other.protocol.startswith("FVD, tats:") and "224x224" in other.protocol
    assert "first 16 frames; covariances by N-1; videos of 16x8x8 at 8 fps" in same.protocol
    assert "12 videos for 400 features" in same.caution


def test_distances_grow_with_what_is_added(i3d):
    noise = torch.randint(0, 200, (30, 16, 8, 8, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = []
    for added in (0, 10, 40):
        evaluation = Evaluation([FrechetVideoDistance(i3d)], CPU)
        evaluation.add(range(30), Videos(noise, [""] * 30, 8.0), is_real=True)
        evaluation.add(range(30), Videos(noise + added, [""] * 30, 8.0))
        found.append(evaluation.figures()[0].value)
    assert found == sorted(found) and found[2] == pytest.approx(16 * found[1], rel=0.01), "the square of the shift"


def test_without_weights_the_metric_says_so(tmp_path):
    text, other = tmp_path / "text.pt", tmp_path / "other.pt"
    text.write_text("no network")
    torch.save({"a": torch.zeros(1)}, other)
    metrics = [FrechetVideoDistance(path, name=str(path)) for path in (None, "nowhere/i3d.pt", str(text), str(other))]
    told = [figure.missing for figure in Evaluation(metrics, CPU).figures()]
    assert "needs the weights of I3D" in told[0] and "none is named" in told[0] and "`path`" in told[0]
    assert "no file 'nowhere/i3d.pt'" in told[1]
    assert "is no TorchScript file" in told[2] and "cannot be loaded" in told[3]
    assert all(figure.weights_hash == "" for figure in Evaluation(metrics, CPU).figures())


def test_a_network_that_is_called_otherwise_is_told(tmp_path):
    found = Evaluation([FrechetVideoDistance(saved(Inception(), tmp_path))], CPU).figures()[0]
    assert "is not called as I3D" in found.missing and "with rescale, resize, return_features" in found.missing
