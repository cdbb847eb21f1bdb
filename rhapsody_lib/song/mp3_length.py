"""The frame before an MP3's sound that tells players its length, and where the sound begins and ends.

LAME writes it after the last frame, by going back to the first; lameenc cannot. Without it, players guess the length
of a variable bit rate by its first frame, and all leave 25 to 50 ms of the codec's own silence before the sound. The
layout is Xing's with LAME's extension, as the LAME project describes it ("Mp3 Info Tag revision 1").
"""

from __future__ import annotations

#: Of a frame's header: bit rates in kbit/s by index for layer III of MPEG-1 (44.1 kHz) and MPEG-2 (22.05 kHz), the
#: bytes before the tag (header and side information), samples in a frame, and the index of the tag's own bit rate.
_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_ENCODER_DELAY = 576
_CONSTANT, _VARIABLE = 1, 4


def _is_mpeg1(header: bytes) -> bool:
    return bool(header[1] & 0b1000)


def _frame_bytes(header: bytes) -> int:
    """Length of the frame that begins with these four bytes."""
    index, padding = header[2] >> 4, header[2] >> 1 & 1
    if _is_mpeg1(header):
        return 144_000 * _MPEG1[index] // 44_100 + padding
    return 72_000 * _MPEG2[index] // 22_050 + padding


def _crc16(data: bytes) -> int:
    """CRC-16 as ARC has it (polynomial 0x8005, reflected), with which the tag ends."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def with_length(encoded: bytes, samples: int) -> bytes:
    """The MP3 after a silent frame that tells its length: decoded, it is as long as what was encoded.

    Args:
        encoded: what LAME wrote in stereo at 44.1 kHz, or in mono at 22.05 kHz.
        samples: frames of sound that were encoded.
    """
    starts, at = [], 0
    while at + 4 <= len(encoded):
        starts.append(at)
        at += _frame_bytes(encoded[at : at + 4])
    mpeg1, constant = _is_mpeg1(encoded), len({encoded[start + 2] >> 4 for start in starts}) == 1
    sound_at, frame_samples, rate_index = (36, 1152, 8) if mpeg1 else (13, 576, 7)
    header = bytes([*encoded[:2], rate_index << 4 | encoded[2] & 0b1100, encoded[3]])
    size = _frame_bytes(header)
    total = size + len(encoded)
    padding = len(starts) * frame_samples - _ENCODER_DELAY - samples
    seek = bytes((size + starts[percent * len(starts) // 100]) * 256 // total for percent in range(100))
    tag = b"".join(
        (
            header.ljust(sound_at, b"\0"),
            b"Info" if constant else b"Xing",
            (0b1111).to_bytes(4, "big"),  # the four that follow are there
            len(starts).to_bytes(4, "big"),
            total.to_bytes(4, "big"),
            seek,
            bytes(4),
            b"LAME3.100",
            bytes([_CONSTANT if constant else _VARIABLE]),
            bytes(11),
            (_ENCODER_DELAY << 12 | max(0, min(padding, 4095))).to_bytes(3, "big"),
            bytes(4),
            total.to_bytes(4, "big"),
            bytes(2),
        )
    )
    return (tag + _crc16(tag).to_bytes(2, "big")).ljust(size, b"\0") + encoded
