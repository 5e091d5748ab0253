"""Pictures against Pillow and OpenCV, and what a header must say before a pixel is decoded."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from segcore import images
from segcore.base import BadFile, Rect
from segcore.images.raster_header import read_header


def scene(height: int = 37, width: int = 53, channels: int = 3) -> np.ndarray:
    """A smooth picture that shows turning, mirroring and swapped channels."""
    y, x = np.mgrid[:height, :width]
    planes = [x * 4 % 256, y * 6 % 256, (x + y) * 2 % 256, 255 - x * 2 % 256]
    picture = np.stack(planes[:channels], axis=-1).astype(np.uint8)
    picture[2:9, 3:12] = (250, 10, 20, 99)[:channels]
    return picture


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_orientation_is_applied_as_pillow_does(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    path = tmp_path / f"turned{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(scene()).save(path, exif=exif, quality=95)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB")).astype(int)
    with images.open(path) as source:
        pixels = source.read().astype(int)
        assert source.shape[1:] == expected.shape[:2]
    # Two JPEG decoders may round differently by a grey value or two.
    assert np.abs(pixels - expected).max() <= (0 if suffix == ".png" else 6)


@pytest.mark.parametrize("order", ["II", "MM"])
def test_orientation_is_read_from_both_byte_orders(tmp_path: Path, order: str) -> None:
    sign = "<" if order == "II" else ">"
    tiff = order.encode() + struct.pack(sign + "HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, 8, 0, 0)
    block = b"Exif\0\0" + tiff
    plain = tmp_path / "plain.jpg"
    Image.fromarray(scene()).save(plain)
    data = plain.read_bytes()
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(
        data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    )
    assert read_header(turned).orientation == 8
    assert images.open(turned).shape == (1, 53, 37)


def test_sixteen_bit_colours_keep_sixteen_bits(tmp_path: Path) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), deep[..., ::-1])
    with images.open(path) as source:
        assert source.dtype == np.uint16
        assert np.array_equal(source.read(), deep)
    with Image.open(path) as cut:
        assert np.asarray(cut).dtype == np.uint8, "Pillow keeps the depth now; it could decode this"


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_said_and_left_out_and_colours_stay_as_stored(
    tmp_path: Path, depth: type, channels: int
) -> None:
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, np.iinfo(depth).max, (12, 15, channels)).astype(depth)
    pixels[3] = 0  # clear places keep their colour
    path = tmp_path / "alpha.png"
    colour = {2: 4, 4: 6}[channels]
    _write_png(path, pixels, colour)
    with images.open(path) as source:
        assert source.has_alpha
        assert source.channels == channels - 1
        assert np.array_equal(source.read(), pixels[..., :-1])


def test_a_colour_key_counts_as_alpha(tmp_path: Path) -> None:
    path = tmp_path / "key.png"
    Image.fromarray(scene()).save(path, transparency=(250, 10, 20))
    with images.open(path) as source:
        assert source.has_alpha
        assert np.array_equal(source.read(), scene())


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_spread_to_the_whole_range(tmp_path: Path, bits: int) -> None:
    values = np.arange(16).reshape(1, 16).astype(np.uint8) % (1 << bits)
    packed = np.packbits(np.unpackbits(values.T, axis=1)[:, -bits:].reshape(-1))
    path = tmp_path / "few.png"
    _write_png_raw(path, 16, 1, bits, 0, b"\0" + packed.tobytes())
    with images.open(path) as source:
        assert source.channels == 1
        assert np.array_equal(source.read()[..., 0], values * (255 // ((1 << bits) - 1)))


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGB", ".bmp"), ("L", ".bmp"), ("1", ".bmp"), ("P", ".bmp"), ("RGB", ".webp"),
     ("P", ".gif"), ("P", ".png"), ("1", ".png"), ("L", ".jpg"), ("RGB", ".jpg")],
)  # fmt: skip
def test_pictures_look_as_pillow_shows_them(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    picture = Image.fromarray(scene())
    stored = picture.quantize(20) if mode == "P" else picture.convert(mode)
    stored.save(path, **({"lossless": True} if suffix == ".webp" else {}))
    with Image.open(path) as opened:
        expected = np.asarray(opened.convert("RGB")).astype(int)
    with images.open(path) as source:
        pixels = source.read().astype(int)
        assert source.shape[1:] == expected.shape[:2]
    assert np.abs(pixels - expected).max() <= (3 if suffix == ".jpg" else 0)


def test_cmyk_has_the_colours_of_pillow_and_not_the_inverse(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(scene()).convert("CMYK").save(path, quality=95)
    pixels = images.open(path).read()
    with Image.open(path) as opened:
        assert np.array_equal(pixels, np.asarray(opened.convert("RGB")))
    assert np.abs(pixels.astype(int) - scene()).mean() < 5


def test_a_rectangle_of_a_jpeg_is_the_cut_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(scene(130, 170)).save(path)
    with images.open(path) as source:
        whole = source.read()
        for rect in (Rect(0, 0, 1, 1), Rect(17, 33, 64, 48), Rect(129, 0, 1, 170)):
            assert np.array_equal(source.read(rect=rect), whole[rect.slices])
        assert np.array_equal(source.read(channels=(2, 0)), whole[..., [2, 0]])


def test_the_bomb_is_refused_before_anything_is_allocated(shared_data: Path) -> None:
    path = shared_data / "odd" / "bomb_100000x100000.png"
    tracemalloc.start()
    try:
        with pytest.raises(BadFile, match=r"need 30\.0 GB, the limit is 1\.0 GB"):
            images.open(path, limit_bytes=10**9)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_the_limit_is_on_bytes_and_can_be_raised(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(scene(100, 100)).save(path)
    with pytest.raises(BadFile, match="too large"):
        images.open(path, limit_bytes=29_999)
    assert images.open(path, limit_bytes=30_000).read().shape == (100, 100, 3)


@pytest.mark.parametrize(("width", "height"), [(40_000, 40_000), (2**20 + 1, 1)])
def test_what_opencv_does_not_decode_is_told_before_it_tries(
    tmp_path: Path, width: int, height: int
) -> None:
    path = tmp_path / "vast.png"
    _write_png_raw(path, width, height, 8, 0, b"")
    with pytest.raises(BadFile, match="pixels, more than a PNG is decoded with here"):
        images.open(path, limit_bytes=2**40)


def test_a_twelve_bit_jpeg_is_refused_by_its_depth(tmp_path: Path) -> None:
    path = tmp_path / "deep.jpg"
    Image.fromarray(scene()).save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"\xff\xc0") + 4] = 12
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"deep\.jpg is a JPEG of 12 bits a channel"):
        images.open(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), suffix=st.sampled_from([".png", ".jpg", ".webp", ".bmp", ".gif"]))
def test_a_picture_cut_off_anywhere_is_refused_or_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("cut") / f"cut{suffix}"
    Image.fromarray(scene()).save(path)
    whole, expected = path.read_bytes(), images.open(path).read()
    length = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:length])
    with contextlib.suppress(BadFile):
        # Where it is not refused, nothing but the trailer is missing.
        assert np.array_equal(images.open(path).read(), expected)


@settings(max_examples=150, deadline=None)
@given(
    suffix=st.sampled_from([".png", ".jpg", ".webp", ".bmp", ".gif"]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_damaged_picture_never_raises_anything_but_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"damaged{suffix}"
    Image.fromarray(scene()).save(path)
    content = bytearray(path.read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    path.write_bytes(content)
    with contextlib.suppress(BadFile):
        images.open(path, limit_bytes=10**8).read()


def test_a_text_that_begins_like_a_bitmap_is_no_bitmap(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("BMW and Audi build cars, none of which is a picture.")
    with pytest.raises(BadFile, match="not an image of a known kind"):
        images.open(path)


def test_a_name_beyond_ascii_opens(tmp_path: Path) -> None:
    path = tmp_path / "Bäume 樹木.png"
    Image.fromarray(scene()).save(path)
    assert np.array_equal(images.open(path).read(), scene())


def _write_png(path: Path, pixels: np.ndarray, colour: int) -> None:
    """A PNG of any colour type; neither library writes grey with alpha in 16 bits."""
    height, width, _ = pixels.shape
    bits = pixels.dtype.itemsize * 8
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    _write_png_raw(path, width, height, bits, colour, raw)


def _write_png_raw(path: Path, width: int, height: int, bits: int, colour: int, raw: bytes) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
