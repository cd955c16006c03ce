"""Image files for tests: ordinary ones, and those that somebody made to do harm."""

import io
import struct
import zlib

from PIL import Image

from panel.services.tickets.images import Attachment, encode_all
from panel.services.uploaded_images import Upload

RED = (200, 30, 30)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PAGE = b"<!doctype html><script>alert(1)</script>"


def a_picture(
    kind: str = "PNG", *, size: tuple[int, int] = (64, 48), color: tuple[int, ...] = RED, **options: object
) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA" if len(color) == 4 else "RGB", size, color).save(out, kind, **options)
    return out.getvalue()


def a_photo(*, orientation: int = 6) -> bytes:
    """A JPEG as a phone makes it: lying on its side, with the place where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SecretPhone"
    exif.get_ifd(0x8825)[1] = "N"
    return a_picture("JPEG", size=(80, 40), exif=exif, comment=b"SecretComment")


def a_bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A small PNG that declares enormous sides."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + _chunk(b"IEND", b"")
    )


def a_webp_bomb() -> bytes:
    """A WebP whose header declares the largest sides there are."""
    sides = (16_382).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + sides
    return b"RIFF" + struct.pack("<I", len(body)) + body


def attachments(*contents: bytes) -> list[Attachment]:
    return encode_all([Upload("picture.png", content) for content in contents or (a_picture(),)])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
