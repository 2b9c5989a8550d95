"""Real files, made by Pillow: what goes in, what is refused and with which words."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chorus.server.formats.images import Fault, Prepared, prepare_batch
from chorus.server.jobs.pool import Pool
from chorus.server.services import preparing
from chorus.server.storage.blobs import BlobStore


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth colours, so that JPEG keeps them; the upper left corner is red."""
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 200, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    image.paste((250, 5, 5), (0, 0, width // 2, height // 2))
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def prepare(blobs: BlobStore, tmp_path: Path, data: bytes, name: str = "a.jpg") -> Prepared | Fault:
    path = tmp_path / "in"
    path.write_bytes(data)
    (answer,) = prepare_batch([(name, str(path))], str(blobs.root))
    return answer


def good(answer: Prepared | Fault) -> Prepared:
    assert isinstance(answer, Prepared), answer
    return answer


def is_red(image: Image.Image, x: float, y: float) -> bool:
    """Is the pixel at these shares of width and height red?"""
    at = (int(image.width * x), int(image.height * y))
    red, green, blue = image.convert("RGB").getpixel(at)
    return red > 200 and green < 70 and blue < 70


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
    ],
)
def test_every_kind_goes_in_whatever_its_name(
    blobs: BlobStore, tmp_path: Path, kind: str, media_type: str
) -> None:
    data = encoded(picture(300, 200), kind)
    answer = good(prepare(blobs, tmp_path, data, "misnamed.jpg"))
    assert answer == Prepared(
        "misnamed.jpg", hashlib.sha256(data).hexdigest(), 300, 200, media_type, len(data)
    )
    original = blobs.path(answer.content_hash, "o")
    assert original.read_bytes() == data
    assert blobs.media_type(original) == media_type
    thumb = blobs.path(answer.content_hash, "s")
    assert blobs.media_type(thumb) == "image/jpeg"
    with Image.open(thumb) as image:
        assert image.size == (256, 171)
        assert is_red(image, 0.25, 0.25)
        assert not is_red(image, 0.75, 0.75)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_small_picture_is_its_own_thumbnail(blobs: BlobStore, tmp_path: Path, kind: str) -> None:
    answer = good(prepare(blobs, tmp_path, encoded(picture(200, 256), kind)))
    original = blobs.path(answer.content_hash, "o")
    assert blobs.path(answer.content_hash, "s") == original
    assert blobs.path(answer.content_hash, "m") == original


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
def test_a_small_picture_that_browsers_do_not_show_gets_thumbnails(
    blobs: BlobStore, tmp_path: Path, kind: str
) -> None:
    answer = good(prepare(blobs, tmp_path, encoded(picture(50, 40), kind)))
    for size in ("s", "m"):
        path = blobs.path(answer.content_hash, size)
        assert blobs.media_type(path) == "image/jpeg"
        with Image.open(path) as image:
            assert image.size == (50, 40)  # never enlarged


def test_a_large_photo_gets_both_sizes(blobs: BlobStore, tmp_path: Path) -> None:
    answer = good(prepare(blobs, tmp_path, encoded(picture(4000, 3000), "JPEG")))
    assert (answer.width, answer.height) == (4000, 3000)
    for size, expected in (("m", (1024, 768)), ("s", (256, 192))):
        with Image.open(blobs.path(answer.content_hash, size)) as image:
            assert image.size == expected
            assert is_red(image, 0.25, 0.25)
            assert not is_red(image, 0.75, 0.25)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(60, 40), (3000, 2000)])
def test_exif_orientation_is_applied(
    blobs: BlobStore, tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    """Eight files that show the same upright picture."""
    store_as = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    upright = picture(*size)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if store_as is None else upright.transpose(store_as)
    answer = good(prepare(blobs, tmp_path, encoded(stored, "JPEG", exif=exif)))
    assert (answer.width, answer.height) == size
    with Image.open(blobs.path(answer.content_hash, "s")) as image:
        assert image.width > image.height
        assert [is_red(image, x, y) for x, y in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75))] == [
            True,
            False,
            False,
        ]


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_colour_mode_becomes_an_rgb_thumbnail(
    blobs: BlobStore, tmp_path: Path, mode: str
) -> None:
    image = picture(400, 300)
    if mode == "I;16":
        image = Image.fromarray(np.linspace(0, 60000, 120000).reshape(300, 400).astype(np.uint16))
    else:
        image = image.convert("L").convert(mode) if mode in ("I", "F") else image.convert(mode)
    answer = good(prepare(blobs, tmp_path, encoded(image, "TIFF"), "a.tif"))
    with Image.open(blobs.path(answer.content_hash, "s")) as thumb:
        assert (thumb.mode, thumb.size) == ("RGB", (256, 192))
        low, high = thumb.convert("L").getextrema()
        assert high - low > 60  # the picture is still there


