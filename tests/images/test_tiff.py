"""TIFF against tifffile and Pillow; tiles that are not touched are not decoded."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segcore import images
from segcore.base import BadFile, Rect, Spacing

RNG = np.random.default_rng(5)


def blocks(*shape: int) -> np.ndarray:
    """Random values in blocks of 8 x 8, which JPEG keeps; trailing axis 3."""
    small = RNG.integers(0, 256, (*(n // 8 for n in shape), 3)).astype(np.uint8)
    return small.repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_every_layout_reads_as_tifffile_reads_it(
    tmp_path: Path, planar: str, tile: Any, compression: Any, byteorder: str, dtype: type
) -> None:
    stack = (RNG.random((4, 70, 101, 3)) * 200 - 50).astype(dtype)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path,
        np.moveaxis(stack, -1, 1) if planar == "separate" else stack,
        photometric="rgb",
        planarconfig=planar,
        compression=compression,
        byteorder=byteorder,
        **({"tile": tile} if tile else {"rowsperstrip": 16}),
    )
    with images.open(path) as source:
        assert source.shape == (4, 70, 101)
        assert source.dtype == dtype
        rect = Rect(13, 40, 30, 55)
        narrow = Rect(60, 97, 10, 4)
        for z in range(4):
            assert np.array_equal(source.read(z), stack[z])
            assert np.array_equal(source.read(z, rect), stack[z][rect.slices])
            assert np.array_equal(source.read(z, narrow, channels=(2,)), stack[z][60:, 97:, 2:])


def test_a_rectangle_decodes_only_the_tiles_that_it_touches(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shared_data / "odd" / "pyramid_tiled.tif"
    expected = tifffile.imread(path)
    with images.open(path) as source:
        decoded = []
        page = source._readers[0].page  # type: ignore[attr-defined]
        real = page.decode
        monkeypatch.setitem(
            page.__dict__,
            "decode",
            lambda data, index, **more: decoded.append(index) or real(data, index, **more),
        )
        rect = Rect(120, 250, 20, 20)  # over the corner of four tiles of 128 x 128, 8 in a row
        assert np.array_equal(source.read(rect=rect), expected[rect.slices])
        assert sorted(decoded) == [1, 2, 9, 10]
        source.read(rect=Rect(130, 260, 50, 60))
        assert sorted(decoded) == [1, 2, 9, 10], "the tile is still in the cache"


def test_levels_of_a_pyramid_have_exact_scales(shared_data: Path) -> None:
    path = shared_data / "odd" / "pyramid_tiled.tif"
    with images.open(path) as source, tifffile.TiffFile(path) as oracle:
        assert [level.shape for level in source.levels] == [
            (1, 768, 1024),
            (1, 384, 512),
            (1, 192, 256),
        ]
        assert [level.scale for level in source.levels] == [(1, 1), (2, 2), (4, 4)]
        for number, level in enumerate(oracle.series[0].levels):
            assert np.array_equal(source.read(level=number), level.asarray())


def test_an_odd_pyramid_has_a_scale_that_is_no_power_of_two(tmp_path: Path) -> None:
    path = tmp_path / "odd.tif"
    full = blocks(104, 200)[:101, :]
    with tifffile.TiffWriter(path) as tif:
        tif.write(full, photometric="rgb", subifds=1, tile=(32, 32))
        tif.write(full[:100:2, ::2], photometric="rgb", subfiletype=1, tile=(32, 32))
    with images.open(path) as source:
        assert source.levels[1].shape == (1, 50, 100)
        assert source.levels[1].scale == (101 / 50, 2.0)
        assert source.read(level=1, rect=Rect(49, 99, 1, 1)).shape == (1, 1, 3)


def test_a_jpeg_pyramid_in_pages_is_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    full = blocks(256, 256)
    with tifffile.TiffWriter(path) as tif:
        for step in (1, 2, 4):
            tif.write(
                full[::step, ::step],
                subfiletype=int(step > 1),
                tile=(64, 64),
                compression="jpeg",
                photometric="rgb",
            )
    with images.open(path) as source:
        assert source.axes == "yx"
        assert len(source.levels) == 3
        assert source.hints == ()
        assert np.array_equal(source.read(), tifffile.imread(path, key=0))
        assert np.array_equal(source.read(level=2), tifffile.imread(path, key=2))


def test_channels_and_slices_and_times_keep_their_meaning(tmp_path: Path) -> None:
    stack = RNG.integers(0, 60_000, (3, 5, 2, 40, 50)).astype(np.uint16)
    path = tmp_path / "cells.ome.tif"
    names = {"Channel": {"Name": ["DAPI", "GFP"]}}
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2}
    tifffile.imwrite(path, stack, compression="zlib", metadata={"axes": "TZCYX", **names, **size})
    with images.open(path) as source:
        assert source.shape == (15, 40, 50)
        assert source.channel_names == ("DAPI", "GFP")
        assert source.spacing == Spacing(0.002, 0.00025, 0.0005)
        assert "3 x 5 planes" in source.hints[0]
        assert np.array_equal(source.read(7), np.moveaxis(stack[1, 2], 0, -1))
        assert np.array_equal(source.read(7, channels=(1,))[..., 0], stack[1, 2, 1])


@pytest.mark.parametrize(("letter", "axes"), [("Z", "zyx"), ("T", "tyx")])
def test_imagej_stacks_know_their_axis_and_spacing(tmp_path: Path, letter: str, axes: str) -> None:
    stack = RNG.integers(0, 60_000, (6, 20, 30)).astype(np.uint16)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path,
        stack,
        imagej=True,
        resolution=(4, 5),
        metadata={"axes": f"{letter}YX", "unit": "micron", "spacing": 3},
    )
    with images.open(path) as source:
        assert source.axes == axes
        assert source.spacing == pytest.approx((0.003, 0.0002, 0.00025))
        assert np.array_equal(source.read(5)[..., 0], stack[5])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_axes_that_nobody_named_are_planes_one_after_another(
    tmp_path: Path, compression: Any
) -> None:
    stack = RNG.integers(0, 60_000, (2, 3, 4, 20, 30)).astype(np.uint16)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", compression=compression)
    with images.open(path) as source:
        assert (source.shape, source.axes, source.channels) == ((24, 20, 30), "pyx", 1)
        for z in (0, 7, 23):
            assert np.array_equal(source.read(z)[..., 0], stack.reshape(24, 20, 30)[z])


def test_dots_per_inch_are_no_spacing(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    Image.fromarray(blocks(16, 16)).save(path, dpi=(300, 300))
    assert images.open(path).spacing is None


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16])
def test_white_is_zero_is_shown_as_pillow_shows_it(
    tmp_path: Path, photometric: str, dtype: type
) -> None:
    values = RNG.integers(0, 2 if dtype is bool else 256, (33, 45)).astype(dtype)
    path = tmp_path / "fax.tif"
    tifffile.imwrite(path, values, photometric=photometric)
    top = {bool: 1, np.uint8: 255, np.uint16: 65535}[dtype]
    expected = values.astype(int)
    if photometric == "miniswhite":
        expected = top - expected
    if dtype is bool:
        expected = expected * 255
    with images.open(path) as source:
        assert np.array_equal(source.read()[..., 0], expected)
    if dtype is not np.uint16:
        with Image.open(path) as opened:
            assert np.array_equal(np.asarray(opened.convert("L")), expected)


@pytest.mark.parametrize("mode", ["P", "CMYK", "RGBA", "LA", "1"])
def test_colours_are_those_of_pillow(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "picture.tif"
    picture = Image.fromarray(blocks(32, 48))
    stored = picture.quantize(16) if mode == "P" else picture.convert(mode)
    stored.save(path, compression="tiff_lzw")
    grey = mode in ("LA", "1")
    with images.open(path) as source:
        expected = np.asarray(stored.convert("L" if grey else "RGB"))
        assert source.has_alpha == mode.endswith("A")
        assert np.array_equal(source.read(), expected[..., None] if grey else expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_turns_rectangles_too(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "turned.tif"
    stored = RNG.integers(0, 256, (40, 64, 3)).astype(np.uint8)
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(path, stored, photometric="rgb", tile=(16, 16), extratags=[tag])
    with Image.open(path) as opened:
        opened.load()
        from PIL import ImageOps

        expected = np.asarray(ImageOps.exif_transpose(opened))
    with images.open(path) as source:
        assert np.array_equal(source.read(), expected)
        rect = Rect(3, 7, 20, 30)
        assert np.array_equal(source.read(rect=rect), expected[rect.slices])


def test_a_volume_of_blocks_reads_slice_by_slice(tmp_path: Path) -> None:
    path = tmp_path / "volume.tif"
    volume = RNG.integers(0, 256, (40, 64, 48)).astype(np.uint8)
    tifffile.imwrite(path, volume, volumetric=True, tile=(16, 32, 16), compression="zlib")
    with images.open(path) as source:
        assert source.shape == (40, 64, 48)
        for z in (0, 15, 16, 39):
            assert np.array_equal(source.read(z)[..., 0], volume[z])


def test_a_sparse_file_has_zeros_where_it_has_no_tile(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(
            (tile for tile in [np.full((16, 16), 9, np.uint8), None, None, None]),
            shape=(32, 32),
            dtype=np.uint8,
            tile=(16, 16),
            compression="zlib",
        )
    pixels = images.open(path).read()[..., 0]
    assert (pixels[:16, :16] == 9).all()
    assert pixels[16:].max() == 0


def test_the_limit_is_on_one_tile_and_not_on_the_picture(tmp_path: Path) -> None:
    picture = np.zeros((2048, 2048), np.uint8)
    tiled, striped = tmp_path / "tiled.tif", tmp_path / "one_strip.tif"
    tifffile.imwrite(tiled, picture, tile=(256, 256), compression="zlib")
    tifffile.imwrite(striped, picture, rowsperstrip=2048, compression="zlib")
    with images.open(tiled, limit_bytes=2**17) as source:
        assert source.read(rect=Rect(0, 0, 9, 9)).shape == (9, 9, 1)
    with pytest.raises(BadFile, match="too large to decode at once: one piece of its"):
        images.open(striped, limit_bytes=2**17)


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "spectrum.tif"
    tifffile.imwrite(path, np.ones((8, 8), np.complex64))
    with pytest.raises(BadFile, match="numbers of type complex64"):
        images.open(path)


@settings(max_examples=100, deadline=None)
@given(
    cut=st.floats(0, 1),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=6),
    tile=st.booleans(),
)
def test_a_damaged_tiff_never_raises_anything_but_a_sentence(
    tmp_path_factory: pytest.TempPathFactory,
    cut: float,
    changes: list[tuple[int, int]],
    tile: bool,
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "damaged.tif"
    more = {"tile": (16, 16)} if tile else {}
    tifffile.imwrite(path, blocks(32, 32), photometric="rgb", compression="zlib", **more)
    content = bytearray(path.read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    path.write_bytes(content[: int(len(content) * cut) + 1])
    with contextlib.suppress(BadFile):
        images.open(path, limit_bytes=10**8).read(rect=Rect(0, 0, 1, 1))
