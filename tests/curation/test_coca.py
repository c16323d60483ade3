"""CoCa that was taught a few captions by heart, and what it says when it is asked."""

import numpy as np
import open_clip
import pyarrow as pa
import pytest
import torch
from PIL import Image
from tiny_models import new_coca, save_coca

from curation.guard import describe
from curation.next_token import Decoding
from curation.safe_score import SafeScore
from curation.scorers.coca import Coca

CAPTIONS = {"red": "a red wall, and nothing else.", "green": "green grass!", "blue": "the sky"}
COLOURS = {"red": (250, 20, 20), "green": (20, 200, 20), "blue": (30, 60, 250)}


def picture(colour: str, width: int = 60) -> np.ndarray:
    return np.full((40, width, 3), COLOURS[colour], np.uint8)


def clip(colour: str, num: int = 3, width: int = 60) -> list[tuple[float, np.ndarray]]:
    """Frames that are black but for the middle one."""
    frames = [(number / 2, np.zeros((40, width, 3), np.uint8)) for number in range(num)]
    frames[num // 2] = (num // 2 / 2, picture(colour, width))
    return frames


def ids(count: int) -> pa.Table:
    return pa.table({"clip_id": [f"clip-{number}" for number in range(count)]})


def teach(model, preprocess, tokenizer) -> None:
    """Learns CAPTIONS by heart, by open_clip's own loss: each token from those before it."""
    images = torch.stack([preprocess(Image.fromarray(picture(colour))) for colour in CAPTIONS])
    tokens = tokenizer(list(CAPTIONS.values()))
    optimizer = torch.optim.Adam(model.train().parameters(), lr=1e-2)
    for _ in range(60):
        out = model(images, tokens)
        loss = torch.nn.functional.cross_entropy(out["logits"].transpose(1, 2), out["labels"], ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.fixture(scope="session")
def taught(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("coca")
    name = save_coca(folder)
    model, preprocess = open_clip.create_model_from_pretrained(name)
    teach(model, preprocess, open_clip.get_tokenizer(name))
    return save_coca(folder, model)


def test_it_says_what_it_learned_of_the_middle_frame(taught):
    scorer = Coca(model=taught)
    scorer.prepare()
    colours = ["blue", "red", "green", "red"]
    columns = scorer.build()(ids(4), [clip(colour, num) for colour, num in zip(colours, (3, 1, 4, 2), strict=True)])
    assert columns == {"caption_coca": [CAPTIONS[colour] for colour in colours], "error": [None] * 4}


def test_neither_the_batch_nor_the_neighbours_change_a_caption(taught):
    frames = [clip(colour) for colour in ("blue", "red", "green")]
    for decoding in (Decoding(), Decoding(max_tokens=8, top_p=0.95, temperature=2.0)):
        together = Coca(model=taught, decoding=decoding).build()(ids(3), frames)
        one = Coca(model=taught, decoding=decoding, batch_size=1).build()
        assert one(ids(3), frames) == together
        assert one(ids(3).slice(2), frames[2:])["caption_coca"] == together["caption_coca"][2:]
    other = Decoding(max_tokens=8, top_p=0.95, temperature=2.0, seed=1)
    assert Coca(model=taught, decoding=other).build()(ids(3), frames) != together


def test_it_is_cut_off_at_max_tokens(taught):
    columns = Coca(model=taught, decoding=Decoding(max_tokens=3)).build()(ids(2), [clip("red"), clip("blue")])
    assert columns["caption_coca"] == ["a red wall", "the sky"]


def test_it_writes_no_more_than_the_model_can(tmp_path):
    score = Coca(model=save_coca(tmp_path), decoding=Decoding(max_tokens=500, top_p=1.0), max_chars=9999).build()
    columns = score(ids(2), [clip("red"), clip("blue")])
    assert columns["error"] == [None, None] and all(columns["caption_coca"])


def test_no_frame_and_no_clip(taught):
    score = Coca(model=taught).build()
    assert score(ids(2), [[], clip("blue")]) == {"caption_coca": [None, "the sky"], "error": ["no proxy frame", None]}
    assert score(ids(0), []) == {"caption_coca": [], "error": []}


def test_a_model_that_says_nothing_leaves_the_reason(tmp_path):
    model = new_coca()
    torch.nn.init.zeros_(model.text_decoder.text_projection)  # all tokens alike: the first, which is padding, wins
    columns = Coca(model=save_coca(tmp_path, model)).build()(ids(1), [clip("red")])
    assert columns == {"caption_coca": [None], "error": ["the model said nothing"]}


def test_the_engine_takes_its_column_by_its_source(taught):
    scorer = Coca(model=taught, source="coca_xl")
    table = SafeScore("my_coca", scorer)(ids(1), [clip("green")])
    assert table.column_names == ["clip_id", "caption_coca_xl", "my_coca_error"]
    assert table["caption_coca_xl"].to_pylist() == ["green grass!"]
    assert b"coca_xl" in (table.schema.field("caption_coca_xl").metadata or {})[b"doc"]


def test_a_source_must_fit_into_a_name():
    with pytest.raises(ValueError, match="source: 'V-BLIP 2'"):
        Coca(source="V-BLIP 2")


def test_what_is_no_coca_is_refused_before_any_work(tmp_path):
    with pytest.raises(ValueError, match="is no CoCa"):
        Coca(model="local-dir:curation/demo/weights/clip").prepare()
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
        Coca(model=f"local-dir:{tmp_path}/nowhere").prepare()
    with pytest.raises(ValueError, match=r"coca_ViT-Q-77.* cannot be loaded"):
        Coca(model="coca_ViT-Q-77").prepare()


def test_the_checkpoint_of_a_hub_decides_and_a_local_one_is_named_by_the_configuration(taught, tmp_path, monkeypatch):
    cache: dict[tuple[str, str], str] = {}
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, name: cache.get((repo, name)))
    tagged = Coca(pretrained="mscoco_finetuned_laion2b_s13b_b90k")
    assert tagged.weights() == {"weights": None}
    before, file = describe(tagged), tmp_path / "open_clip_model.safetensors"
    told = open_clip.get_pretrained_cfg(tagged.model, tagged.pretrained)
    cache[told["hf_hub"].rstrip("/"), file.name] = str(file)
    file.write_bytes(b"one")
    assert tagged.weights() == {"weights": file}
    one = describe(tagged)
    file.write_bytes(b"two")
    assert len({str(made) for made in (before, one, describe(tagged))}) == 3
    assert Coca(model=taught).weights() == {} == Coca(pretrained=str(file)).weights()


def test_bfloat16_goes_through(taught, monkeypatch):
    """What a GPU computes in, tried on the CPU."""
    load = open_clip.create_model_from_pretrained
    in_bf16 = {"precision": "pure_bf16"}
    monkeypatch.setattr(open_clip, "create_model_from_pretrained", lambda *a, **k: load(*a, **k | in_bf16))
    monkeypatch.setattr(open_clip, "get_input_dtype", lambda precision: torch.bfloat16)
    columns = Coca(model=taught).build()(ids(3), [clip(colour) for colour in CAPTIONS])
    assert columns["caption_coca"] == list(CAPTIONS.values())


def tiny() -> Coca:
    """A tiny CoCa with random weights."""
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp())
    return Coca(model=save_coca(folder), decoding=Decoding(max_tokens=4, top_p=0.9))
