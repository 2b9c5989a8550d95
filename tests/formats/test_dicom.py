"""DICOM files: what people see of them, and what is said of one that has nothing to show."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import examples
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1

from chorus.server.formats import dicom
from chorus.server.formats.folder import list_folder
from chorus.server.formats.images import Fault, Prepared, prepare_batch, render
from chorus.server.storage.blobs import BlobStore

MOST = 10_000_000


def made(values: np.ndarray, **fields: object) -> bytes:
    """A small DICOM file of these 16-bit values: (rows, columns) or (frames, rows, columns)."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = "1.2.3"
    file.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    file.PatientName, file.Modality = "Doe^Jane", "CT"
    file.PhotometricInterpretation = "MONOCHROME2"
    file.SamplesPerPixel, file.PixelRepresentation = 1, 1
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
    *frames, file.Rows, file.Columns = values.shape
    if frames:
        file.NumberOfFrames = frames[0]
    file.PixelData = values.astype("<i2").tobytes()
    for name, value in fields.items():
        setattr(file, name, value)
    out = io.BytesIO()
    pydicom.dcmwrite(out, file, enforce_file_format=True)
    return out.getvalue()


def greys(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L")).astype(int)


RAMP = np.tile(np.arange(0, 2000, 20), (50, 1))


def test_the_files_own_window_in_its_own_units() -> None:
    data = made(
        RAMP, RescaleSlope="1", RescaleIntercept="-1000", WindowCenter=["40", "300"],
        WindowWidth=["400", "1500"],
    )  # fmt: skip
    found = dicom.read(data, MOST)
    assert (found.view.center, found.view.width) == (40, 400)
    assert (found.view.low, found.view.high) == (-1000, 980)
    row = greys(found.image())[0]
    hounsfield = np.arange(0, 2000, 20) - 1000
    assert (row[hounsfield <= -160] == 0).all()
    assert (row[hounsfield >= 240] == 255).all()
    assert abs(row[hounsfield == 40] - 128).max() <= 1
    assert (np.diff(row) >= 0).all()


def test_another_window_shows_other_values() -> None:
    found = dicom.read(made(RAMP, WindowCenter="100", WindowWidth="100"), MOST)
    assert greys(found.image())[0][60:].min() == 255
    wide = greys(found.image(1500, 900))[0]
    assert wide[:50].max() == 0
    assert 100 < wide[75] < 155


def test_monochrome1_is_turned_round() -> None:
    plain, turned = (
        greys(dicom.read(made(RAMP, PhotometricInterpretation=kind), MOST).image())
        for kind in ("MONOCHROME2", "MONOCHROME1")
    )
    assert (plain + turned == 255).all()


def test_without_a_window_nearly_everything_is_seen() -> None:
    values = RAMP.copy()
    values[0, 0] = 30_000  # a speck of metal
    row = greys(dicom.read(made(values), MOST).image())[1]
    assert row[2] < 10
    assert row[-3] > 245


@pytest.mark.parametrize(("frames", "middle"), [(1, 1), (2, 2), (5, 3)])
def test_of_several_frames_the_middle_one(frames: int, middle: int) -> None:
    values = np.stack([np.full((8, 9), n * 100) for n in range(1, frames + 1)])
    found = dicom.read(made(values), MOST)
    assert (found.view.frame, found.view.frames) == (middle, frames)
    assert found.values.shape == (8, 9)
    assert (found.values == middle * 100).all()


@pytest.mark.parametrize("name", ["ct", "mr", "palette_color", "rgb_color", "ybr_color", "jpeg2k"])
def test_real_files_go_in(tmp_path: Path, name: str) -> None:
    path = examples.get_path(name)
    (answer,) = prepare_batch([("a.dcm", str(path))], str(tmp_path))
    assert isinstance(answer, Prepared), answer
    assert answer.media_type == "application/dicom"
    assert answer.view is not None
    thumb = BlobStore(tmp_path).path(answer.content_hash, "m")
    with Image.open(thumb) as image:
        assert (image.mode, image.size) == ("RGB", (answer.width, answer.height))
        assert max(high - low for low, high in image.getextrema()) > 100
    assert BlobStore(tmp_path).path(answer.content_hash, "o").read_bytes() == path.read_bytes()


def test_a_window_can_be_rendered_from_the_original(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(made(RAMP, WindowCenter="100", WindowWidth="100"))
    render(str(path), str(tmp_path / "sub" / "out.jpg"), "m", 1500, 900)
    with Image.open(tmp_path / "sub" / "out.jpg") as image:
        assert greys(image)[:, :50].max() < 10
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["out.jpg"]


def no_picture() -> bytes:
    file = pydicom.dcmread(io.BytesIO(made(RAMP)))
    del file.PixelData
    out = io.BytesIO()
    file.save_as(out)
    return out.getvalue()


def lossless() -> bytes:
    file = pydicom.dcmread(io.BytesIO(made(RAMP)))
    file.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    file.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xc3nothing"])
    file["PixelData"].VR = "OB"
    file["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    file.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (no_picture(), "a DICOM file without a picture (CT)"),
        (lossless(), "its compression (JPEG Lossless"),
        (made(RAMP, Rows=60_000, Columns=60_000), "too large: 3,600 million pixels"),
        (made(RAMP, Rows=5_000), "cannot be decoded"),
        (made(RAMP, NumberOfFrames=2_000_000_000), "cannot be decoded"),
        (made(RAMP, PhotometricInterpretation="HSV"), "colours are of a kind that is not known"),
        (made(RAMP)[:200], "without a picture"),
    ],
)
def test_a_file_with_nothing_to_show_gets_its_reason(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    (answer,) = prepare_batch([("a", str(path))], str(tmp_path / "blobs"))
    assert isinstance(answer, Fault)
    assert words in answer.reason


@given(data=st.data())
@settings(max_examples=60)
def test_no_damage_stops_an_import(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "a"
    broken = bytearray(made(RAMP[:4, :5], WindowCenter="100", WindowWidth="100"))
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(132, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(broken)
    (answer,) = prepare_batch([("a", str(path))], str(path.parent / "blobs"))
    assert isinstance(answer, Prepared) or answer.reason


def test_a_folder_has_dicom_files_with_and_without_a_suffix(tmp_path: Path) -> None:
    for name in ("a.dcm", "IM00001", "sub/b.DICOM"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(made(RAMP))
    (tmp_path / "README").write_text("nothing")
    found, faults = list_folder(tmp_path)
    assert [name for name, _ in found] == ["IM00001", "a.dcm", "sub/b.DICOM"]
    assert [fault.name for fault in faults] == ["README"]
