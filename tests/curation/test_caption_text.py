"""What becomes of what a model said."""

import pytest

from curation.caption_text import NoCaption, tidy


def said(text: str, finished: bool = True, max_chars: int = 200) -> str:
    return tidy(text, finished, max_chars)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("  a man\n walks \t on ", "a man walks on"),
        ("a\x00 man \ufffd\x1b", "a man"),
        ("一只猫在跑。", "一只猫在跑。"),
        ("very very very fast", "very very very fast"),
        ("no, no, no!", "no, no, no!"),
    ],
)
def test_a_caption_is_one_line_and_else_left_as_it_is(text, wanted):
    assert said(text) == wanted


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\ufffd"])
def test_nothing_is_no_caption(text):
    with pytest.raises(NoCaption, match="said nothing"):
        said(text)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("a dog runs runs runs runs", "runs"),
        ("here is a man, and a dog, and a dog, and a dog, and a dog, and a", "and a dog|a dog and|dog and a"),
        ("Up and down up and down. Up and down, up and down", "up and down"),
        ("好的" * 20, "好的|的好"),
        ("a picture !!!!!!!!!!", "!"),
    ],
)
def test_endless_repetition_is_no_caption_and_is_named(text, piece):
    with pytest.raises(NoCaption, match=f"repeats itself: ({piece})$"):
        said(text)


def test_what_follows_the_last_whole_sentence_is_left_out_only_where_the_model_was_cut_off():
    text = "A man walks. He says “hello.” Then he tu"
    assert said(text, finished=False) == "A man walks. He says “hello.”"
    assert said(text) == text
    assert said("a man walks on a", finished=False) == "a man walks on a", "there is no whole sentence"
    assert said("costs 3.50 at", finished=False) == "costs 3.50 at", "a point within a number ends nothing"
    assert said("猫在跑。狗也", finished=False) == "猫在跑。"


def test_a_text_that_is_too_long_is_no_caption():
    words = "a " + " ".join(str(number) for number in range(3000))[:9997] + "."
    assert len(words.strip()) == 10_000
    with pytest.raises(NoCaption, match=r"said 10000 characters, more than max_chars: a 0 1 2"):
        said(words, max_chars=2000)
    assert said(words, max_chars=10_000) == words