@pytest.mark.parametrize("depth", ["8 bits", "16 bits, grey", "16 bits, colour"])
@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_deep_pictures_keep_their_shades(
    blobs: BlobStore, tmp_path: Path, kind: str, depth: str
) -> None:
    """A ramp from dark to light is one still, whatever it was stored as."""
    ramp = np.tile(np.linspace(0, 1, 200), (100, 1))
    if depth == "8 bits":
        data = encoded(Image.fromarray((ramp * 255).astype(np.uint8)), kind)
    elif depth == "16 bits, grey":
        data = encoded(Image.fromarray((ramp * 65535).astype(np.uint16)), kind)
    else:
        deep = np.repeat((ramp * 65535).astype(np.uint16)[:, :, None], 3, axis=2)
        data = deep_png(deep) if kind == "PNG" else deep_tiff(deep)
    answer = good(prepare(blobs, tmp_path, data))
    with Image.open(blobs.path(answer.content_hash, "m")) as image:
        row = np.asarray(image.convert("L")).astype(int)[50]
    assert np.abs(row - np.linspace(0, 255, 200)).max() <= 6


def deep_png(pixels: np.ndarray) -> bytes:
    """16 bits a channel, which Pillow reads but does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + checked

    rows, columns, _ = pixels.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", columns, rows, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def deep_tiff(pixels: np.ndarray) -> bytes:
    """16 bits a channel, uncompressed, little-endian."""
    rows, columns, _ = pixels.shape
    body = pixels.astype("<u2").tobytes()
    bits, entries = 8, 16
    tags = [
        (256, 3, 1, columns), (257, 3, 1, rows), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, entries + 2 + 12 * 9 + 4), (277, 3, 1, 3), (278, 3, 1, rows),
        (279, 4, 1, len(body)),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<I", entries) + struct.pack("<4H", 16, 16, 16, 0)
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
    return head + directory + bytes(4) + body


def test_people_and_the_model_see_the_same_of_transparency(
    blobs: BlobStore, tmp_path: Path
) -> None:
    """Who looks at the file itself sees the page through it, or black; so it is not shown."""
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    answer = good(prepare(blobs, tmp_path, encoded(clear, "PNG")))
    assert blobs.media_type(blobs.path(answer.content_hash, "m")) == "image/jpeg"
    opaque = Image.new("RGBA", (40, 40), (10, 20, 30, 255)).convert("RGB")
    answer = good(prepare(blobs, tmp_path, encoded(opaque, "PNG")))
    assert blobs.media_type(blobs.path(answer.content_hash, "m")) == "image/png"


def test_ink_is_shown_by_its_profile(blobs: BlobStore, tmp_path: Path) -> None:
    """A profile that is none is left out; the picture comes in all the same."""
    image = Image.new("CMYK", (300, 300), (0, 255, 255, 0))
    for profile in (None, b"no profile"):
        data = encoded(image, "TIFF", **({"icc_profile": profile} if profile else {}))
        answer = good(prepare(blobs, tmp_path, data))
        with Image.open(blobs.path(answer.content_hash, "s")) as shown:
            assert is_red(shown, 0.5, 0.5)


def test_without_originals_every_picture_has_both_thumbnails(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(encoded(picture(60, 40), "PNG"))
    root = tmp_path / "cache"
    answer = good(prepare_batch([("a.png", str(path))], str(root), False)[0])
    files = sorted(p.name for p in root.rglob("*") if p.is_file())
    assert files == [f"{answer.content_hash}.m.jpg", f"{answer.content_hash}.s.jpg"]


def test_transparency_becomes_white(blobs: BlobStore, tmp_path: Path) -> None:
    clear = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    answer = good(prepare(blobs, tmp_path, encoded(clear, "PNG")))
    with Image.open(blobs.path(answer.content_hash, "s")) as thumb:
        assert thumb.getextrema() == ((255, 255),) * 3


def test_an_animation_counts_by_its_first_frame(blobs: BlobStore, tmp_path: Path) -> None:
    frames = [picture(100, 80, seed) for seed in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    answer = good(prepare(blobs, tmp_path, data))
    thumb = blobs.path(answer.content_hash, "s")
    assert blobs.media_type(thumb) == "image/jpeg"  # a still, not the moving original


def truncated(kind: str) -> bytes:
    data = encoded(picture(600, 400), kind)
    return data[: len(data) // 2]


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"hello, I am a text\n" * 10, "not an image"),
        (b"%PDF-1.7 ...", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
        (b"\xff\xd8\xff\xe0rubbish", "damaged"),
        (b"\xff\xd8\xff", "damaged"),
        (b"GIF89a", "damaged"),
        (truncated("JPEG"), "ends before the picture does"),
        (truncated("PNG"), "ends before the picture does"),
        (truncated("WEBP"), "damaged|cannot be decoded"),
        (truncated("TIFF"), "damaged|cannot be decoded"),
        (
            png_that_claims(20_000, 20_000),
            "too large: 400 million pixels; the limit is 100 million",
        ),
        (png_that_claims(11_000, 11_000), "too large: 121 million pixels"),
        (png_that_claims(100, 100), "damaged|cannot be decoded"),
    ],
)
def test_what_is_no_good_picture_gets_its_reason(
    blobs: BlobStore, tmp_path: Path, data: bytes, words: str
) -> None:
    answer = prepare(blobs, tmp_path, data, "bad.jpg")
    assert isinstance(answer, Fault)
    assert answer.name == "bad.jpg"
    assert re.search(words, answer.reason), answer.reason
    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


def test_a_missing_file_and_a_folder_get_their_reason(blobs: BlobStore, tmp_path: Path) -> None:
    answers = prepare_batch(
        [("gone.jpg", str(tmp_path / "gone.jpg")), ("folder.jpg", str(tmp_path))], str(blobs.root)
    )
    reasons = [answer.reason for answer in answers if isinstance(answer, Fault)]
    assert reasons == ["no such file", "cannot be read: Is a directory"]


def test_a_bad_file_does_not_keep_the_rest_out(blobs: BlobStore, tmp_path: Path) -> None:
    items = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        path.write_bytes(b"no" if number % 2 else encoded(picture(64, 64, number), "PNG"))
        items.append((path.name, str(path)))
    answers = prepare_batch(items, str(blobs.root))
    assert [answer.name for answer in answers] == [name for name, _ in items]
    assert [isinstance(answer, Prepared) for answer in answers] == [True, False] * 3


def test_the_same_content_under_two_names_is_stored_once(blobs: BlobStore, tmp_path: Path) -> None:
    data = encoded(picture(300, 300), "JPEG")
    one, other = (good(prepare(blobs, tmp_path, data, name)) for name in ("a.jpg", "b.jpg"))
    assert one.content_hash == other.content_hash
    assert sum(path.is_file() for path in blobs.root.rglob("*")) == 2  # original and thumbnail


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@given(data=st.data())
@settings(max_examples=60)
def test_no_damage_stops_an_import(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    """Whatever the bytes, the answer is a picture or a fault with a reason."""
    tmp_path = tmp_path_factory.mktemp("damage")
    broken = bytearray(encoded(picture(40, 30), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    answer = prepare(BlobStore(tmp_path / "blobs"), tmp_path, bytes(broken))
    assert isinstance(answer, Prepared) or answer.reason


def slow_jpeg(scans: int) -> bytes:
    """86 kB at 5,000, and 20 s: each scan of a progressive JPEG is read over the whole picture."""
    data = encoded(Image.new("L", (2000, 2000), 90), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * scans + data[-2:]


async def test_a_picture_that_takes_forever_is_given_up(tmp_path: Path, blobs: BlobStore) -> None:
    good(prepare(blobs, tmp_path, slow_jpeg(1)))  # it is only slow
    (tmp_path / "slow.jpg").write_bytes(slow_jpeg(5000))
    pool = Pool(1, 5)
    try:
        answers = await preparing.prepare(
            partial(pool.call, "tests.formats.impatient.call"), "images.prepare_batch",
            [("slow.jpg", str(tmp_path / "slow.jpg"))], str(blobs.root),
        )  # fmt: skip
    finally:
        await pool.close()
    why = "could not be processed: it took more processor time than it may"
    assert answers == [Fault("slow.jpg", why)]


def test_answers_travel_between_processes() -> None:
    for answer in (Prepared("a", "0" * 64, 1, 2, "image/png", 3), Fault("b", "why")):
        assert pickle.loads(pickle.dumps(answer)) == answer


def test_real_photos(blobs: BlobStore, clothing: Path) -> None:
    photos = sorted((clothing / "images").iterdir())[:50]
    answers = prepare_batch([(p.name, str(p)) for p in photos], str(blobs.root))
    for photo, answer in zip(photos, answers, strict=True):
        with Image.open(photo) as image:
            assert (good(answer).width, good(answer).height) == image.size
