"""Captions by tiny models that look at frames: what they are shown, and that they say what they learned of it."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny_models import new_picture_model, new_video_model, save_chat

from curation.next_token import Decoding
from curation.scorers.video_caption import VideoCaption, spread, times_of

RED, BLUE = (250, 20, 20), (20, 20, 250)
FILMS = {"red": [RED] * 4, "blue": [BLUE] * 4, "red, then blue": [RED, RED, BLUE, BLUE]}
PROMPT = "What?"
NEW = {"video": new_video_model, "pictures": new_picture_model}


def clip(colours: list[tuple[int, int, int]], start_s: float = 7.0) -> list[tuple[float, np.ndarray]]:
    return [(start_s + k / 2, np.full((40, 60, 3), colour, np.uint8)) for k, colour in enumerate(colours)]


def ids(count: int) -> pa.Table:
    return pa.table({"clip_id": [f"clip-{number}" for number in range(count)]})


def captioner(model: str, **settings) -> VideoCaption:
    return VideoCaption(model=model, prompt=PROMPT, **{"decoding": Decoding(max_tokens=16), **settings})


def teach(writer) -> None:
    """Learns FILMS by heart, from exactly what the scorer shows."""
    model, tokenizer = writer._model._model, writer._model._tokenizer
    inputs = writer._model._inputs(*writer.questions([clip(colours) for colours in FILMS.values()]))
    tokenizer.padding_side = "right"
    answers = tokenizer([f"{text}<|im_end|>" for text in FILMS], padding=True, return_tensors="pt")
    tokenizer.padding_side = "left"
    prompt, answer, mask = inputs.pop("input_ids"), answers["input_ids"], answers["attention_mask"]
    inputs["attention_mask"] = torch.cat([inputs["attention_mask"], mask], dim=1)
    if "mm_token_type_ids" in inputs:
        inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(answer)], dim=1)
    labels = torch.cat([torch.full_like(prompt, -100), torch.where(mask == 1, answer, -100)], dim=1)
    optimizer = torch.optim.Adam(model.train().parameters(), lr=1e-2)
    for _ in range(120):
        loss = model(input_ids=torch.cat([prompt, answer], dim=1), labels=labels, **inputs).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.03:
            break
    model.eval()


@pytest.fixture(scope="module", params=list(NEW))
def taught(request, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp(request.param)
    name = save_chat(folder, *NEW[request.param]())
    writer = captioner(name).load()
    teach(writer)
    return save_chat(folder, writer._model._model, writer._model._processor)


def test_it_says_what_it_learned_of_the_frames(taught):
    scorer = captioner(taught)
    scorer.prepare()
    films = ["blue", "red, then blue", "red", "blue"]
    columns = scorer.build()(ids(5), [*(clip(FILMS[film]) for film in films), []])
    assert columns == {"caption_video": [*films, None], "error": [None] * 4 + ["no proxy frame"]}


def test_neither_the_batch_nor_the_neighbours_change_a_caption(taught):
    frames = [clip(colours) for colours in (*FILMS.values(), [RED] * 9, [BLUE])]  # of several lengths
    for decoding in (Decoding(max_tokens=8), Decoding(max_tokens=8, top_p=0.95, temperature=3.0)):
        together = captioner(taught, decoding=decoding).build()(ids(5), frames)
        assert captioner(taught, decoding=decoding, batch_size=1).build()(ids(5), frames) == together
    assert all(together["caption_video"]) and len(set(together["caption_video"])) == 5


def test_frames_are_spread_from_the_first_to_the_last():
    frames = [(float(k), np.zeros(1)) for k in range(12)]
    assert [time_s for time_s, _ in spread(frames, 4)] == [0, 4, 7, 11]
    assert [time_s for time_s, _ in spread(frames, 99)] == list(range(12))
    assert [time_s for time_s, _ in spread(frames, 1)] == [0]


def test_times_are_told_as_they_are():
    from transformers.video_utils import VideoMetadata

    uneven = [(time_s, np.zeros(1)) for time_s in (7.0, 7.5, 8.25, 9.0)]
    told = VideoMetadata(**times_of(uneven))
    assert told.timestamps == [0, 0.5, 1.25, 2.0]
    assert told.sampled_fps == pytest.approx(3 / 2.0, rel=1e-3), "three steps in two seconds"
    assert VideoMetadata(**times_of(uneven[:1])).sampled_fps == 1


def tiny() -> VideoCaption:
    """A tiny video model with random weights."""
    import tempfile
    from pathlib import Path

    model = save_chat(Path(tempfile.mkdtemp()), *new_video_model())
    return VideoCaption(model=model, decoding=Decoding(max_tokens=6, top_p=0.9))
