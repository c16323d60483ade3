"""Embeddings of frames: as diffusers' pipeline computes them, from weights of either layout."""

import open_clip
import pytest
import torch
from diffusers.pipelines.stable_video_diffusion import pipeline_stable_video_diffusion as release
from transformers import CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection

from training.image_encoder import ClipImage, OpenClipImage, as_transformers, resized

CLIP = "curation/demo/weights/clip"


@pytest.fixture(scope="module")
def demo():
    encoder = OpenClipImage(CLIP)
    encoder.load(torch.device("cpu"), torch.float32)
    return encoder


@pytest.mark.parametrize("size", [(64, 96), (300, 500), (224, 224), (577, 1023)])
def test_resizing_is_that_of_the_release(size):
    pixels = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = release._resize_with_antialiasing(pixels, (224, 224))
    assert torch.allclose(resized(pixels, 224), expected, atol=1e-5)


def test_both_layouts_of_a_tower_give_equal_embeddings(demo):
    model = open_clip.create_model(f"local-dir:{CLIP}", require_pretrained=True).eval()
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = model.encode_image(pixels), demo.model(pixels).image_embeds
    assert torch.allclose(found, expected, atol=1e-5) and expected.std() > 0.1


def test_embeddings_are_those_of_the_released_pipeline(demo, tmp_path):
    """Its own code, called with this encoder in the place of its parts."""
    from PIL import Image
    from transformers import CLIPImageProcessor

    demo.model.save_pretrained(tmp_path)
    encoder = ClipImage(str(tmp_path))
    encoder.load(torch.device("cpu"), torch.float32)
    frame = torch.randint(0, 256, (64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    pipeline = release.StableVideoDiffusionPipeline.__new__(release.StableVideoDiffusionPipeline)
    object.__setattr__(pipeline, "image_encoder", encoder.model)
    object.__setattr__(pipeline, "feature_extractor", CLIPImageProcessor())
    object.__setattr__(pipeline, "video_processor", release.VideoProcessor(do_resize=True, vae_scale_factor=8))
    with torch.no_grad():
        expected = pipeline._encode_image(Image.fromarray(frame.numpy()), torch.device("cpu"), 1, False)
    found = encoder.encode(frame[None])
    assert found.shape == (1, 1, 128) and torch.allclose(found, expected, atol=1e-5)


def test_weights_that_cannot_be_had_or_do_not_fit_are_told(tmp_path):
    with pytest.raises(ValueError, match=r"image encoder .* cannot be loaded .*image_encoder\.init_args\.path"):
        ClipImage(str(tmp_path / "none")).load(torch.device("cpu"), torch.float32)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    CLIPVisionModelWithProjection(CLIPVisionConfig(image_size=64, patch_size=32, **shape)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="sees 64 px, not 224"):
        ClipImage(str(tmp_path)).load(torch.device("cpu"), torch.float32)
    CLIPVisionModel(CLIPVisionConfig(image_size=224, patch_size=56, **shape)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="lacks 1 of its weights"):
        ClipImage(str(tmp_path)).load(torch.device("cpu"), torch.float32)


def test_a_tower_with_other_layers_is_refused():
    tower = open_clip.model._build_vision_tower(  # pyright: ignore[reportAttributeAccessIssue]
        16, {"image_size": 224, "patch_size": 56, "width": 32, "layers": 1, "head_width": 16, "ls_init_value": 0.1}
    )
    with pytest.raises(ValueError, match="not those of a plain ViT"):
        as_transformers(tower)
