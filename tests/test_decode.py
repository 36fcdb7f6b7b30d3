"""Decoding: every kind of picture becomes oriented RGB, every kind of broken one becomes a named failure."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from scanner.decode import decode
from scanner.limits import Limits
from scanner.records import DecodedImage, Failure, Reason
from scanner.room import has_room
from scanner.sniff import SNIFF_BYTES, webp_size

QUADRANTS = np.zeros((40, 60, 3), np.uint8)
QUADRANTS[:20, :30] = (250, 10, 10)
QUADRANTS[:20, 30:] = (10, 250, 10)
QUADRANTS[20:, :30] = (10, 10, 250)
QUADRANTS[20:, 30:] = (240, 240, 240)


def encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(data: bytes, **options: object) -> np.ndarray:
    result = decode(data, **options)
    assert isinstance(result, DecodedImage), result
    assert result.pixels.dtype == np.uint8 and result.pixels.ndim == 3 and result.pixels.shape[2] == 3
    return result.pixels


def close(a: np.ndarray, b: np.ndarray, tolerance: int = 12) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= tolerance


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_format_of_the_box_gives_its_pixels_and_its_name(format: str) -> None:
    options = {"quality": 95, "subsampling": 0} if format == "JPEG" else {"quality": 95} if format == "AVIF" else {}
    if format == "WEBP":
        options = {"lossless": True}
    result = decode(encoded(Image.fromarray(QUADRANTS), format, **options))
    assert isinstance(result, DecodedImage)
    assert (result.format, result.width, result.height) == (format, 60, 40)
    assert np.abs(result.pixels[5:15, 5:25].astype(int) - QUADRANTS[5:15, 5:25]).max() <= 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_orientation_is_applied_as_pillow_applies_it(orientation: int, format: str) -> None:
    from PIL import ImageOps

    picture = Image.fromarray(QUADRANTS)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture, format, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    result = decode(data)
    assert isinstance(result, DecodedImage)
    assert np.array_equal(result.pixels, expected)
    assert (result.height, result.width) == expected.shape[:2]


def test_alpha_is_laid_on_white() -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4] = (200, 0, 0, 255)
    assert pixels(encoded(Image.fromarray(rgba), "PNG"))[6, 6].tolist() == [255, 255, 255]
    assert pixels(encoded(Image.fromarray(rgba), "PNG"))[1, 1].tolist() == [200, 0, 0]


def test_a_palette_with_transparency_is_laid_on_white() -> None:
    picture = Image.fromarray(QUADRANTS).quantize(8)
    index = picture.getpixel((5, 5))
    out = pixels(encoded(picture, "PNG", transparency=index))
    assert out[5, 5].tolist() == [255, 255, 255]
    assert close(out[30:31, 50:51], QUADRANTS[30:31, 50:51])


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    for format in ("PNG", "TIFF"):
        out = pixels(encoded(Image.fromarray(ramp), format))
        assert len(np.unique(out)) > 250
        assert out[0, 0, 0] == 0 and out[-1, -1, 0] == 255


def test_float_grey_is_scaled_and_survives_nan() -> None:
    plane = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    plane[0, 0] = np.nan
    out = pixels(encoded(Image.fromarray(plane), "TIFF"))
    assert out.max() == 255 and len(np.unique(out)) > 200


def test_cmyk_jpeg_is_read_with_its_inks_the_right_way_round() -> None:
    out = pixels(encoded(Image.fromarray(QUADRANTS).convert("CMYK"), "JPEG", quality=95, subsampling=0))
    assert np.abs(out[5:15, 5:25].astype(int) - QUADRANTS[5:15, 5:25]).max() < 30


def test_a_profile_that_is_not_srgb_is_applied_and_a_broken_one_is_ignored() -> None:
    plain = pixels(encoded(Image.fromarray(QUADRANTS), "PNG"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(pixels(encoded(Image.fromarray(QUADRANTS), "PNG", icc_profile=srgb)), plain)
    assert np.array_equal(pixels(encoded(Image.fromarray(QUADRANTS), "PNG", icc_profile=b"not a profile")), plain)
    swapped = srgb.replace(b"rXYZ", b"TEMP").replace(b"gXYZ", b"rXYZ").replace(b"TEMP", b"gXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))
    out = pixels(encoded(Image.fromarray(QUADRANTS), "PNG", icc_profile=swapped))
    assert out[5, 5, 1] > 200 and out[5, 5, 0] < 60  # red and green primaries change places


def test_a_jpeg_decoded_at_a_smaller_scale_keeps_the_short_side_and_the_true_size() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1000, 1400, 3), np.uint8)
    result = decode(encoded(Image.fromarray(noise), "JPEG"), short_side=240)
    assert isinstance(result, DecodedImage)
    assert result.pixels.shape == (250, 350, 3)
    assert (result.width, result.height) == (1400, 1000)


def test_the_fast_path_gives_the_pixels_of_pillow_whole_and_scaled() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (301, 455, 3), np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", quality=80)
    with Image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(pixels(data), np.asarray(picture))
    with Image.open(io.BytesIO(data)) as picture:
        picture.draft(None, (227, 150))
        assert np.array_equal(pixels(data, short_side=150), np.asarray(picture))


def test_a_jpeg_with_a_recoverable_error_is_read_as_pillow_reads_it() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
    data = bytearray(encoded(Image.fromarray(noise), "JPEG"))
    data[-2:-2] = b"\xff\xd0" * 3  # stray restart markers before the end
    with Image.open(io.BytesIO(bytes(data))) as picture:
        assert np.array_equal(pixels(bytes(data)), np.asarray(picture))


JPEG = encoded(Image.fromarray(np.random.default_rng(4).integers(0, 255, (300, 300, 3), np.uint8)), "JPEG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"hello, world, this is text", Reason.NOT_A_PICTURE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Reason.NOT_A_PICTURE),
        (b"%PDF-1.7\n" + bytes(100), Reason.NOT_A_PICTURE),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(100), Reason.NOT_A_PICTURE),
        (b"8BPS\x00\x01" + bytes(100), Reason.UNSUPPORTED),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(100), Reason.UNSUPPORTED),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(100), Reason.UNSUPPORTED),
        (JPEG[: len(JPEG) // 2], Reason.TRUNCATED),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), Reason.CORRUPT),
        (b"\xff\xd8\xff" + bytes(100), Reason.CORRUPT),
    ],
)
def test_what_cannot_be_decoded_is_a_failure_with_its_reason(data: bytes, reason: Reason) -> None:
    result = decode(data)
    assert isinstance(result, Failure)
    assert result.reason is reason
    assert result.detail and "\n" not in result.detail


def test_a_picture_over_the_pixel_limit_is_refused_before_its_pixels_are_read() -> None:
    data = encoded(Image.new("1", (20_000, 20_000)), "PNG")
    result = decode(data)
    assert isinstance(result, Failure) and result.reason is Reason.TOO_MANY_PIXELS


def test_a_jpeg_counts_at_the_scale_at_which_it_is_decoded() -> None:
    data = encoded(Image.new("RGB", (1600, 1600)), "JPEG")
    limits = Limits(max_pixels=300_000)
    assert isinstance(decode(data, limits=limits), Failure)
    assert isinstance(decode(data, short_side=400, limits=limits), DecodedImage)


EXIF = b"Exif\0\0II*\0\x08\0\0\0\0\0"


@pytest.mark.parametrize("size", [(1, 1), (60, 40), (1000, 3), (16383, 2)])
@pytest.mark.parametrize("form", ["VP8 ", "VP8L", "VP8X"])
def test_the_head_of_a_webp_file_tells_its_size(form: str, size: tuple[int, int]) -> None:
    options = {"exif": EXIF} if form == "VP8X" else {"lossless": form == "VP8L"}
    data = encoded(Image.new("RGB", size), "WEBP", **options)
    assert data[12:16] == form.encode()
    assert webp_size(data[:SNIFF_BYTES]) == size
    assert webp_size(data[:29]) is None


def test_a_webp_canvas_over_the_limit_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(encoded(Image.new("RGB", (64, 64)), "WEBP", exif=EXIF))
    data[24:30] = b"\xff" * 6
    monkeypatch.setattr(Image, "open", lambda *args, **options: pytest.fail("opened"))
    result = decode(bytes(data))
    assert isinstance(result, Failure)
    assert (result.reason, result.detail) == (
        Reason.TOO_MANY_PIXELS,
        "16777216x16777216 is over 120000000 pixels",
    )


def test_a_broken_picture_is_short_of_memory_only_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(QUADRANTS), "PNG").replace(b"IDAT\x78", b"IDAT\x00")
    for room, reason in ((True, Reason.CORRUPT), (False, Reason.OUT_OF_MEMORY)):
        asked: list[int] = []
        monkeypatch.setattr("scanner.decode.has_room", lambda pixels, a=asked, r=room: a.append(pixels) or r)
        result = decode(data)
        assert isinstance(result, Failure) and result.reason is reason, result
        assert asked == [60 * 40]
    assert isinstance(decode(JPEG[: len(JPEG) // 2]), Failure)  # truncated is truncated


def test_there_is_room_for_what_is_small_and_none_for_what_no_machine_has() -> None:
    assert has_room(0) and has_room(1_000_000)
    assert not has_room(10**18)


SEEDS = [
    encoded(Image.fromarray(QUADRANTS), format) for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.floats(0, 1), st.binary(min_size=1, max_size=8))
def test_what_pillow_cannot_load_is_never_pixels(seed: bytes, position: float, bytes_put_in: bytes) -> None:
    spot = int(position * (len(seed) - len(bytes_put_in)))
    data = seed[:spot] + bytes_put_in + seed[spot + len(bytes_put_in) :]
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
    except Exception:
        assert isinstance(decode(data), Failure)


def test_a_png_with_broken_pixels_is_no_black_picture() -> None:
    data = encoded(Image.fromarray(QUADRANTS), "PNG").replace(b"IDAT\x78", b"IDAT\x00")
    result = decode(data)
    assert isinstance(result, Failure) and result.reason is Reason.CORRUPT


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_mutated_pictures_never_raise(seed: bytes, edits: list[tuple[float, int]]) -> None:
    data = bytearray(seed)
    for position, value in edits:
        data[min(len(data) - 1, int(position * len(data)))] = value
    assert isinstance(decode(bytes(data)), DecodedImage | Failure)
