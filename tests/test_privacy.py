"""No name leaves, no label is looked at, and nothing is sent: over the whole flow."""

from __future__ import annotations

import ast
import base64
import binascii
import gzip
import html
import io
import json
import re
import socket
import unicodedata
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pycyto import Access, evaluate, export, files, predict, split, train
from pycyto.images.reading import opened
from pycyto.qupath.project import open_project
from tests.tiny_project import TinyCell, TinyImage, build

ROOT = Path(__file__).parent.parent
GEOJSON = Access(backend="geojson")
LABELS = ("NILM", "LSIL", "HSIL")

# What QuPath knows of a project and its images, with whatever is hard to write.
FOLDER = "Praxis Mühlbauer"
PATIENT = "Erika Mustermann"
IMAGE = "Mustermann_Erika_1970.svs"
SLIDE = "Z-2024-777"
SITE = "Labor Dr. Quirin Überall & Söhne"
ANNOTATOR = "Żaneta O'Grady"
NAMES = (FOLDER, PATIENT, IMAGE, SLIDE, SITE, ANNOTATOR)
# Parts of these tell as much as the whole.
NEEDLES = (*NAMES, "Mühlbauer", "Mustermann", "Erika", "Quirin", "Żaneta", "O'Grady", "2024-777")


def project_with_names(folder: Path) -> Path:
    """Write a project of twelve patients with unmistakable names in all that QuPath knows."""
    images = []
    for number in range(1, 13):
        metadata = {
            "Patient": f"{PATIENT} {number}",
            "Slide": f"{SLIDE}-{number}",
            "Site": SITE,
            "Annotator": ANNOTATOR,
            "Scanner": "Aperio AT2",
            "Preparation": "ThinPrep",
        }
        cells = [
            TinyCell(100.0 + number, 60.0 + 60 * i, label, name=str(number))
            for i, label in enumerate(LABELS)
        ]
        images.append(TinyImage(str(number), f"{number}_{IMAGE}", cells, metadata))
    return build(folder, images)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole flow with the network forbidden; folders project, data, bundle and report."""
    top = tmp_path_factory.mktemp("flow")
    with pytest.MonkeyPatch.context() as patch:
        forbid_network(patch)
        forbid_labels(patch)
        project = project_with_names(top / FOLDER)
        data = top / f"{PATIENT} patches"
        export(project, out=data, access=GEOJSON)
        split(data, fractions=(0.5, 0.25, 0.25))
        train(data, out=top / "bundle", network="small", epochs=1)
        run = predict(project, model=top / "bundle", access=GEOJSON).run
        evaluate(data, model=top / "bundle", out=top / "report", run=run.folder)
        evaluate(data, model=top / "bundle", out=top / "named", identifiers=True)
    return top


def forbid_network(patch: pytest.MonkeyPatch) -> None:
    """Fail on whatever could carry something off this machine."""

    def forbidden(*_: object, **__: object) -> NoReturn:
        pytest.fail("something was about to be sent")

    for name in ("connect", "connect_ex", "sendto"):
        patch.setattr(socket.socket, name, forbidden)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        patch.setattr(socket, name, forbidden)


def forbid_labels(patch: pytest.MonkeyPatch) -> None:
    """Fail where a slide's label, macro image or thumbnail is asked for."""

    import openslide

    def forbidden(*_: object, **__: object) -> NoReturn:
        pytest.fail("a label or macro image was about to be read")

    for kind in (openslide.AbstractSlide, openslide.OpenSlide, openslide.ImageSlide):
        patch.setattr(kind, "associated_images", property(forbidden))
        patch.setattr(kind, "get_thumbnail", forbidden)
    patch.setattr(openslide.lowlevel, "read_associated_image", forbidden)


# --- looking for names ------------------------------------------------------------------------


def spellings(name: str) -> Iterator[bytes]:
    """Yield a name in every form that files of this kind can hold it in."""
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, name)
        escaped = json.dumps(text)[1:-1]
        texts = {
            text,
            escaped,
            html.escape(text),
            html.escape(text).replace("&#x27;", "&#39;"),
            urllib.parse.quote(text),
            urllib.parse.quote_plus(text),
            text.encode("ascii", "xmlcharrefreplace").decode(),
            text.replace(" ", "_"),
        }
        for spelling in texts:
            # UTF-32 is numpy's, UTF-16 that of Windows and of some tags in images.
            for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
                yield spelling.encode(encoding)
        yield text.encode("latin-1", "ignore")


