"""What becomes of what a model said."""

import pytest

from curation.caption_text import NoCaption, tidy

PEOPLE_SAY = [  # and a model may read it off a picture
    "no, no, no!",
    "a sign that reads 100000000",
    "Walla Walla, Walla Walla",
    "a man sings na na na na na na na na",
    "a crowd shouts go, go, go, go, go",
    "a clock goes tick tock tick tock tick tock tick tock",
    "WOW!!!!!!!!!!",
    "a baby says mamamamamama",
    "哈哈哈哈哈哈哈哈",
    "观众喊加油加油加油加油",
    "ドドドドドドド",
    "ผู้ชายพิมพ์ 5555555555",
    "คนเดินเร็วๆๆๆ ในสวน",
    "一只猫在跑，一只狗在跑，一只鸟在跑",
    "row row row your boat, row row row your boat, row row row your boat",
]


def said(text: str, finished: bool = True, max_chars: int = 200) -> str:
    return tidy(text, finished, max_chars)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("  a man\n walks \t on ", "a man walks on"),
        ("a\x00 man \ufffd\x1b", "a man"),
        ("一只猫在跑。", "一只猫在跑。"),
        ("very very very fast", "very very very fast"),
        *((text, text) for text in PEOPLE_SAY),
    ],
)
def test_a_caption_is_one_line_and_else_left_as_it_is(text, wanted):
    assert said(text) == wanted


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\ufffd", "\x7f\x9f"])
def test_nothing_is_no_caption(text):
    with pytest.raises(NoCaption, match="said nothing"):
        said(text)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("a dog runs" + " runs" * 11, "runs"),
        ("a dog, a dog, a dog, a dog, a dog, a dog", "a dog"),
        ("here is a man, and a dog, and a dog, and a dog, and a dog, and a", "and a dog|a dog and|dog and a"),
        ("Up and down up and down. Up and down, up and down", "up and down"),
        ("好的" * 20, "好 的|的 好"),
        ("一只猫在跑。" * 4, "一 只 猫 在 跑"),
        ("ねこがはしる、" * 4, "ね こ が は し る"),
        ("แมววิ่ง" * 6, ".* .*"),
        ("a picture " + "!" * 30, "!"),
        ("a picture " + "ha" * 20, "ha|ah"),
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
