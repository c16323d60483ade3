"""Models of open_clip by name or folder, and what is wrong when one cannot be had."""

from pathlib import Path
from typing import Any

LOCAL_PREFIX = "local-dir:"
HUB_PREFIX = "hf-hub:"


def load_open_clip(model: str, pretrained: str | None, device: str) -> tuple[Any, Any]:
    """The model, ready to be asked, and what makes a PIL picture its input; bfloat16 on a GPU, float32 on a CPU.

    Args:
        model: `ViT-L-14`, `hf-hub:<owner>/<name>` or `local-dir:<folder>`, as open_clip names models.
        pretrained: tag or file of the weights, where the name does not imply them.
        device: `cpu` or `cuda`.

    Raises:
        ValueError: it cannot be loaded; names it and the way out.
    """
    import open_clip

    precision = "pure_bf16" if device.startswith("cuda") else "fp32"
    try:
        made: Any = open_clip.create_model_from_pretrained(model, pretrained, precision=precision, device=device)
    except Exception as error:  # a hub, a cache, a file: each library raises its own
        raise ValueError(
            f"model {model!r} with pretrained {pretrained!r} cannot be loaded ({type(error).__name__}: {error}). "
            f"With no network name a local copy: model: {LOCAL_PREFIX}<folder>"
        ) from error
    loaded, preprocess = made
    dtype = open_clip.get_input_dtype(precision)  # not that of any weight: some stay in float32
    return loaded.eval(), lambda picture: preprocess(picture).to(dtype)


def check_open_clip(model: str, pretrained: str | None) -> dict:
    """Sees that a model can be had, and gives its architecture; downloads weights that come from a hub.

    Raises:
        ValueError: it cannot; names it and the way out.
    """
    import open_clip

    if not model.startswith(LOCAL_PREFIX):
        load_open_clip(model, pretrained, "cpu")
    elif not Path(model.removeprefix(LOCAL_PREFIX)).is_dir():
        raise ValueError(f"there is no folder {model}; paths count from the folder where the command runs")
    try:
        return open_clip.get_model_config(model) or {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{model} is no model of open_clip ({type(error).__name__}: {error})") from error


def weights_file(model: str, pretrained: str | None) -> dict[str, Path | None]:
    """The file of a hub's weights in the cache of this machine, by the key `weights`; None while it is not there.

    Of a local model nothing: its files are named by the configuration itself.
    """
    if model.startswith(LOCAL_PREFIX) or (pretrained and Path(pretrained).exists()):
        return {}
    if model.startswith(HUB_PREFIX):
        return {"weights": _in_hub_cache(model.removeprefix(HUB_PREFIX))}
    import open_clip

    told = open_clip.get_pretrained_cfg(model, pretrained or "")
    repository, _, name = told.get("hf_hub", "").rpartition("/")
    if repository:
        return {"weights": _in_hub_cache(repository, name)}
    file = Path("~/.cache/clip").expanduser() / Path(told.get("url", "none")).name  # where open_clip puts it
    return {"weights": file if file.is_file() else None}


def _in_hub_cache(repository: str, name: str = "") -> Path | None:
    """The file that open_clip would take: safetensors before other forms."""
    from huggingface_hub import try_to_load_from_cache
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

    names = [Path(name).with_suffix(".safetensors").name, name] if name else [HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME]
    found = (try_to_load_from_cache(repository, candidate) for candidate in names)
    return next((Path(file) for file in found if isinstance(file, str)), None)
