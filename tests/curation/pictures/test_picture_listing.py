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


def test_a_glob_finds_texts_that_it_does_not_match(tmp_path):
    put(tmp_path, FILES)
    for pictures in (tmp_path / "b" / "*.JPG", tmp_path / "**" / "*.JPG", tmp_path / "b" / "z.JPG"):
        (entry,) = Listing(str(pictures)).entries()
        assert [piece.file for piece, _ in entry.words] == [str(tmp_path / "b" / "z.txt")]
        before = Listing(str(pictures)).digest()
        put(tmp_path, {"b/lone.txt": f"of no picture there: {pictures}"})
        assert Listing(str(pictures)).digest() == before
        put(tmp_path, {"b/z.txt": f"other words: {pictures}"})
        assert Listing(str(pictures)).digest() != before


def test_pictures_of_other_formats_are_told(tmp_path):
    put(tmp_path, {"a.gif": b"x", "a.txt": "words", "b.AVIF": b"x", "c.png": b"x"})
    errors = {entry.path.rsplit("/", 1)[-1]: entry.error for entry in Listing(str(tmp_path)).entries()}
    assert errors == {
        "a.gif": "of a format that is not packed: gif",
        "b.AVIF": "of a format that is not packed: avif",
        "c.png": None,
    }


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
    for pictures in (f"{bucket}/b/*.JPG", f"{bucket}/**/*.JPG", f"{bucket}/b/z.JPG"):
        (entry,) = Listing(pictures).entries()
        assert [piece.file for piece, _ in entry.words] == [f"{bucket}/b/z.txt"]
        before = Listing(pictures).digest()
        (bucket / "b/lone.txt").write_text(f"of no picture there: {pictures}")
        assert Listing(pictures).digest() == before
        (bucket / "b/z.txt").write_text(f"other words: {pictures}")
        assert Listing(pictures).digest() != before
    assert [entry.words for entry in Listing(f"{bucket}/a.png").entries()] == [()]
    (bucket / "t.csv").write_text("path,caption\nb/z.JPG,x\nnone.jpg,y\n")
    listing = Listing(str(bucket / "t.csv"))
    assert listing.digest() and [entry.error for entry in listing.entries()] == [None, "there is no such file"]


def test_an_address_may_be_spelt_otherwise_than_the_storage_does():
    import fsspec

    for name in ("0.jpg", "0.txt"):
        fsspec.filesystem("memory").pipe(f"/spelling/{name}", b"x")
    for pictures in ("memory://spelling", "memory://spelling/*.jpg", "memory://spelling/0.jpg"):
        assert [len(entry.words) for entry in Listing(pictures).entries()] == [1]
