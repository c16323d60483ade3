import io

import numpy as np
import pytest
from picturebook import encoded, huge_png, noise, thirds, turned
from PIL import Image

from shards import picture
from shards.picture import PictureInfo, fitted, look

STORED = dict(zip(range(2, 9), [Image.Transpose(number) for number in (0, 3, 1, 5, 2, 6, 4)], strict=True))
"""Orientation -> how the upright picture is turned to be stored: the inverse of what brings it upright."""
READERS = (look, lambda data: look(data, whole=True), lambda data: fitted(data, 8, 8))
KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def columns(pixels: np.ndarray) -> list[int]:
    """The strongest channel at the left, in the middle and at the right."""
    middle = pixels[pixels.shape[0] // 2].astype(int)
    return [int(middle[pixels.shape[1] * k // 6].argmax()) for k in (1, 3, 5)]


@pytest.mark.parametrize(("kind", "extension"), KINDS.items())
def test_the_format_is_told_by_the_bytes(kind, extension):
    data = encoded(thirds(), kind)
    assert look(data) == PictureInfo(extension, 60, 40)
    assert look(data, whole=True) == look(data)
    assert columns(fitted(data, 30, 20)) == [0, 1, 2] and fitted(data, 30, 20).shape == (20, 30, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright(kind, orientation):
    """Stored so that, turned as its EXIF says, each shows red, green and blue from left to right."""
    stored = thirds() if orientation == 1 else thirds().transpose(STORED[orientation])
    data = turned(orientation, kind, stored)
    assert look(data) == PictureInfo(KINDS[kind], 60, 40)
    assert columns(fitted(data, 30, 20)) == [0, 1, 2]


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_is_none_is_upright(orientation):
    assert look(turned(orientation)) == PictureInfo("jpg", 60, 40)


def test_broken_exif_is_no_fault_of_the_picture():
    data = bytearray(turned(6))
    at = data.index(b"Exif\0\0") + 6
    data[at : at + 2] = b"??"
    assert look(bytes(data)) == PictureInfo("jpg", 60, 40)
    assert fitted(bytes(data), 30, 20).shape == (20, 30, 3)


def test_exif_at_the_end_of_a_png_counts():
    data = turned(6, "PNG")
    at = data.index(b"eXIf") - 4
    length = 12 + int.from_bytes(data[at : at + 4], "big")
    end = data.index(b"IEND") - 4
    moved = data[:at] + data[at + length : end] + data[at : at + length] + data[end:]
    assert len(moved) == len(data) and look(moved) == PictureInfo("png", 40, 60)


def test_transparent_pixels_are_white():
    image = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    image.paste((0, 0, 200, 255), (0, 0, 4, 8))
    pixels = fitted(encoded(image, "PNG"), 8, 8)
    assert pixels[4, 7].tolist() == [255, 255, 255] and pixels[4, 0].tolist() == [0, 0, 200]


def test_gray_of_16_bits_keeps_its_range():
    image = Image.fromarray(np.full((8, 8), 0x80FF, np.uint16))
    assert fitted(encoded(image, "PNG"), 8, 8)[0, 0].tolist() == [0x80] * 3


def test_other_modes_are_read():
    for image, kind in ((thirds().convert("CMYK"), "JPEG"), (thirds().convert("P"), "PNG")):
        assert columns(fitted(encoded(image, kind), 60, 40)) == [0, 1, 2]


def test_the_middle_is_cut_out_of_what_covers():
    assert columns(fitted(encoded(thirds(60, 10), "PNG"), 10, 10)) == [1, 1, 1]
    assert fitted(encoded(thirds(4, 4), "PNG"), 10, 30).shape == (30, 10, 3)  # enlarged where it must be


def test_a_jpeg_with_further_pictures_is_its_first():
    data = encoded(thirds(), "MPO", save_all=True, append_images=[noise(1)])
    assert look(data) == PictureInfo("jpg", 60, 40) and columns(fitted(data, 30, 20)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no JPEG, PNG or WebP picture"),
        (b"nothing", "no JPEG, PNG or WebP picture"),
        (encoded(thirds(), "GIF"), "no JPEG, PNG or WebP picture"),
        (encoded(thirds(), "TIFF"), "no JPEG, PNG or WebP picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no JPEG, PNG or WebP picture"),
        (huge_png(), "more than 89478485 pixels"),
        (huge_png(10_000, 9_000), "more than 89478485 pixels"),
        (encoded(thirds(), "WEBP", save_all=True, append_images=[noise(1)]), "an animation"),
        (encoded(thirds(), "PNG", save_all=True, append_images=[noise(1)]), "an animation"),
    ],
    ids=range(9),
)
def test_what_is_not_taken(data, reason):
    for read in READERS:
        with pytest.raises(ValueError) as error:
            read(data)
        assert str(error.value).split(": ")[0] == reason


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short(kind):
    data = encoded(noise(3), kind)
    for read in READERS[1:]:
        with pytest.raises(ValueError, match=r"^does not decode: "):
            read(data[: len(data) * 2 // 3])


def test_any_damage_is_a_value_error():
    """Whatever bytes are flipped, nothing but ValueError comes out."""
    rng = np.random.default_rng(0)
    for kind in KINDS:
        data = turned(6, kind, noise(2, 16, 12))
        for _ in range(60):
            bad = bytearray(data)
            for at in rng.integers(0, len(bad), 4):
                bad[at] = rng.integers(0, 256)
            for read in READERS:
                try:
                    read(bytes(bad))
                except ValueError:
                    continue


def test_the_limit_is_looked_at_before_pixels_are_decoded(monkeypatch):
    data = encoded(thirds(), "PNG")
    monkeypatch.setattr(picture, "MAX_PIXELS", 100)
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decoded"))
    with pytest.raises(ValueError, match=r"^more than 100 pixels: 60x40$"):
        look(data)


def test_nothing_is_told_on_the_way(recwarn):
    image = Image.new("L", (9600, 9600))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    with pytest.raises(ValueError, match=r"more than"):
        look(buffer.getvalue())
    bad = bytearray(turned(6))
    bad[bad.index(b"Exif\0\0") + 14] = 0x7F  # of more tags than there are
    look(bytes(bad))
    assert not recwarn.list
