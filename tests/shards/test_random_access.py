import pytest

from shards.random_access import CODECS, stands_alone

AVCC, HVCC = bytes([1, 0, 0, 0, 0xFF]), bytes([1, *[0] * 20, 3])  # lengths of four bytes


def h264(*kinds, start_codes=False):
    units = [bytes([0x60 | kind, 1, 2, 3]) for kind in kinds]
    return b"".join((b"\0\0\0\1" if start_codes else len(unit).to_bytes(4, "big")) + unit for unit in units)


def hevc(*kinds, start_codes=False):
    units = [bytes([kind << 1, 1, 2, 3]) for kind in kinds]
    return b"".join((b"\0\0\1" if start_codes else len(unit).to_bytes(4, "big")) + unit for unit in units)


@pytest.mark.parametrize("start_codes", [False, True])
def test_h264_starts_on_an_idr_picture(start_codes):
    extradata = b"" if start_codes else AVCC
    for kinds, alone in [
        ((9, 7, 8, 6, 5), True),
        ((5,), True),
        ((9, 7, 8, 6, 1), False),
        ((1, 5), False),
        ((9,), False),
    ]:
        assert stands_alone("h264", extradata, h264(*kinds, start_codes=start_codes)) == alone


@pytest.mark.parametrize("start_codes", [False, True])
def test_hevc_starts_on_an_irap_picture(start_codes):
    extradata = b"" if start_codes else HVCC
    for kind in range(32):
        packet = hevc(35, 32, 33, 34, 39, kind, start_codes=start_codes)
        assert stands_alone("hevc", extradata, packet) == (16 <= kind <= 21)


def test_lengths_of_two_bytes():
    assert stands_alone("h264", bytes([1, 0, 0, 0, 0xFD]), b"\0\2\x67\0\0\1\x65")


@pytest.mark.parametrize(
    ("bits", "alone"),
    [
        ("10000010", True),  # profile 0, a key frame, shown
        ("10100010", True),  # profile 1
        ("10110001", True),  # profile 3 has a reserved bit
        ("10110010", False),
        ("10001000", False),  # shows a stored frame
        ("10000110", False),  # no key frame
        ("10000000", False),  # hidden
        ("01000010", False),  # no VP9
    ],
)
def test_vp9_starts_on_a_shown_key_frame(bits, alone):
    assert stands_alone("vp9", b"", bytes([int(bits, 2), 0])) == alone


@pytest.mark.parametrize(
    ("bits", "alone"),
    [("00010000", True), ("00000000", False), ("00110000", False), ("01010000", False), ("10010000", False)],
)
@pytest.mark.parametrize("before", [b"", b"\x12\0", b"\x12\0\x0a\x03abc", b"\x0a\x81\0a"])
@pytest.mark.parametrize("header", [b"\x32\2", b"\x1a\2", b"\x30", b"\x36\0\2"])
def test_av1_starts_on_a_shown_key_frame(bits, alone, before, header):
    assert stands_alone("av1", b"", before + header + bytes([int(bits, 2), 0])) == alone


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("packet", [b"", b"\0", b"\xff" * 40, b"\0" * 40, bytes(range(256)), b"\0\0\1"])
def test_nonsense_does_not_stand_alone_and_ends(codec, packet):
    assert stands_alone(codec, b"", packet) in (True, False)
    assert stands_alone(codec, b"\1" * 30, packet) in (True, False)
    assert not stands_alone(codec, b"", b"")
