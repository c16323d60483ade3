from dataclasses import dataclass

import numpy as np
import pytest

from curation import answer
from curation.answer import HEAD, BadAnswer, Incoming, packed


@dataclass(frozen=True)
class Clip:
    video: bytes
    rows: list
    fps: float


def received(message: bytes, piece_bytes: int = 7):
    incoming = Incoming()
    while incoming.num_missing:
        piece = message[: min(piece_bytes, incoming.num_missing)]
        assert piece, "more is waited for than was sent"
        incoming.add(piece)
        message = message[len(piece) :]
    assert not message
    return incoming.value()


@pytest.mark.parametrize("piece_bytes", [1, 7, 10**6])
def test_data_arrives_as_it_was_sent(piece_bytes):
    rows = [{"a": None, "b": [1, 2**63 - 1], "c": 0.1, "path": "b\udce4r 花.mp4"}, {"again": [b"", b"zw\0ei"]}]
    sent = {"result": Clip(b"eins" * 9, rows, 1e-300), "nan": float("nan")}
    came = received(packed(sent), piece_bytes)
    assert came["result"] == {"video": b"eins" * 9, "rows": rows, "fps": 1e-300} and np.isnan(came["nan"])
    assert received(packed((1, (2, 3)))) == [1, [2, 3]]


@pytest.mark.parametrize("value", [np.int64(1), {1, 2}, len, [object()]])
def test_what_is_no_plain_data_is_not_sent(value):
    with pytest.raises(TypeError, match="cannot be sent"):
        packed(value)


def test_lengths_are_refused_before_anything_of_it_is_taken(monkeypatch):
    monkeypatch.setattr(answer, "MAX_TEXT_BYTES", 4)
    assert received(packed([1])) == [1]
    for sizes in ((5, 0), (0, answer.MAX_BLOB_BYTES + 1)):
        incoming = Incoming()
        with pytest.raises(BadAnswer, match=f"too long: {sizes[0]} bytes of text and {sizes[1]} of video; 4 and"):
            incoming.add(HEAD.pack(*sizes))


@pytest.mark.parametrize("text", [b"[1", b"\x80\x04", b"1" * 5000, b"[" * 10**6, b'{"\\u0000bytes": "a"}'])
def test_what_is_no_json_is_told(text):
    with pytest.raises(BadAnswer, match="no JSON"):
        received(HEAD.pack(len(text), 0) + text, 10**7)
