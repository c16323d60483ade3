"""Loading models of open_clip."""

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from tiny_models import save_coca

from curation.open_clip_model import check_open_clip, load_open_clip, weights_file

DEMO = "local-dir:curation/demo/weights/clip"


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))


def embedded(model, preprocess) -> torch.Tensor:
    with torch.inference_mode():
        return model.encode_image(preprocess(picture())[None], normalize=True)[0].float()


@pytest.mark.parametrize("name", ["clip", "coca"])
def test_on_a_gpu_all_is_bfloat16_and_fits_together(name, tmp_path, monkeypatch):
    """Tried on the CPU: what is built for a GPU is put there instead."""
    name = DEMO if name == "clip" else save_coca(tmp_path)
    model, preprocess = load_open_clip(name, None, "cpu")
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    exact, load = embedded(model, preprocess), open_clip.create_model_from_pretrained
    here = {"device": "cpu"}
    monkeypatch.setattr(open_clip, "create_model_from_pretrained", lambda *a, **k: load(*a, **k | here))
    model, preprocess = load_open_clip(name, None, "cuda")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert float(embedded(model, preprocess) @ exact) == pytest.approx(1, abs=0.01)


def test_the_architecture_is_told(tmp_path):
    assert "multimodal_cfg" in check_open_clip(save_coca(tmp_path), None)
    assert "multimodal_cfg" not in check_open_clip(DEMO, None)


def test_what_cannot_be_had_is_told_with_the_way_out(tmp_path):
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
        check_open_clip(f"local-dir:{tmp_path}/nowhere", None)
    with pytest.raises(ValueError, match="is no model of open_clip"):
        check_open_clip(f"local-dir:{tmp_path}", None)
    with pytest.raises(ValueError, match=r"'ViT-Q-77' .*cannot be loaded.*local-dir:<folder>"):
        check_open_clip("ViT-Q-77", "openai")


def test_weights_of_a_hub_are_found_where_open_clip_would_take_them(tmp_path, monkeypatch):
    safe = tmp_path / "open_clip_model.safetensors"
    safe.write_bytes(b"weights")
    cache = {("owner/name", safe.name): str(safe)}
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, name: cache.get((repo, name)))
    assert weights_file("hf-hub:owner/name", None) == {"weights": safe}
    assert weights_file("hf-hub:owner/other", None) == {"weights": None}
    assert weights_file("coca_ViT-L-14", "no_such_tag") == {"weights": None}
    assert weights_file(DEMO, None) == {} == weights_file("ViT-L-14", str(safe)), "named by the configuration itself"
