"""What one sample of a shard holds, and the three members of the tar it becomes: json, its content, txt."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from shards.schema import SAMPLE

MAPS = [field.name for field in SAMPLE if pa.types.is_map(field.type)]
"""Fields that are dicts in a sample, and lists of pairs in the rows of a table."""
PICTURES = ("jpg", "png", "webp")
LATENTS = "safetensors"
CONTENTS = ("mp4", *PICTURES, LATENTS)
"""What a sample may hold: a video, a picture, or tensors in their place."""
MEMBERS = ("json", *CONTENTS, "txt")
"""Extensions that a sample's members may have: json, one of `CONTENTS`, txt."""
KEY_RULE = re.compile(r"[0-9a-zA-Z_-]+")


@dataclass(frozen=True)
class Sample:
    """A packed clip or picture.

    Raises:
        ValueError: the key breaks the key rule, the extension is unknown, or `meta` has not exactly the fields of
            `schema.SAMPLE`.
    """

    key: str
    """Only digits, ASCII letters, `_` and `-`: WebDataset cuts a key at the first dot, and a tar knows folders."""
    content: bytes
    """A file of the kind that `extension` says."""
    meta: dict[str, Any]
    """The fields of `schema.SAMPLE`; maps as dicts, `captions` as a list of dicts."""
    extension: str = "mp4"
    """One of `CONTENTS`. Beside latents `meta` still speaks of the video; the trainer knows the tensors."""

    def __post_init__(self) -> None:
        if not KEY_RULE.fullmatch(self.key):
            raise ValueError(f"{self.key!r} cannot be a sample's key: only 0-9 a-z A-Z _ - are allowed")
        if self.extension not in CONTENTS:
            raise ValueError(f"sample {self.key} cannot hold {self.extension!r}: only {', '.join(CONTENTS)}")
        difference = set(self.meta) ^ set(SAMPLE.names)
        if difference:
            raise ValueError(f"sample {self.key}: fields missing or unknown: {', '.join(sorted(difference))}")
        if self.meta["key"] != self.key:
            raise ValueError(f"sample {self.key}: its fields speak of another sample, {self.meta['key']}")

    @property
    def caption(self) -> str:
        """Text of the first caption, or nothing."""
        captions = self.meta["captions"] or [{"text": ""}]
        return captions[0]["text"]

    def members(self) -> dict[str, bytes]:
        """Bytes of each member by its extension; equal samples give equal bytes.

        Raises:
            ValueError: a number is infinite or not a number, which JSON cannot tell.
        """
        text = json.dumps(self.meta, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return {"json": text.encode(), self.extension: self.content, "txt": self.caption.encode()}

    def to_webdataset(self) -> dict[str, str | bytes]:
        """The sample as `webdataset` knows it: `__key__` and the members."""
        return {"__key__": self.key, **self.members()}

    @classmethod
    def from_webdataset(cls, sample: Mapping[str, Any]) -> "Sample":
        """The sample from undecoded members and their `__key__`.

        Raises:
            ValueError: a member is missing, it has several contents, the json is broken, or its fields are not
                those of a sample.
        """
        key, contents = sample.get("__key__", ""), [name for name in CONTENTS if name in sample]
        missing = [*["json"] * ("json" not in sample), *["content"] * (not contents)]
        if missing:
            raise ValueError(f"sample {key}: no {' and no '.join(missing)} member")
        if len(contents) > 1:
            raise ValueError(f"sample {key}: it has the members {' and '.join(contents)}, where one excludes the other")
        try:
            meta = orjson.loads(sample["json"])
        except ValueError as error:
            raise ValueError(f"sample {key}: its json member cannot be read ({error})") from error
        return cls(key, bytes(sample[contents[0]]), meta, contents[0])


def index_row(meta: Mapping[str, Any], members: list[dict]) -> dict:
    """The row of `schema.INDEX` of a sample.

    Args:
        meta: its fields.
        members: of `schema.MEMBER`.
    """
    maps = {name: None if meta[name] is None else sorted(meta[name].items()) for name in MAPS}
    return {**meta, **maps, "members": members}


def arrow_schema(index: pa.Table) -> pa.Schema:
    """Types of a set's samples as others read them out of its tars: the json with a field for every score.

    For readers that guess types from a few samples, and lose or refuse what those lack: of Hugging Face `datasets`,
    `Features.from_arrow_schema` takes it.

    Args:
        index: of `schema.INDEX`, of the whole set.
    """
    fields = [field.with_type(_as_struct(index[field.name])) if field.name in MAPS else field for field in SAMPLE]
    members = {"json": pa.struct(fields), **_binaries(index), "txt": pa.string()}
    return pa.schema([("__key__", pa.string()), ("__url__", pa.string()), *members.items()])


def _binaries(index: pa.Table) -> dict[str, pa.DataType]:
    """The contents that any sample has: a user's pictures may be of several formats."""
    found = {
        extension
        for chunk in index["members"].chunks
        for extension in chunk.flatten().field("extension").unique().to_pylist()
    }
    return dict.fromkeys([name for name in CONTENTS if name in found] or ["mp4"], pa.binary())


def _as_struct(maps: pa.ChunkedArray) -> pa.DataType:
    """The type of dicts that have all keys."""
    keys = {key for chunk in maps.chunks for key in chunk.keys.to_pylist()}
    return pa.struct([pa.field(key, maps.type.item_type) for key in sorted(keys)])
