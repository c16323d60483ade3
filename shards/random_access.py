"""Whether a packet starts a stream that needs nothing before it, told from its first bytes and not from the container.

Containers call keyframes what merely may be sought, e.g. the I-frame of an open GOP, or one of a gradual refresh.
"""

from collections.abc import Callable, Iterator

START_CODE = b"\0\0\1"


def stands_alone(codec: str, extradata: bytes, packet: bytes) -> bool:
    """Whether decoding may start here, so that all frames shown later come out as if it had begun at the start.

    In HEVC that holds for a CRA picture too, of which the frames shown before it are to be left out.

    Args:
        codec: libav's name of the codec, one of `CODECS`.
        extradata: of the stream; tells how H.264 and HEVC part their units.
        packet: all its bytes.

    Raises:
        KeyError: another codec.
    """
    return CODECS[codec](extradata, packet)


def _h264(extradata: bytes, packet: bytes) -> bool:
    """Its first picture is an IDR picture (ITU-T H.264, table 7-1)."""
    size = (extradata[4] & 3) + 1 if extradata[:1] == b"\1" and len(extradata) > 4 else 0
    kinds = (header & 31 for header in _nal_headers(packet, size))
    return next((kind for kind in kinds if 1 <= kind <= 5), None) == 5


def _hevc(extradata: bytes, packet: bytes) -> bool:
    """Its first picture is BLA, IDR or CRA (ITU-T H.265, table 7-1)."""
    size = (extradata[21] & 3) + 1 if extradata[:1] == b"\1" and len(extradata) > 21 else 0
    kinds = (header >> 1 & 63 for header in _nal_headers(packet, size))
    return 16 <= next((kind for kind in kinds if kind < 32), 0) <= 21


def _nal_headers(packet: bytes, length_bytes: int) -> Iterator[int]:
    """First byte of each unit; they are parted by their lengths, or by start codes where `length_bytes` is 0."""
    at = 0
    while length_bytes and at + length_bytes < len(packet):
        size, at = int.from_bytes(packet[at : at + length_bytes], "big"), at + length_bytes
        yield packet[at]
        at += size
    while not length_bytes and (found := packet.find(START_CODE, at)) >= 0 and found + 3 < len(packet):
        at = found + 3
        yield packet[at]


def _vp9(_: bytes, packet: bytes) -> bool:
    """A key frame that is shown (VP9 bitstream specification, section 6.2)."""
    if not packet or packet[0] >> 6 != 2:
        return False
    is_profile_3 = packet[0] >> 4 & 3 == 3  # which has one more bit before these three
    show_existing, is_inter, is_shown = (packet[0] >> bit - is_profile_3 & 1 for bit in (3, 2, 1))
    return not show_existing and not is_inter and bool(is_shown)


def _av1(_: bytes, packet: bytes) -> bool:
    """A key frame that is shown (AV1 bitstream specification, sections 5.3 and 5.9.2)."""
    at = 0
    while at < len(packet):
        kind, has_extension, has_size = packet[at] >> 3 & 15, packet[at] >> 2 & 1, packet[at] >> 1 & 1
        at += 1 + has_extension
        size, at = _leb128(packet, at) if has_size else (len(packet) - at, at)
        if kind in (3, 6) and at < len(packet):  # a frame's header, alone or with the frame
            return packet[at] >> 4 == 0b0001  # not shown from a store, of type 0, shown
        at += size
    return False


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    number = 0
    for place, byte in enumerate(data[at : at + 8]):
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at + place + 1
    return number, len(data)


CODECS: dict[str, Callable[[bytes, bytes], bool]] = {"h264": _h264, "hevc": _hevc, "vp9": _vp9, "av1": _av1}
