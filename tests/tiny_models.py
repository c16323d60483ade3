"""Models of published architectures, tiny and with random weights, saved in the layout in which they are published."""

import json
from pathlib import Path

import torch

COCA = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 32,
        "layers": 1,
        "width": 32,
        "head_width": 16,
        "patch_size": 8,
        "attentional_pool": True,
        "attn_pooler_heads": 2,
        "output_tokens": True,
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
        "embed_cls": True,
        "output_tokens": True,
    },
    "multimodal_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
        "attn_pooler_heads": 2,
    },
    "custom_text": True,
}


def new_coca(seed: int = 0):
    """A CoCa of open_clip with random weights."""
    from open_clip.coca_model import CoCa

    torch.manual_seed(seed)
    config = {name: value for name, value in COCA.items() if name != "custom_text"}
    model = CoCa(**config)
    torch.nn.init.normal_(model.text_decoder.text_projection, std=0.2)  # open_clip leaves it as the memory was
    return model.eval()


def save_coca(folder: Path, model=None) -> str:
    """Saves it as open_clip publishes models; gives the name by which open_clip loads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": COCA, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    state = {name: tensor.contiguous() for name, tensor in (model or new_coca()).state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LOOK = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
TEXT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LOOK_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}"
    "{% else %}<|vision_start|><|{{ part.type }}_pad|><|vision_end|>{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def new_tokenizer(template: str):
    """Qwen's tokenizer with a token a byte."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    names = [*sorted(ByteLevel.alphabet()), *SPECIAL, *LOOK]
    vocab = {name: number for number, name in enumerate(names)}
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=[], eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.add_special_tokens({"additional_special_tokens": [*SPECIAL, *LOOK]})
    tokenizer.chat_template = template
    return tokenizer


TEXT = {
    "vocab_size": 263,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 4096,
}


def new_language_model(seed: int = 0):
    """Qwen 2 with random weights, and its tokenizer."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = new_tokenizer(TEXT_TEMPLATE)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(Qwen2Config(**TEXT, **ends)).eval(), tokenizer


def new_video_model(seed: int = 0):
    """Qwen 2.5 VL with random weights, and its processor."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer = new_tokenizer(LOOK_TEMPLATE)
    number = tokenizer.convert_tokens_to_ids
    size = {"shortest_edge": 28 * 28, "longest_edge": 56 * 56 * 4}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(patch_size=14, size=size),
        tokenizer,
        Qwen2VLVideoProcessor(patch_size=14, size=size),
        chat_template=LOOK_TEMPLATE,
    )
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32}
    config = Qwen2_5_VLConfig(
        text_config=TEXT
        | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}}
        | {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None},
        vision_config=vision | {"fullatt_block_indexes": [1], "window_size": 56},
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(seed)
    return Qwen2_5_VLForConditionalGeneration(config).eval(), processor


def save_chat(folder: Path, model, processor) -> str:
    """Saves both as transformers publishes them; gives the name by which scorers load them."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return f"local-dir:{folder}"


def new_picture_model(seed: int = 0):
    """LLaVA with random weights, which knows pictures and no video, and its processor."""
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = new_tokenizer(LOOK_TEMPLATE)
    size, pad = {"height": 28, "width": 28}, "<|image_pad|>"
    tokenizer.image_token, tokenizer.image_token_id = pad, tokenizer.convert_tokens_to_ids(pad)
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=size),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        image_token=pad,
        num_additional_image_tokens=1,
        chat_template=LOOK_TEMPLATE,
    )
    vision = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    config = LlavaConfig(
        vision_config=vision,
        text_config={"model_type": "qwen2", **TEXT, **ends},
        image_token_index=tokenizer.image_token_id,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model, processor
