"""What a model said, made a caption: one line of text, or the reason why it is none."""

import math
import re
from collections.abc import Sequence

MAX_SHOWN = 80
LONGEST_PHRASE = 40  # words, or letters where it is letters that come again
TIMES, WORDS = 4, 12  # a phrase of one word is said twelve times before it is surely no caption, of three words four
LETTERS = 24  # of one word that says no more, such as `!!!!!!!!`
_WHOLE_SENTENCES = re.compile(r"^.*(?:[.!?…]['\"”’)]*(?=\s|$)|[。！？])", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]")
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")  # a letter of a script without spaces counts as one


class NoCaption(ValueError):
    """A clip gets no caption from this model; the message is the reason."""


def tidy(said: str, finished: bool, max_chars: int) -> str:
    """One line without marks that cannot be printed.

    Args:
        said: what the model wrote.
        finished: whether the model came to an end by itself; else what follows its last whole sentence is left out.
        max_chars: a longer text is none, since it would be cut at a place that nobody chose.

    Raises:
        NoCaption: nothing is left, or it says one phrase again and again to its end, or it is too long.
    """
    text = " ".join(_UNPRINTABLE.sub(" ", said).split())
    if not text:
        raise NoCaption("the model said nothing")
    if again := _loop(text):
        raise NoCaption(f"the model repeats itself: {again[:MAX_SHOWN]}")
    if not finished and (whole := _WHOLE_SENTENCES.search(text)):
        text = whole[0]
    if len(text) > max_chars:
        raise NoCaption(f"the model said {len(text)} characters, more than max_chars: {text[:MAX_SHOWN]}")
    return text


def _loop(text: str) -> str:
    """What the text says again and again up to its end; nothing where it does not. Its last word may be cut off.

    People repeat themselves too ("Walla Walla, Walla Walla", "100000000"), so what counts is how long it goes on.
    """
    words = _WORD.findall(text.casefold())
    for said in (words, words[:-1]):
        if length := _period(said, WORDS):
            return " ".join(said[-length:])
    length = _period(text.split()[-1], LETTERS)
    return text[-length:] if length else ""


def _period(said: Sequence[str], least: int) -> int:
    """Length of the shortest piece that, said again and again, makes up at least so much of the end; 0 without one."""
    for length in range(1, min(LONGEST_PHRASE, len(said) // TIMES) + 1):
        end = said[-length * max(TIMES, math.ceil(least / length)) :]
        if len(end) >= least and end[length:] == end[:-length]:
            return length
    return 0
