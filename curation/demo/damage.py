"""Damage to finished files, byte by byte."""

import numpy as np

_KEPT_SHARE = 0.6
_FLIPPED_SHARE = 0.02


def damaged(data: bytes, kind: str, seed: int) -> bytes:
    """Breaks a file.

    Args:
        data: The bytes of a whole video file.
        kind: truncated (the end is missing), corrupt_payload (bytes flipped in the middle third, where the pictures
            lie), or corrupt_header (an mp4 file whose index is unreadable).
        seed: Chooses the flipped bytes.

    Returns:
        The bytes of the broken file.
    """
    if kind == "truncated":
        return data[: int(len(data) * _KEPT_SHARE)]
    if kind == "corrupt_payload":
        return _flipped(data, len(data) // 3, len(data) * 2 // 3, seed)
    return data.replace(b"moov", b"m\0\0v").replace(b"stbl", b"\0\0\0\0")


def _flipped(data: bytes, start: int, end: int, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    places = rng.integers(start, end, int((end - start) * _FLIPPED_SHARE))
    array = np.frombuffer(data, np.uint8).copy()
    array[places] ^= rng.integers(1, 256, len(places), dtype=np.uint8)
    return array.tobytes()
