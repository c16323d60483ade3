"""What a model said, made a caption: one line of text, or the reason why it is none."""

import re
from collections.abc import Sequence

MAX_SHOWN = 80
LONGEST_LOOP_WORDS, TIMES_WORDS = 16, 4
LONGEST_LOOP_LETTERS, TIMES_LETTERS = 40, 8  # for scripts without spaces
_WHOLE_SENTENCES = re.compile(r"^.*(?:[.!?…]['\"”’)]*(?=\s|$)|[。！？])", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd]")


class NoCaption(ValueError):
    """A clip gets no caption from this model; the message is the reason."""


def tidy(said: str, finished: bool, max_chars: int) -> str:
    """One line without marks that cannot be printed.

    Args:
        said: what the model wrote.
        finished: whether the model came to an end by itself; else what follows its last whole sentence is left out.
        max_chars: a longer text is none, since it would be cut at a place that nobody chose.

    Raises:
        NoCaption: nothing is left, or it repeats itself to its end, or it is too long.
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
    """What the text says again and again up to its end; nothing where it does not. Its last word may be cut off."""
    words = re.findall(r"\w+", text.casefold())
    for said in (words, words[:-1]):
        if length := _period(said, LONGEST_LOOP_WORDS, TIMES_WORDS):
            return " ".join(said[-length:])
    length = _period(text, LONGEST_LOOP_LETTERS, TIMES_LETTERS)
    return text[-length:] if length else ""


def _period(said: Sequence[str], longest: int, times: int) -> int:
    """Length of the shortest piece that makes up the end of a sequence at least so many times; 0 without one."""
    for length in range(1, min(longest, len(said) // times) + 1):
        end = said[-length * times :]
        if end[length:] == end[:-length]:
            return length
    return 0
