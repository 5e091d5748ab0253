"""Stored numbers of one plane, decompressed, in native order: (h, w, samples).

pydicom decodes; where it lacks a decoder (JPEG lossless, JPEG-LS, 12-bit JPEG) imagecodecs does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile
from segcore.images.dicom_header import Header, pydicom_module

# Transfer syntax to the decoder's name in imagecodecs (PS3.6 annex A).
_CODECS = {
    "1.2.840.10008.1.2.4.50": "jpeg_decode",
    "1.2.840.10008.1.2.4.51": "jpeg_decode",
    "1.2.840.10008.1.2.4.57": "ljpeg_decode",
    "1.2.840.10008.1.2.4.70": "ljpeg_decode",
    "1.2.840.10008.1.2.4.80": "jpegls_decode",
    "1.2.840.10008.1.2.4.81": "jpegls_decode",
    "1.2.840.10008.1.2.4.90": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.91": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.201": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.202": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.203": "jpeg2k_decode",
}


class PlaneDecoder:
    """Decodes the frames of one source's files.

    A compressed film's file is parsed once and kept, packed, until another file is asked for;
    of an uncompressed one each frame is read where it lies.
    """

    def __init__(self) -> None:
        self._kept: tuple[Path, Any] | None = None

    def forget(self) -> None:
        """Let go of the file that is kept."""
        self._kept = None

    def decode(self, header: Header, frame: int) -> NDArray[Any]:
        """Decode one frame of a file; YBR and palette come out as red, green, blue.

        Returns
        -------
        (h, w, 1) of the stored type, or (h, w, 3); a palette's colours are uint8.

        Raises
        ------
        BadFile
            Where the pixels are damaged, cut off, or compressed in a way that nobody here decodes.
        """
        try:
            pixels = self._colours(header, frame)
        except BadFile:
            raise
        except FileNotFoundError:
            raise BadFile(
                f"{header.path.name} is gone.", "Check whether it was moved or deleted."
            ) from None
        except Exception:
            # Whatever a decoder runs into in a damaged stream; there is no list of it.
            raise BadFile(
                f"{header.path.name} is damaged or cut off: its pixels cannot be decoded.",
                "Copy or export it again from its source.",
            ) from None
        if pixels.ndim == 2:
            pixels = pixels[..., np.newaxis]
        if pixels.shape != (*header.size, header.channels):
            raise BadFile(
                f"{header.path.name} does not hold what its header says.",
                "Copy or export it again from its source.",
            )
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)

    def _colours(self, header: Header, frame: int) -> NDArray[Any]:
        from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

        needs_table = header.is_palette or bool(header.modality_lut_bits)
        if header.has_preamble and not header.is_compressed and not needs_table:
            return np.asarray(pixel_array(header.path, index=frame))
        dataset = self._dataset(header)
        stored = _decode(dataset, header, frame)
        if header.is_palette:
            colours: NDArray[Any] = apply_color_lut(stored, dataset)
            # Palettes of 16 bits are colours for a screen all the same.
            return (colours >> 8).astype(np.uint8) if colours.dtype.itemsize == 2 else colours
        if header.modality_lut_bits:
            table = np.dtype(f"u{header.modality_lut_bits // 8}")
            return np.asarray(apply_modality_lut(stored, dataset)).astype(table)
        return stored

    def _dataset(self, header: Header) -> Any:
        if self._kept is not None and self._kept[0] == header.path:
            return self._kept[1]
        dataset = pydicom_module().dcmread(header.path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = _guessed_syntax(dataset)
        self._kept = (header.path, dataset) if len(header.planes) > 1 else None
        return dataset


def _guessed_syntax(dataset: Any) -> Any:
    """How a file without its meta header is encoded, by how its elements could be read."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _decode(dataset: Any, header: Header, frame: int) -> NDArray[Any]:
    from pydicom.pixels import get_decoder, pixel_array

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        has_decoder = bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        has_decoder = False
    codec = _codec(str(syntax))
    if has_decoder:
        try:
            return np.asarray(pixel_array(dataset, index=frame))
        except (RuntimeError, NotImplementedError):
            # A decoder is there that cannot do this stream, as Pillow with 12 bits.
            if codec is None:
                raise
    if codec is None:
        raise BadFile(
            f"{header.path.name} is compressed in a way that is not read here "
            f"({getattr(syntax, 'name', syntax)}).",
            "Export it again without compression, or with JPEG 2000 or RLE.",
        )
    return _decode_with(codec, dataset, header, frame)


def _decode_with(
    codec: Callable[[bytes], Any], dataset: Any, header: Header, frame: int
) -> NDArray[Any]:
    from pydicom.encaps import get_frame

    data = get_frame(dataset.PixelData, frame, number_of_frames=len(header.planes))
    pixels = np.asarray(codec(data))
    if header.samples == 3 and header.photometric.startswith("YBR_FULL"):
        from pydicom.pixels import convert_color_space

        pixels = np.asarray(convert_color_space(pixels, header.photometric, "RGB"))
    if header.stored.kind == "i" and pixels.dtype.kind == "u":
        # The codec knows no sign; the stored bits carry it.
        shift = header.stored.itemsize * 8 - header.bits
        raised = pixels.astype(np.uint32) << shift
        unsigned = np.dtype(f"u{header.stored.itemsize}")
        pixels = raised.astype(unsigned).view(header.stored) >> shift
    return pixels.astype(header.stored, copy=False)


def _codec(syntax: str) -> Callable[[bytes], Any] | None:
    import imagecodecs

    found: Callable[[bytes], Any] | None = getattr(imagecodecs, _CODECS.get(syntax, ""), None)
    return found
