import io
import tarfile

import pytest
from picturebook import put, tar_of

from curation.pictures.look import read_piece
from curation.pictures.tar import tar_entries

MEMBERS = {"0.jpg": b"JPEG", "0.txt": "words", "0.json": "{}", "a/1.PNG": b"PNG", "a/1.cls": "3", "2.txt": "no picture"}


def entries(tmp_path, data: bytes):
    put(tmp_path, {"x.tar": data})
    return list(tar_entries(str(tmp_path / "x.tar")))


def test_members_of_one_name_are_one_picture(tmp_path):
    first, second = entries(tmp_path, tar_of(MEMBERS))
    assert first.path == f"{tmp_path / 'x.tar'}!0.jpg" and read_piece(first.picture, 99) == b"JPEG"
    assert [(read_piece(piece, 99), kind) for piece, kind in first.words] == [(b"words", "txt"), (b"{}", "json")]
    assert second.path.endswith("!a/1.PNG") and read_piece(second.picture, 99) == b"PNG" and second.words == ()


def test_names_that_lead_out_are_told_and_not_followed(tmp_path):
    bad = {"../../0.jpg": b"x", "/etc/1.jpg": b"x", "a\\..\\2.jpg": b"x", "3.jpg": b"x"}
    found = entries(tmp_path, tar_of(bad))
    assert [bool(entry.error and "leads out" in entry.error) for entry in found] == [True, True, True, False]


def test_several_dots_are_told(tmp_path):
    found = entries(tmp_path, tar_of({"0.jpg": b"x", "0.seg.png": b"y", "0.seg.txt": b"z"}))
    assert found[0].error is None and "first dot" in (found[1].error or "")


def test_links_are_no_pictures(tmp_path):
    buffer = io.BytesIO(tar_of({"0.txt": "x"}))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        link = tarfile.TarInfo("0.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (entry,) = entries(tmp_path, buffer.getvalue())
    assert entry.error == "it is no plain file in the tar"


def test_a_name_that_is_not_utf8_can_stand_in_a_table(tmp_path):
    data = tar_of({"0.jpg": b"x"})
    with_latin = data.replace(b"0.jpg", b"\xe9.jpg")
    header = bytearray(with_latin[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (entry,) = entries(tmp_path, bytes(header) + with_latin[512:])
    assert entry.path.endswith("!\\xe9.jpg") and entry.error is None


@pytest.mark.parametrize("left", [1, 511, 512 + 100, 1024 + 200, 2048 - 512 + 3])
def test_a_tar_cut_short_says_so(tmp_path, left):
    """Two pictures of 600 bytes: each a head of 512 bytes and 1024 of data."""
    whole = tar_of({"0.jpg": b"a" * 600, "1.jpg": b"b" * 600})
    found = entries(tmp_path, whole[:left])
    assert "cut short or damaged" in (found[-1].error or "") and found[-1].path == str(tmp_path / "x.tar")
    assert len(found) == (1 if left < 512 else 2)


def test_a_damaged_head_does_not_pass_for_the_end(tmp_path):
    """tarfile by itself ends there without a word."""
    data = bytearray(tar_of({"0.jpg": b"a" * 600, "1.jpg": b"b" * 600}))
    data[1536 + 3] ^= 1
    first, second = entries(tmp_path, bytes(data))
    assert first.error is None and "cut short or damaged" in (second.error or "")


def test_what_is_no_tar(tmp_path):
    for data in (b"", b"nothing of a tar" * 100):
        (entry,) = entries(tmp_path, data)
        assert "cut short or damaged" in (entry.error or "")


def test_a_size_that_leads_back_ends_it(tmp_path):
    data = bytearray(tar_of({"0.jpg": b"a" * 600, "1.jpg": b"b" * 600}))
    data[1536 + 124 : 1536 + 136] = b"\xff" * 8 + (-2048).to_bytes(4, "big", signed=True)
    header = data[1536:2048]
    header[148:156] = b" " * 8
    data[1536 + 148 : 1536 + 156] = b"%06o\0 " % sum(header)
    assert "cut short or damaged" in (entries(tmp_path, bytes(data))[-1].error or "")


def test_pictures_of_other_formats_are_told(tmp_path):
    found = entries(tmp_path, tar_of({"0.gif": b"x", "0.txt": "words", "1.BMP": b"x", "2.jpg": b"x"}))
    assert [entry.error for entry in found] == [
        "of a format that is not packed: gif",
        "of a format that is not packed: bmp",
        None,
    ]
