import os

import pytest
from picturebook import encoded, put, tar_of, thirds

from curation.pictures.listing import Listing

JPEG = encoded(thirds())
FILES = {
    "b/z.JPG": JPEG,
    "b/z.txt": "words",
    "a.png": b"x",
    "c.tar": tar_of({"0.webp": b"x"}),
    "notes.md": "no",
    "lone.txt": "no",
}


def names(pictures) -> list[str]:
    return [entry.path.rsplit("/", 1)[-1] for entry in Listing(str(pictures)).entries()]


def test_a_folder_gives_pictures_and_tars_below_it(tmp_path, caplog):
    caplog.set_level("INFO")
    listing = Listing(str(put(tmp_path, FILES)))
    entries = list(listing.entries())
    assert [entry.path.removeprefix(f"{tmp_path}/") for entry in entries] == ["a.png", "c.tar!0.webp", "b/z.JPG"]
    assert [[kind for _, kind in entry.words] for entry in entries] == [[], [], ["sidecar"]]
    listing.digest()
    assert "left out: 1 .md" in caplog.text


def test_globs_and_single_files(tmp_path):
    put(tmp_path, FILES)
    assert names(tmp_path / "*.tar") == names(tmp_path / "c.tar") == ["c.tar!0.webp"]
    assert names(tmp_path / "**" / "*") == ["a.png", "z.JPG", "c.tar!0.webp"]


def test_nothing_there(tmp_path):
    put(tmp_path, {"a.txt": "words", "b.gif": "x"})
    with pytest.raises(ValueError, match=r"there is no such table"):
        Listing(str(tmp_path / "t.csv"))
    for pictures in (tmp_path, tmp_path / "none", tmp_path / "*.jpg"):
        with pytest.raises(ValueError, match=r"there is no picture and no tar"):
            Listing(str(pictures))


def test_the_digest_tells_of_every_change(tmp_path):
    put(tmp_path, FILES)
    put(tmp_path, {"t.csv": "path,caption\na.png,x\nnone.png,y\n"})

    def digests():
        return Listing(str(tmp_path)).digest(), Listing(str(tmp_path / "t.csv")).digest()

    folder, table = digests()
    assert digests() == (folder, table)
    put(tmp_path, {"b/z.txt": "other words"})
    assert digests()[0] != folder and digests()[1] == table
    put(tmp_path, {"t.csv": "path,caption\na.png,z\nnone.png,y\n"})
    assert digests()[1] != table
    table = digests()[1]
    put(tmp_path, {"none.png": b"x"})
    assert digests()[1] != table


def test_a_row_without_its_file_is_told(tmp_path):
    put(tmp_path, {"t.csv": "path\na.png\nnone.png\n", "a.png": b"x"})
    listing = Listing(str(tmp_path / "t.csv"))
    listing.digest()
    assert [entry.error for entry in listing.entries()] == [None, "there is no such file"]


def test_a_name_that_is_not_utf8_is_told(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xe9.jpg"
    with open(path, "wb") as file:
        file.write(JPEG)
    (entry,) = Listing(str(tmp_path)).entries()
    assert entry.error == "its name is not UTF-8" and entry.path.endswith("\\udce9.jpg")
    assert Listing(str(tmp_path)).digest()


def test_addresses(bucket):
    for name, data in FILES.items():
        (bucket / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    entries = list(Listing(str(bucket)).entries())
    assert [entry.path.removeprefix(f"{bucket}/") for entry in entries] == ["a.png", "b/z.JPG", "c.tar!0.webp"]
    assert [len(entry.words) for entry in entries] == [0, 1, 0]
    assert names(f"{bucket}/*.tar") == ["c.tar!0.webp"]
    (bucket / "t.csv").write_text("path,caption\nb/z.JPG,x\nnone.jpg,y\n")
    listing = Listing(str(bucket / "t.csv"))
    assert listing.digest() and [entry.error for entry in listing.entries()] == [None, "there is no such file"]