def unwrapped(content: bytes) -> Iterator[bytes]:
    """Yield the bytes of a file, and of whatever is packed in them."""
    yield content
    for packed in re.findall(rb"base64,([A-Za-z0-9+/=]+)", content):
        try:
            yield from unwrapped(base64.b64decode(packed, validate=True))
        except binascii.Error:
            pytest.fail("a data URI that cannot be read")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from _png_chunks(content)
    if content.startswith(b"\x1f\x8b"):
        yield from unwrapped(gzip.decompress(content))
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                yield member.filename.encode()
                yield from unwrapped(archive.read(member))
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        yield from _hdf5(content)


def _png_chunks(content: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        data = content[at + 8 : at + 8 + length]
        for start in range(len(data) if content[at + 4 : at + 8] in (b"zTXt", b"iTXt") else 0):
            try:
                yield zlib.decompress(data[start:])
            except zlib.error:
                continue
        at += length + 12


def _hdf5(content: bytes) -> Iterator[bytes]:
    found: list[bytes] = []

    def visit(name: str, item: Any) -> None:
        found.append(name.encode())
        found.extend(f"{key}={value}".encode() for key, value in item.attrs.items())
        if isinstance(item, h5py.Dataset):
            found.append(np.asarray(item[()]).tobytes())

    with h5py.File(io.BytesIO(content)) as file:
        found.extend(f"{key}={value}".encode() for key, value in file.attrs.items())
        file.visititems(visit)
    yield from found


def names_in(folder: Path) -> set[tuple[str, str]]:
    """Return (name, file) for each name in a file below a folder, or in a file's own name."""
    found = set()
    for path in folder.rglob("*"):
        pieces = [str(path.relative_to(folder)).encode()]
        pieces += unwrapped(path.read_bytes()) if path.is_file() else []
        pieces = [piece.lower() for piece in pieces]
        for name in NEEDLES:
            forms = {spelling.lower() for spelling in spellings(name)}
            if any(form in piece for form in forms for piece in pieces):
                found.add((name, path.name))
    return found


def _png_with(text: str, *, packed: bool) -> bytes:
    about, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    about.add_text("Comment", text, zip=packed)
    Image.new("RGB", (4, 4)).save(stream, "PNG", pnginfo=about)
    return stream.getvalue()


def _png_with_long_text(text: str) -> bytes:
    about, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    about.add_itxt("Comment", text, zip=True)
    Image.new("RGB", (4, 4)).save(stream, "PNG", pnginfo=about)
    return stream.getvalue()


def _in_hdf5(name: str) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        group = file.create_group("layers", track_order=True)
        group.attrs["made of"] = name
    return stream.getvalue()


def _in_packed_hdf5(name: str) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        values = np.frombuffer(name.encode().ljust(64), np.uint8)
        file.create_dataset("names", data=values, compression="gzip")
    return stream.getvalue()


def _in_npz(name: str) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, names=np.array([name]))
    return stream.getvalue()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "hidden",
    [
        str.encode,
        lambda name: json.dumps({"x": name}).encode(),
        lambda name: html.escape(name).encode(),
        lambda name: urllib.parse.quote(name).encode(),
        lambda name: unicodedata.normalize("NFD", name).encode(),
        lambda name: _png_with(name, packed=False),
        lambda name: _png_with(name, packed=True),
        _png_with_long_text,
        lambda name: b"src=data:image/png;base64," + base64.b64encode(_png_with_long_text(name)),
        lambda name: gzip.compress(name.encode()),
        _in_hdf5,
        _in_packed_hdf5,
        _in_npz,
        lambda name: name.upper().encode() if name.isascii() else name.encode(),
        lambda name: urllib.parse.quote(name).replace("%C3", "%c3").encode(),
    ],
)
def test_the_search_finds_a_hidden_name(
    name: str, hidden: Callable[[str], bytes], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(hidden(name))
    assert (name, "file") in names_in(tmp_path)


# --- no name leaves ---------------------------------------------------------------------------


def test_the_names_are_in_the_project_and_in_the_data_set(flow: Path) -> None:
    """Else this test would look for what is not there."""
    found = {name for name, _ in names_in(flow / f"{PATIENT} patches")}
    assert found >= set(NAMES)


@pytest.mark.parametrize("folder", ["report", "bundle"])
def test_reports_and_bundles_name_nobody(flow: Path, folder: str) -> None:
    assert names_in(flow / folder) == set()


@pytest.mark.parametrize("folder", ["report", "bundle"])
def test_no_key_and_no_place_is_in_what_leaves(flow: Path, folder: str) -> None:
    key = (flow / f"{PATIENT} patches" / "pseudonyms.key").read_text("ascii").strip()
    image_keys = {image.image_key for image in open_project(flow / FOLDER).images}
    for path in (flow / folder).rglob("*"):
        assert path.name != "pseudonyms.key"
        for piece in unwrapped(path.read_bytes()):
            assert key.encode() not in piece
            assert bytes.fromhex(key) not in piece
            assert str(flow).encode() not in piece
            assert not any(digest.encode() in piece for digest in image_keys), (
                "the digest of a file's address can be tried out with a list of names"
            )


def test_a_cell_of_the_report_is_found_again_in_the_manifest(flow: Path) -> None:
    cells = files.read_json(flow / "report" / "metrics.json")["worst_undercalls"]
    named = files.read_json(flow / "named" / "metrics.json")["worst_undercalls"]
    assert cells, "a network that has learnt for one epoch undercalls some"
    manifest = (flow / f"{PATIENT} patches" / "manifest.csv").read_text("utf-8").splitlines()
    for cell, own in zip(cells, named, strict=True):
        (line,) = [line for line in manifest if cell["object_id"] in line]
        assert own["image"] in line
        assert re.fullmatch(r"image-[0-9a-f]{8}", cell["image"])


def test_with_identifiers_the_images_are_named_and_the_report_is_confidential(flow: Path) -> None:
    found = {name for name, _ in names_in(flow / "named")}
    assert {IMAGE, SITE, FOLDER} <= found
    for name in ("index.html", "metrics.json"):
        assert "Confidential: this report names" in (flow / "named" / name).read_text("utf-8")


def test_another_export_of_the_project_has_the_same_pseudonyms(flow: Path, tmp_path: Path) -> None:
    export(flow / FOLDER, out=tmp_path / "again", access=GEOJSON)
    keys = [
        (folder / "pseudonyms.key").read_text("ascii")
        for folder in (flow / FOLDER / "pycyto", flow / f"{PATIENT} patches", tmp_path / "again")
    ]
    assert len(set(keys)) == 1


# --- labels and macro images ------------------------------------------------------------------

# How OpenSlide, openslide-python and QuPath call the pictures that a scanner takes of the glass
# with its label, and the small pictures that can show it.
LABEL_CALLS = ("associated", "get_thumbnail", "getThumbnail", "getDefaultThumbnail")


@pytest.mark.parametrize("path", sorted((ROOT / "pycyto").rglob("*.py")), ids=lambda p: p.name)
def test_no_python_asks_for_a_label(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        said = [getattr(node, field, "") for field in ("attr", "id", "name", "arg")]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            said.append(node.value)
        assert not [word for word in said for call in LABEL_CALLS if call in str(word)]


def test_no_script_asks_for_a_label() -> None:
    scripts = [path for path in (ROOT / "qupath_scripts").rglob("*") if path.is_file()]
    assert scripts
    for path in scripts:
        assert not re.search("|".join(LABEL_CALLS), path.read_text("utf-8"), re.IGNORECASE), path


def test_a_slide_is_read_without_its_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openslide

    path = tmp_path / "slide.svs"
    _write_slide_with_label(path)
    with openslide.OpenSlide(path) as slide:
        assert {"label", "macro"} <= set(slide.associated_images), (
            "else there is nothing to be kept from"
        )
    forbid_labels(monkeypatch)
    with opened(path) as image:
        assert (image.width, image.height) == (512, 512)
        assert image.read(0, 0, 512, 512).max() == 7, "the label is white, the slide is not"


def test_the_guard_notices_a_label_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openslide

    path = tmp_path / "slide.svs"
    _write_slide_with_label(path)
    forbid_labels(monkeypatch)
    with openslide.OpenSlide(path) as slide, pytest.raises(pytest.fail.Exception):
        assert slide.associated_images


def _write_slide_with_label(path: Path) -> None:
    import tifffile

    about = "Aperio Image Library v11.2.1\n"
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            np.full((512, 512, 3), 7, np.uint8),
            photometric="rgb",
            tile=(256, 256),
            description=f"{about}512x512 (256x256)|AppMag = 20|MPP = 0.5",
            metadata=None,
        )
        for kind, subfile_type in (("thumbnail", 0), ("label", 1), ("macro", 9)):
            writer.write(
                np.full((64, 64, 3), 255, np.uint8),
                photometric="rgb",
                rowsperstrip=64,
                subfiletype=subfile_type,
                description=f"{about}{kind} 64x64",
                metadata=None,
            )


# --- nothing is sent --------------------------------------------------------------------------


def test_the_guard_notices_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening, socket.socket() as calling:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        forbid_network(monkeypatch)
        with pytest.raises(pytest.fail.Exception):
            calling.connect(listening.getsockname())


NETWORK_MODULES = {
    "aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "urllib3", "websockets", "xmlrpc",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "pycyto").rglob("*.py")), ids=lambda p: p.name)
def test_no_module_can_send(path: Path) -> None:
    """`socket` is there for the name of the host in a lock, and for nothing else."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{a.name}" for a in node.names)]
        for module in modules:
            assert module.split(".")[0] not in NETWORK_MODULES
            assert not module.startswith(("urllib.request", "socket."))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id != "socket" or node.attr == "gethostname"
