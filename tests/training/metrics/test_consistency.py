"""Consistency of frames: VBench's cosines by hand, with the demo CLIP, and with a tiny ViT in DINO's place."""

import pytest
import torch
from torch.nn.functional import normalize
from transformers import ViTConfig, ViTModel

from training.metrics.consistency import BackgroundConsistency, SubjectConsistency, consistency
from training.metrics.metric import Videos
from training.metrics.open_clip_frames import OpenClip

CLIP = OpenClip("local-dir:curation/demo/weights/clip")
CPU = torch.device("cpu")


def noise(number=2, frames=4, height=20, width=30) -> Videos:
    drawn = torch.randint(
        0, 255, (number, frames, height, width, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    return Videos(drawn, [""] * number, 8.0)


def test_cosines_are_to_the_first_and_the_previous_frame():
    """Unit vectors at 0, 60 and 180 degrees: (0.5 + 0.5) / 2, then (0 for -1, and 0 for -0.5)."""
    angles = torch.deg2rad(torch.tensor([0.0, 60.0, 180.0]))
    seen = torch.stack([angles.cos(), angles.sin()], dim=1)[None]
    assert consistency(seen).tolist() == pytest.approx([0.25])
    assert consistency(seen[:, [0, 0, 0]]).tolist() == pytest.approx([1])
    assert consistency(seen[:, [0, 1, 1]]).tolist() == pytest.approx([(0.5 + (0.5 + 1) / 2) / 2])
    with pytest.raises(ValueError, match="one frame"):
        consistency(seen[:, :1])


def test_still_videos_have_one_and_cuts_less():
    videos = noise()
    still, cut = videos.frames.clone(), videos.frames.clone()
    still[:] = still[:, :1]
    cut[:, 2:] = 255 - cut[:, 2:] // 3
    measure = BackgroundConsistency(CLIP).load(CPU)
    assert measure(Videos(still, videos.captions, 8.0)).tolist() == pytest.approx([1, 1])
    assert (measure(Videos(cut, videos.captions, 8.0)) < measure(videos)).all()


def test_clip_may_stand_in_for_dino_and_the_protocol_says_so():
    subject, background = SubjectConsistency(clip=CLIP), BackgroundConsistency(CLIP)
    assert torch.equal(subject.load(CPU)(noise()), background.load(CPU)(noise()))
    assert "CLIP clip with its own preprocessing in place of DINO" in subject.protocol
    assert subject.weights() == background.weights()


def test_dino_is_taken_by_its_first_token(tmp_path):
    config = ViTConfig(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
    torch.manual_seed(0)
    model = ViTModel(config, add_pooling_layer=False).eval()
    model.save_pretrained(tmp_path / "dino")
    videos = noise(height=224, width=320)
    subject = SubjectConsistency(str(tmp_path / "dino"))
    with torch.no_grad():
        found = subject.load(CPU)(videos)
        scaled = videos.frames[1].permute(0, 3, 1, 2).float() / 255
        pixels = (scaled - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
            [0.229, 0.224, 0.225]
        ).view(3, 1, 1)
        tokens = model(pixels, interpolate_pos_encoding=True).last_hidden_state[:, 0]
    assert found[1].item() == pytest.approx(consistency(normalize(tokens, dim=-1)[None]).item(), abs=1e-5)
    assert "DINO dino, short side 224 px" in subject.protocol and subject.weights() == tmp_path / "dino"


def test_without_a_network_the_metric_says_so():
    with pytest.raises(ValueError, match="name its folder as `dino`"):
        SubjectConsistency().load(CPU)
    with pytest.raises(ValueError, match="needs DINO 'nowhere'"):
        SubjectConsistency("nowhere").load(CPU)
