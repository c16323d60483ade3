"""A recipe of two stages that trains in seconds: random autoencoder, the demo CLIP, a few gray clips."""

from pathlib import Path

import torch
import yaml
from clipset import gray_clip, put_set
from diffusers import AutoencoderKL

from shards.store import write_json

FAMILIES = {
    "svd": {
        "class_path": "training.denoisers.svd_unet.SvdUnet",
        "init_args": {
            "block_out_channels": [64, 64],  # of 32 each group of the norms is one channel, and magnifies rounding
            "layers_per_block": 1,
            "num_attention_heads": 2,
            "cross_attention_dim": 64,
            "num_micro": 2,
            "addition_time_embed_dim": 16,
        },
    },
    "cogvideox": {
        "class_path": "training.denoisers.cogvideox.CogVideoX",
        "init_args": {
            "num_layers": 1,
            "num_attention_heads": 2,
            "attention_head_dim": 16,
            "in_channels": 4,
            "out_channels": 4,
            "time_embed_dim": 32,
            "text_embed_dim": 64,
            "patch_size": 1,
            "num_micro": 2,
            "micro_embed_dim": 16,
        },
    },
}


class TinyRecipe:
    """Folders of a recipe, its shards and its runs, and the command line that trains it."""

    def __init__(self, root: Path, family: str = "svd", samples_per_stage: int = 16) -> None:
        self.recipe, self.shards, self.runs = root / "tiny", root / "shards", root / "runs"
        self._write_codec(root / "vae")
        self.recipe.mkdir()
        base = {
            "model": {
                "denoiser": FAMILIES[family],
                "codec": {"class_path": "training.codec.DiffusersCodec", "init_args": {"path": str(root / "vae")}},
                "text": {
                    "class_path": "training.text.OpenClipText",
                    "init_args": {"model": "local-dir:curation/demo/weights/clip"},
                },
                "conditioning": {"micro": [{"source": "fps"}, {"source": "scores.motion"}]},
                "objective": {"sigma": {"class_path": "training.objective.LogNormal"}},
                "optimizer": {"learning_rate": 1e-3},
                "ema_decay": 0.9,
                "sampler": {"num_steps": 2},
                "guidance": {"class_path": "training.guidance.ConstantGuidance", "init_args": {"scale": 2}},
            },
            "data": {"shards": str(self.shards), "batch_size": 2},
            "trainer": {"accelerator": "cpu"},
            "num_samples": samples_per_stage,
            "watch": {"numbers_every": 4, "held_out_every": 8, "videos_every": 0, "checkpoint_every": 2},
        }
        self.write("base", base)
        image = {"data": {"buckets": [{"num_frames": 1, "height": 16, "width": 24}]}}
        self.write("1", image | ({"model": {"trainable": ["^spatial/"]}} if family == "svd" else {}))
        video = {"data": {"buckets": [{"num_frames": 4, "height": 16, "width": 24}]}}
        self.write("2", video | {"init_from": "1", "watch": {"captions": ["a cat"]}})

    def write(self, name: str, config: dict) -> None:
        (self.recipe / f"{name}.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def pack(self, **fields: object) -> None:
        """Six training clips of a second, one of them too short for stage 2, and two held-out ones."""
        clips = [gray_clip(number, **fields) for number in range(5)]
        put_set(self.shards / "pretrain" / "train", [*clips, gray_clip(5, num_frames=4, **fields)])
        put_set(self.shards / "pretrain" / "val", [gray_clip(6, **fields), gray_clip(7, **fields)])
        write_json(self.shards / "pretrain" / "manifest.json", {})

    def train(self, stage: str, *arguments: str) -> list[str]:
        return ["train", "--recipe", str(self.recipe), "--runs", str(self.runs), "--stage", stage, *arguments]

    def sample(self, caption: str, *arguments: str) -> list[str]:
        return ["sample", "--recipe", str(self.recipe), "--runs", str(self.runs), "--caption", caption, *arguments]

    def _write_codec(self, folder: Path) -> None:
        torch.manual_seed(0)
        AutoencoderKL(
            block_out_channels=(4, 4, 4, 4),  # pyright: ignore[reportArgumentType]
            down_block_types=("DownEncoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
            up_block_types=("UpDecoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
            norm_num_groups=2,
            mid_block_add_attention=False,
            scaling_factor=1.0,
        ).save_pretrained(folder)
