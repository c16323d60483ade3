"""Pictures whose content is known, and sets of them as users bring them."""

import io
import tarfile
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from rich.console import Console

from curation.pictures.config import PicturesConfig
from curation.pictures.pack import pack_pictures
from curation.progress import Screen
from shards.places import Place
from shards.reader import ShardSet
from shards.sample import Sample
from shards.store import parquet_file


def thirds(width: int = 60, height: int = 40) -> Image.Image:
    """Red, green and blue from left to right."""
    picture = np.zeros((height, width, 3), np.uint8)
    for channel in range(3):
        picture[:, width * channel // 3 : width * (channel + 1) // 3, channel] = 250
    return Image.fromarray(picture)


def noise(seed: int, width: int = 60, height: int = 40) -> Image.Image:
    """Another picture for each seed."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    """The bytes of its file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation: object, kind: str = "JPEG", image: Image.Image | None = None) -> bytes:
    """A file whose EXIF says how it is to be turned."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return encoded(image or thirds(), kind, exif=exif)


def huge_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """A few bytes whose head promises many pixels."""
    data = bytearray(encoded(noise(0, 4, 4), "PNG"))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def put(folder: Path, files: dict[str, bytes | str]) -> Path:
    """Writes files by their names below the folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def tar_of(members: dict[str, bytes | str]) -> bytes:
    """A tar with these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            header, content = tarfile.TarInfo(name), data.encode() if isinstance(data, str) else data
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def pack(pictures: Place | str, out: Place, force: bool = False, **settings) -> dict:
    """Packs them; gives the manifest."""
    config = PicturesConfig(str(pictures), str(out), **{"workers": 1, "val_share": 0.0} | settings)
    return pack_pictures(out, config, force, Screen(Console(file=io.StringIO())))


def samples(out: Place) -> dict[str, Sample]:
    """All samples of a set by the end of their path."""
    sets = [ShardSet(out / split) for split in ("train", "val")]
    read = [shards.read(i) for shards in sets for i in range(len(shards))]
    return {sample.meta["path"].rsplit("/", 1)[-1]: sample for sample in read}


def left_out(out: Place) -> dict[str, str]:
    """Why each picture that is not packed is not, by the end of its path."""
    found = {}
    for path in sorted((out / "failures").glob("*.parquet")):
        with parquet_file(path) as file:
            found |= {row["path"].rsplit("/", 1)[-1]: row["error"] for row in file.read().to_pylist()}
    return found


def content(out: Path) -> dict[str, bytes]:
    """The bytes of all that was made."""
    files = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}
