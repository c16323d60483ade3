"""The demo CLIP as open_clip builds it: loading, saving, and its preprocessing in two halves.

All of it comes from `weights/clip/open_clip_config.json` by open_clip's own code, so training and use cannot differ.
"""

from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torchvision.transforms import Compose

from curation.demo.clip_data import Resize, Stream, held_out_pairs
from curation.demo.clip_figures import Figures, measure

FOLDER = Path(__file__).parent / "weights" / "clip"
WEIGHTS = "open_clip_model.safetensors"  # the name that open_clip looks for first
_BATCH_SIZE = 64  # pictures a forward pass when measuring


def load(folder: Path = FOLDER, with_weights: bool = True) -> tuple[CLIP, Compose]:
    """Builds the model that a folder describes.

    Args:
        folder: Holds open_clip's JSON and, if asked for, the weights.
        with_weights: False leaves the model at its initial values.

    Returns:
        The model in float32 and the preprocessing of its pictures.
    """
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}", load_weights=with_weights)
    return model, preprocess  # type: ignore[return-value]  # open_clip promises no more than a module and an object


def save(model: CLIP, folder: Path = FOLDER) -> None:
    """Writes the weights in half precision beside the JSON."""
    halves = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(halves, folder / WEIGHTS)


def tokenize(captions: list[str], folder: Path = FOLDER) -> torch.Tensor:
    """Turns captions into the model's tokens: int64 (num_captions, context_length)."""
    return open_clip.get_tokenizer(f"local-dir:{folder}")(captions)


def resizing(preprocess: Compose) -> Resize:
    """Gives the half of the preprocessing that ends in whole numbers: it is done once and kept as bytes."""
    *to_image, _to_tensor, _normalise = preprocess.transforms
    return Compose(to_image)


def as_input(pictures: np.ndarray, preprocess: Compose) -> torch.Tensor:
    """Does the other half of the preprocessing.

    Args:
        pictures: uint8 (N, H, W, 3) RGB, resized.
        preprocess: The model's.

    Returns:
        float32 (N, 3, H, W), normalised.
    """
    normalise = preprocess.transforms[-1]
    return normalise(torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().float().div_(255))


@torch.inference_mode()
def embed_held_out(model: CLIP, preprocess: Compose, num_scenes: int, stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """Embeds scenes that training never saw.

    Args:
        model: The model.
        preprocess: The model's.
        num_scenes: How many to render.
        stream: HELD_OUT or TEST.

    Returns:
        Unit embeddings of first, middle and last frame, float32 (num_scenes, 3, D), and of captions, float32
        (num_scenes, D).
    """
    pairs = held_out_pairs(num_scenes, resizing(preprocess), stream)
    model.eval()
    pictures = pairs.pictures.reshape(-1, *pairs.pictures.shape[2:])  # scenes and frames in one row
    batches = (pictures[start : start + _BATCH_SIZE] for start in range(0, len(pictures), _BATCH_SIZE))
    frames = torch.cat([model.encode_image(as_input(batch, preprocess), normalize=True) for batch in batches])
    captions = model.encode_text(tokenize(pairs.captions), normalize=True)
    return frames.reshape(num_scenes, -1, captions.shape[-1]).numpy(), captions.numpy()


def evaluate(model: CLIP, preprocess: Compose, num_scenes: int, stream: Stream = Stream.HELD_OUT) -> Figures:
    """Measures a model on scenes that training never saw; the arguments are those of `embed_held_out`."""
    return measure(*embed_held_out(model, preprocess, num_scenes, stream))
