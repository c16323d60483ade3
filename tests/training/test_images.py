import numpy as np
import pytest
from PIL import Image

import training.images
from training.buckets import Bucket
from training.conditioning import Conditioning, Micro
from training.images import ImageSource
from training.sources import rng_of

BUCKET = Bucket(1, 32, 48)
PLAIN = Conditioning((Micro("fps"), Micro("scores.motion")))


def thirds(width: int, height: int) -> np.ndarray:
    """Red, green and blue from left to right: uint8 (height, width, 3)."""
    picture = np.zeros((height, width, 3), np.uint8)
    for channel in range(3):
        picture[:, width * channel // 3 : width * (channel + 1) // 3, channel] = 250
    return picture


def put(folder, name: str, picture: np.ndarray | Image.Image | None = None, text: str | None = "words", **options):
    """Writes a picture, by default 96 x 64 and gray, with its caption."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = (
        picture
        if isinstance(picture, Image.Image)
        else Image.fromarray(np.full((64, 96, 3), 90, np.uint8) if picture is None else picture)
    )
    image.save(path, **options)
    if text is not None:
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
    return path


def read(folder, bucket=BUCKET):
    return ImageSource(folder, bucket, PLAIN).read(0, rng_of(0, 0, 0))


def means(frames) -> list[int]:
    return [round(value) for value in frames.float().mean((0, 1, 2)).tolist()]


def test_pictures_come_by_path_with_their_captions(tmp_path):
    for name in ("b/z.png", "b/a.JPG", "a.webp", "c.jpeg"):
        put(tmp_path, name, text=f" Straße {name}\n")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "clip.mp4").write_bytes(b"no picture either")
    source = ImageSource(tmp_path, BUCKET, PLAIN)
    assert len(source) == 4 and source.name == str(tmp_path) and source.plan.counts == {}
    examples = [source.read(i, rng_of(0, 0, i)) for i in range(4)]
    assert [example.key for example in examples] == ["a.webp", "b/a.JPG", "b/z.png", "c.jpeg"]
    assert [source.key(i) for i in range(4)] == [example.key for example in examples]
    assert examples[1].caption == "Straße b/a.JPG"
    for example in examples:
        assert example.frames.shape == (1, 32, 48, 3) and example.micro == (0.0, 0.0)
        assert all(abs(mean - 90) <= 2 for mean in means(example.frames))


def test_what_is_skipped_is_named(tmp_path):
    put(tmp_path, "good.png")
    put(tmp_path, "narrow.png", np.zeros((64, 46, 3), np.uint8))
    put(tmp_path, "exact.png", np.zeros((32, 48, 3), np.uint8))
    put(tmp_path, "mute.png", text=None)
    put(tmp_path, "blank.png", text=" \n")
    put(tmp_path, "latin.png").with_suffix(".txt").write_bytes("Straße".encode("latin-1"))
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    Image.new("RGB", (96, 64)).save(tmp_path / "other.png", format="GIF")
    source = ImageSource(tmp_path, BUCKET, PLAIN)
    assert [source.key(i) for i in range(len(source))] == ["exact.png", "good.png"]
    rows = {row["key"]: (row["reason"], row["detail"]) for row in source.plan.skipped.to_pylist()}
    assert {key: reason for key, (reason, _) in rows.items()} == {
        "blank.png": "no caption",
        "latin.png": "no caption",
        "mute.png": "no caption",
        "narrow.png": "smaller than the bucket",
        "other.png": "cannot be opened",
        "page.jpg": "cannot be opened",
    }
    assert rows["narrow.png"][1] == "46x64 pixels, the bucket has 48x32"
    assert rows["mute.png"][1] == "mute.txt: No such file or directory"
    assert list(rows) == sorted(rows)


def test_a_folder_without_use_is_refused(tmp_path):
    with pytest.raises(ValueError, match="it is empty"):
        ImageSource(tmp_path, BUCKET, PLAIN)
    put(tmp_path, "mute.png", text=None)
    with pytest.raises(ValueError, match="1 no caption"):
        ImageSource(tmp_path, BUCKET, PLAIN, name="mine")
    with pytest.raises(ValueError, match="only a bucket of one frame"):
        ImageSource(tmp_path, Bucket(8, 32, 48), PLAIN)


def test_bombs_are_not_opened(tmp_path, monkeypatch):
    put(tmp_path, "good.png")
    put(tmp_path, "large.png", np.zeros((64, 98, 3), np.uint8))
    monkeypatch.setattr(training.images, "MAX_PIXELS", 64 * 96)
    source = ImageSource(tmp_path, BUCKET, PLAIN)
    (row,) = source.plan.skipped.to_pylist()
    assert row["reason"] == "cannot be opened" and "98x64 pixels, the limit is 6144" in row["detail"]
    monkeypatch.undo()
    for limit in (96 * 64 - 1, 96 * 64 // 2 - 1):  # Pillow warns of the one and refuses the other
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ValueError, match="2 cannot be opened"):
            ImageSource(tmp_path, BUCKET, PLAIN)
        with pytest.raises(ValueError, match=r"^cannot be opened: .*decompression bomb"):
            source.read(0, rng_of(0, 0, 0))


@pytest.mark.parametrize(
    ("orientation", "turns", "mirrored"), [(1, 0, False), (3, 2, False), (6, 1, False), (8, 3, False), (5, 1, True)]
)
def test_pictures_are_turned_upright(tmp_path, orientation, turns, mirrored):
    upright = thirds(96, 64)
    stored = np.rot90(upright, turns)  # turned counterclockwise, flagged to be turned back
    if mirrored:
        stored = upright.transpose(1, 0, 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(tmp_path, "a.jpg", np.ascontiguousarray(stored), exif=exif, quality=95)
    picture = read(tmp_path).frames[0].float()
    assert [int(picture[:, x].mean(0).argmax()) for x in (4, 24, 44)] == [0, 1, 2]
    tall = Bucket(1, 96, 48)
    with pytest.raises(ValueError, match="1 smaller than the bucket"):  # as displayed it is 96 x 64
        ImageSource(tmp_path, tall, PLAIN)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize("size", [(300, 64), (1500, 320)])
def test_the_middle_that_covers_the_bucket_is_cut_out(tmp_path, name, size):
    put(tmp_path, name, thirds(*size))
    picture = read(tmp_path).frames
    assert picture.shape == (1, 32, 48, 3)
    assert np.abs(np.array(means(picture[:, :, 2:-2])) - [0, 250, 0]).max() <= 3


def test_other_kinds_of_pixels_become_rgb(tmp_path):
    clear = np.zeros((64, 96, 4), np.uint8)
    clear[..., 0], clear[:, :48, 3] = 200, 255
    kinds = {
        "alpha.png": Image.fromarray(clear),
        "deep.png": Image.fromarray(np.full((64, 96), 100 * 257, np.uint16)),
        "gray.jpg": Image.new("L", (96, 64), 100),
        "ink.jpg": Image.new("CMYK", (96, 64), (0, 0, 0, 0)),
        "palette.png": Image.new("RGB", (96, 64), (10, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE),
    }
    for name, image in kinds.items():
        put(tmp_path, name, image)
    source = ImageSource(tmp_path, BUCKET, PLAIN)
    found = {source.key(i): source.read(i, rng_of(0, 0, i)).frames for i in range(len(source))}
    assert [means(found[name]) for name in ("deep.png", "gray.jpg", "ink.jpg", "palette.png")] == [
        [100] * 3,
        [100] * 3,
        [255] * 3,
        [10, 20, 30],
    ]
    assert means(found["alpha.png"][:, :, :20]) == [200, 0, 0] and means(found["alpha.png"][:, :, 28:]) == [255] * 3


def test_what_breaks_after_planning_fails_in_words(tmp_path):
    path = put(tmp_path, "a.png", thirds(96, 64))
    source, data = ImageSource(tmp_path, BUCKET, PLAIN), path.read_bytes()
    for broken in (data[: len(data) // 2], data[:60] + bytes(40) + data[100:], b""):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"^cannot be opened: "):
            source.read(0, rng_of(0, 0, 0))
    path.write_bytes(data)
    path.with_suffix(".txt").unlink()
    with pytest.raises(ValueError, match=r"^no caption: "):
        source.read(0, rng_of(0, 0, 0))
