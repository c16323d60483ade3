import os

import pytest
from picturebook import encoded, put, thirds, turned

from curation.child import Child
from curation.pictures.entry import Entry, Piece
from curation.pictures.look import Seen, id_of, look_at, read_piece
from shards.picture import PictureInfo


@pytest.fixture(scope="module")
def child():
    child = Child(60.0)
    yield child
    child.close()


def seen(child, folder, name, words=(), limit=10**6, **told):
    return look_at(Entry(name, Piece(str(folder / name)), words, **told), child, limit)


def test_what_is_seen_of_a_picture(child, tmp_path):
    data = turned(6)
    put(tmp_path, {"a.png": data, "a.txt": "words", "a.json": '{"caption": "words", "text": "more", "x": 1}'})
    pieces = [(Piece(str(tmp_path / f"a.{kind}")), kind) for kind in ("txt", "json")]
    captions = [
        {"text": "table", "source": "t"},
        {"text": "words", "source": "txt"},
        {"text": "more", "source": "json"},
    ]
    found = seen(child, tmp_path, "a.png", tuple(pieces), row={"caption": "table", "y": 2}, source="t")
    assert found == Seen(id_of(data), len(data), PictureInfo("jpg", 40, 60), (captions, {"x": 1.0, "y": 2.0}))


def test_reasons_that_are_the_pictures_own(child, tmp_path):
    good = encoded(thirds())
    put(
        tmp_path,
        {"bad.jpg": b"no", "cut.jpg": good[:500], "a.jpg": good, "a.txt": b"\xff", "a.json": "[]", "b.jpg/x": "x"},
    )
    text, broken = ((Piece(str(tmp_path / f"a.{kind}")), kind) for kind in ("txt", "json"))
    assert seen(child, tmp_path, "bad.jpg") == "no JPEG, PNG or WebP picture"
    assert str(seen(child, tmp_path, "cut.jpg")).startswith("does not decode: ")
    assert seen(child, tmp_path, "a.jpg", limit=99) == "larger than 99 bytes"
    assert str(seen(child, tmp_path, "a.jpg", (text,))).startswith("its words cannot be read: txt: ")
    assert str(seen(child, tmp_path, "a.jpg", (broken,))).startswith("its words cannot be read: json: ")
    assert seen(child, tmp_path, "b.jpg") == "cannot be opened: Is a directory"
    assert seen(child, tmp_path, "a.jpg", error="known before") == "known before"


def test_a_file_that_is_gone_is_trouble(child, tmp_path):
    with pytest.raises(OSError, match=r"gone since it was listed"):
        seen(child, tmp_path, "none.jpg")


def test_a_picture_that_kills_its_reader_costs_itself_alone(child, tmp_path, monkeypatch):
    put(tmp_path, {"a.jpg": encoded(thirds())})
    entry, call = Entry("a.jpg", Piece(str(tmp_path / "a.jpg"))), child.call
    monkeypatch.setattr(child, "call", lambda *_, read: call(os._exit, 3, read=read))
    assert look_at(entry, child, 9) == "crashed: its reader died with exit code 3"
    monkeypatch.undo()
    assert isinstance(seen(child, tmp_path, "a.jpg"), Seen)


TRUTH = {
    "video_id": "0" * 20,
    "size_bytes": 9,
    "info": {"extension": "jpg", "width": 60, "height": 40},
    "words": ([{"text": "words", "source": "txt"}], {"x": 1.0}),
}


def told(child, monkeypatch, answer):
    """What is made of a child's answer."""
    call = child.call
    monkeypatch.setattr(child, "call", lambda *_, read: call(dict, answer, read=read))
    try:
        return look_at(Entry("a.jpg", Piece("a.jpg")), child, 10)
    finally:
        monkeypatch.undo()


@pytest.mark.parametrize(
    "lie",
    [
        {"info": {"extension": "exe", "width": 60, "height": 40}},
        {"info": {"extension": "jpg", "width": 2**40, "height": 40}},
        {"info": {"extension": "jpg", "width": 60, "height": 0}},
        {"info": {"extension": "jpg", "width": 60.5, "height": 40}},
        {"info": {"extension": "jpg", "width": 50_000, "height": 50_000}},
        {"video_id": "../../../etc/passwd"},
        {"video_id": 7},
        {"size_bytes": 0},
        {"size_bytes": 11},
        {"words": ([{"text": "\ud800", "source": "txt"}], {})},
        {"words": ([{"text": None, "source": "txt"}], {})},
        {"words": ([], {"x": float("nan")})},
        {"words": ([], {"x": 1e300})},
        {"words": ([], {"x": 10**400})},
        {"words": ([], {"x": "1"})},
        {"error": "\ud800"},
        {"error": None},
    ],
)
def test_a_lie_costs_its_picture_alone(child, monkeypatch, lie):
    refused = told(child, monkeypatch, TRUTH | lie)
    assert isinstance(refused, str) and refused.startswith("crashed: its reader's answer is refused: ")
    assert isinstance(told(child, monkeypatch, TRUTH), Seen)


def test_parts_of_files(tmp_path):
    put(tmp_path, {"x": b"0123456789"})
    assert read_piece(Piece(str(tmp_path / "x"), 2, 3), 9) == b"234"
    with pytest.raises(ValueError, match=r"^cut short: 2 of its 5 bytes are there$"):
        read_piece(Piece(str(tmp_path / "x"), 8, 5), 9)
    with pytest.raises(ValueError, match=r"^larger than 3 bytes: 5$"):
        read_piece(Piece(str(tmp_path / "x"), 0, 5), 3)


def test_parts_of_files_at_addresses(bucket):
    (bucket / "x").write_bytes(b"0123456789")
    assert read_piece(Piece(str(bucket / "x"), 2, 3), 9) == b"234"
    assert read_piece(Piece(str(bucket / "x")), 10) == b"0123456789"
    with pytest.raises(ValueError, match=r"^larger than 9 bytes$"):
        read_piece(Piece(str(bucket / "x")), 9)
    with pytest.raises(ValueError, match=r"^cut short"):
        read_piece(Piece(str(bucket / "x"), 8, 5), 9)
    with pytest.raises(OSError, match=r"gone since it was listed"):
        read_piece(Piece(str(bucket / "none")), 9)
