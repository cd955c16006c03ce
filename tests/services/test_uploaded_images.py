"""Image uploads: only pixels are kept, and files made to do harm are refused with a sentence."""

import io
import random
import warnings

import pytest
from PIL import Image

from panel.domain.errors import BadInput, TooManyTries
from panel.services import uploaded_images
from panel.services.tickets.images import MAX_BYTES, RULES
from panel.services.uploaded_images import EncodedImage, Upload
from tests.support.images import PAGE, RED, SVG, a_bomb, a_photo, a_picture, a_webp_bomb


def made(content: bytes, name: str = "picture.png") -> EncodedImage:
    picture = uploaded_images.read(Upload(name, content), rules=RULES, field="images")
    return uploaded_images.encode(picture, max_size=(RULES.max_side, RULES.max_side), max_bytes=RULES.max_stored_bytes)


def opened(image: EncodedImage) -> Image.Image:
    found = Image.open(io.BytesIO(image.content))
    found.load()
    return found


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("PNG", "image/png"), ("GIF", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/jpeg")],
)
def test_each_kind_becomes_a_file_of_ours_with_the_same_picture(kind: str, media_type: str) -> None:
    image = made(a_picture(kind))

    assert (image.media_type, image.width, image.height) == (media_type, 64, 48)
    shown = opened(image).convert("RGB").getpixel((30, 20))
    assert all(abs(there - here) < 12 for there, here in zip(shown, RED, strict=True))


def test_metadata_is_gone_and_the_orientation_is_applied_first() -> None:
    image = made(a_photo(orientation=6), "photo.jpg")

    assert (image.width, image.height) == (40, 80)
    assert not opened(image).getexif()
    assert b"Secret" not in image.content and b"Exif" not in image.content


def test_what_follows_the_picture_is_gone() -> None:
    image = made(a_picture("GIF") + PAGE)

    assert b"script" not in image.content


def test_text_chunks_and_color_profiles_of_a_png_are_gone() -> None:
    out, texts = io.BytesIO(), __import__("PIL.PngImagePlugin", fromlist=["PngInfo"]).PngInfo()
    texts.add_text("Comment", "SecretComment")
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=texts, icc_profile=b"SecretProfile")

    assert b"Secret" in out.getvalue() and b"Secret" not in made(out.getvalue()).content


def test_first_frame_of_an_animation_is_kept() -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, (0, 0, 255))]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])

    image = opened(made(out.getvalue()))

    assert getattr(image, "n_frames", 1) == 1
    assert image.convert("RGB").getpixel((4, 4)) == RED


def test_large_picture_becomes_smaller_within_the_bytes_that_are_stored() -> None:
    noise = Image.frombytes("RGB", (2400, 2400), random.Random(1).randbytes(2400 * 2400 * 3))
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=70)

    image = made(out.getvalue())

    assert max(image.width, image.height) <= RULES.max_side
    assert len(image.content) <= RULES.max_stored_bytes


def test_transparency_is_kept_and_is_white_where_the_file_must_be_smaller() -> None:
    clear = made(a_picture("WEBP", color=(0, 0, 0, 0), lossless=True))
    picture = uploaded_images.read(Upload("a", a_picture(color=(0, 0, 0, 0))), rules=RULES, field="images")
    small = uploaded_images.encode(picture, max_size=(200, 200), max_bytes=100)

    assert (clear.media_type, opened(clear).mode) == ("image/png", "RGBA")
    assert opened(small).convert("RGB").getpixel((1, 1)) == (255, 255, 255) or small.media_type == "image/png"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (PAGE, "isn’t a PNG, JPEG, WebP or GIF image"),
        (b"%PDF-1.7 and so on", "isn’t a PNG, JPEG, WebP or GIF image"),
        (a_picture("BMP"), "isn’t a PNG, JPEG, WebP or GIF image"),
        (a_picture("TIFF"), "isn’t a PNG, JPEG, WebP or GIF image"),
        (SVG, "is an SVG, which can contain scripts"),
        (b"\xef\xbb\xbf \n<svg onload=alert(1)>", "is an SVG, which can contain scripts"),
        (a_bomb(), "has too many pixels"),
        (a_bomb(5_001, 5_000), "is 5,001 × 5,000 pixels"),
        (a_bomb(12_000, 9_000), "pixels"),
        (a_webp_bomb(), "is 16,383 × 16,383 pixels"),
        (a_bomb(300, 300), "is damaged or incomplete"),
        (a_picture("JPEG", size=(400, 400))[:-400], "is damaged or incomplete"),
        (a_picture("PNG", size=(400, 400))[:-60], "is damaged or incomplete"),
        (a_picture("JPEG") + b"\xff\xda" * 100, "is damaged or incomplete"),
        (b"x" * (MAX_BYTES + 1), "is larger than 5 MB"),
    ],
)
def test_harmful_and_damaged_files_are_refused_by_name(content: bytes, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadInput) as refused:
            made(content, "picture.png")

    assert refused.value.field == "images"
    assert refused.value.message.startswith("“picture.png” ") and words in refused.value.message


def test_only_the_declared_size_of_a_bomb_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda _image: pytest.fail("decoded"))

    with pytest.raises(BadInput, match="pixels"):
        made(a_bomb(6_000, 6_000))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_no_damage_to_a_file_is_more_than_a_refusal(kind: str) -> None:
    chance, whole = random.Random(7), a_picture(kind, size=(40, 30))

    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            made(bytes(broken))
        except BadInput as refused:
            assert refused.field == "images"


def test_name_is_shown_as_one_short_line() -> None:
    name = "a\u202egnp.exe\n<b>" + "x" * 200

    shown = Upload(name, b"").shown_name

    assert shown.startswith("“agnp.exe<b>x") and len(shown) == 62
    assert Upload("\u202e\n", b"").shown_name == "The image"


def test_image_that_finds_no_turn_is_refused_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded_images, "WAIT_SECONDS", 0.01)

    with uploaded_images._ONE_AT_A_TIME, pytest.raises(TooManyTries, match="Try again in a few seconds"):
        made(a_picture())
