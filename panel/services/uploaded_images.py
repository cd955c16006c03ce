"""Image uploads: decoded within limits and re-encoded with Pillow, so that nothing of the file but its pixels is kept.

What the header declares is checked before anything is decoded, against decompression bombs. Metadata (EXIF, GPS,
comments, color profiles, text after the end) is never copied; the orientation is applied first. Of an animation, the
first frame is kept.
"""

import hashlib
import io
import threading
import unicodedata
from dataclasses import dataclass

from PIL import Image, ImageOps

from panel.domain.errors import BadInput, TooManyTries

MAX_PIXELS = 25_000_000
# Progressive JPEGs have about ten scans. Each is a pass over all pixels and may be a few bytes long.
MAX_JPEG_SCANS = 60
MAX_NAME_LENGTH = 60
# One image at a time in a process: a decoded one needs up to 200 MB for a moment.
WAIT_SECONDS = 8
TRY_AGAIN_SECONDS = 5
# Pillow calls a JPEG with a second picture inside, as some phones make it, an MPO.
_FORMATS = {"PNG": "PNG", "JPEG": "JPEG", "MPO": "JPEG", "WEBP": "WEBP", "GIF": "GIF"}
_JPEG_QUALITIES = (85, 70, 50)
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: the name that the browser gave, and the beginning of its content up to one byte too many."""

    name: str
    content: bytes

    @property
    def shown_name(self) -> str:
        """The name for sentences: one short line, without control and direction characters."""
        name = "".join(sign for sign in self.name if unicodedata.category(sign)[0] != "C").strip()
        return f"“{name[:MAX_NAME_LENGTH]}”" if name else "The image"


@dataclass(frozen=True, slots=True)
class ImageRules:
    """Limits of an image: most bytes of the file, most pixels of a side, and most bytes of what is stored."""

    formats: tuple[str, ...]
    max_bytes: int
    max_side: int
    max_stored_bytes: int

    @property
    def formats_text(self) -> str:
        """For sentences: PNG, JPEG or WebP."""
        names = ["WebP" if name == "WEBP" else name for name in self.formats]
        return f"{', '.join(names[:-1])} or {names[-1]}"


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image file that we made."""

    content: bytes
    media_type: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def read(upload: Upload, *, rules: ImageRules, field: str) -> Image.Image:
    """Decode the image, upright and at most `max_side` pixels. Raises BadInput, or TooManyTries under load."""
    _check_bytes(upload, rules=rules, field=field)
    if not _ONE_AT_A_TIME.acquire(timeout=WAIT_SECONDS):
        raise TooManyTries(
            "Other images are being processed right now. Nothing was sent. Try again in a few seconds.",
            retry_after_seconds=TRY_AGAIN_SECONDS,
        )
    try:
        return _decoded(upload, rules=rules, field=field)
    finally:
        _ONE_AT_A_TIME.release()


def encode(image: Image.Image, *, max_size: tuple[int, int], max_bytes: int) -> EncodedImage:
    """A new file of these pixels: PNG where that is lossless within the limit, otherwise JPEG on white."""
    image = image.copy()
    image.thumbnail(max_size)
    if image.info.get("lossless") and len(content := _saved(image, "PNG", compress_level=6)) <= max_bytes:
        return EncodedImage(content, "image/png", *image.size)
    image = _on_white(image)
    while True:
        for quality in _JPEG_QUALITIES:
            if len(content := _saved(image, "JPEG", quality=quality)) <= max_bytes:
                return EncodedImage(content, "image/jpeg", *image.size)
        image.thumbnail((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)))


def _check_bytes(upload: Upload, *, rules: ImageRules, field: str) -> None:
    name, megabytes = upload.shown_name, rules.max_bytes // 1024**2
    limit = f"{megabytes} MB" if megabytes else f"{rules.max_bytes // 1024} kB"
    if not upload.content:
        raise BadInput(f"{name} is empty.", field=field)
    if len(upload.content) > rules.max_bytes:
        raise BadInput(f"{name} is larger than {limit}. Make it smaller, or take a screenshot of it.", field=field)


def _decoded(upload: Upload, *, rules: ImageRules, field: str) -> Image.Image:
    name = upload.shown_name
    if _starts_like_svg(upload.content):
        raise BadInput(f"{name} is an SVG, which can contain scripts. Send it as {rules.formats_text}.", field=field)
    _check_size(_declared_webp_size(upload.content), name=name, field=field)
    try:
        image = Image.open(io.BytesIO(upload.content), formats=rules.formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(name, field=field) from None
    except Exception:  # A parser of hostile bytes fails in many ways; all mean that this is no such image.
        raise BadInput(f"{name} isn’t a {rules.formats_text} image.", field=field) from None
    _check_size(image.size, name=name, field=field)
    kind = _FORMATS[image.format or ""]
    damaged = BadInput(f"{name} is damaged or incomplete. Open it on your device, or send a screenshot.", field=field)
    if kind == "JPEG" and upload.content.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise damaged
    try:
        return _upright(image, is_lossless=kind in ("PNG", "GIF"), max_side=rules.max_side)
    except Exception:
        raise damaged from None


def _upright(image: Image.Image, *, is_lossless: bool, max_side: int) -> Image.Image:
    """Decode, apply the orientation, and make a picture in RGB or RGBA that carries nothing else."""
    # JPEGs are decoded at a fraction of their size where that is enough.
    image.draft("RGB", (max_side, max_side))
    image.load()
    turned = ImageOps.exif_transpose(image)
    has_alpha = turned.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in turned.info
    if turned.mode == "I;16":
        turned = turned.point([value >> 8 for value in range(65_536)], "L")
    plain = turned.convert("RGBA" if has_alpha else "RGB")
    plain.thumbnail((max_side, max_side))
    plain.info = {"lossless": is_lossless or has_alpha}
    return plain


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


def _saved(image: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    bare = image.copy()
    bare.info = {}
    bare.save(out, kind, **options)
    return out.getvalue()


def _check_size(size: tuple[int, int] | None, *, name: str, field: str) -> None:
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise _too_many_pixels(name, field=field, size=size)


def _too_many_pixels(name: str, *, field: str, size: tuple[int, int] | None = None) -> BadInput:
    has = f" is {size[0]:,} × {size[1]:,} pixels. An image" if size else " has too many pixels. An image"
    return BadInput(
        f"{name}{has} may have at most {MAX_PIXELS // 1_000_000} million, such as 5,000 × 5,000. Make it smaller.",
        field=field,
    )


def _starts_like_svg(content: bytes) -> bool:
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith(b"<svg") or (start.startswith((b"<?xml", b"<!")) and b"<svg" in start)


def _declared_webp_size(content: bytes) -> tuple[int, int] | None:
    """Width and height that a WebP declares: its decoder reserves memory for both as soon as the file is opened."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return None
    if content[12:16] == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if content[12:16] == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(content[26:28], "little") & 0x3FFF, int.from_bytes(content[28:30], "little") & 0x3FFF
