"""The page itself: files that a build left in a directory, listed once, served as they lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from serving.errors import EnvironmentFault
from serving.rest.messages import Response
from serving.web import headers

DIRECTORY = Path(__file__).parents[1] / "page" / "dist"
_INDEX = "index.html"
# The build puts a hash or a version into every address below these.
_FOR_EVER = ("/assets/", "/vendor/")
# In the order in which they are preferred: the suffix of a file that the build compressed, and its name in HTTP.
_ENCODINGS = ((".br", "br"), (".gz", "gzip"))


@dataclass(frozen=True)
class File:
    """One file of the page.

    Attributes:
        path: where it lies.
        kind: content type.
        etag: of its content.
        forever: its address changes with its content.
        encoded: compressed forms by their name in HTTP, the preferred first.
    """

    path: Path
    kind: bytes
    etag: str
    forever: bool
    encoded: dict[str, Path]


class Shell:
    """The page's files by address.

    Raises:
        EnvironmentFault: the page was not built.
    """

    def __init__(self, directory: Path = DIRECTORY) -> None:
        if not (directory / _INDEX).is_file():
            raise EnvironmentFault(
                f"The page is not built: there is no '{directory / _INDEX}'.",
                "Run `make setup` in the checkout, or serve without --web.",
            )
        suffixes = tuple(suffix for suffix, _ in _ENCODINGS)
        found = {p for p in directory.rglob("*") if p.is_file()}
        self._files = {
            f"/{path.relative_to(directory).as_posix()}": _file(path, directory, found)
            for path in found
            if not (path.suffix in suffixes and path.with_suffix("") in found)
        }
        self._files["/"] = self._files[f"/{_INDEX}"]

    def find(self, path: str) -> File | None:
        """The file at an address (without its query), if there is one."""
        return self._files.get(path)

    @staticmethod
    def respond(file: File, accepted: bytes, known: bytes) -> Response:
        """A file of the page; blocks.

        Args:
            accepted, known: the headers Accept-Encoding and If-None-Match; empty if there were none.
        """
        if file.etag.encode() in known:
            return headers.NotModified(304, b"", file.kind, headers.page(file.etag, file.forever))
        offers = {part.split(b";")[0].strip() for part in accepted.split(b",")}
        for encoding, path in file.encoded.items():
            if encoding.encode() in offers:
                return Response(200, path.read_bytes(), file.kind, headers.page(file.etag, file.forever, encoding))
        return Response(200, file.path.read_bytes(), file.kind, headers.page(file.etag, file.forever))


def _file(path: Path, directory: Path, found: set[Path]) -> File:
    address = f"/{path.relative_to(directory).as_posix()}"
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    encoded = {encoding: beside for suffix, encoding in _ENCODINGS if (beside := Path(f"{path}{suffix}")) in found}
    return File(path, headers.kind(address), f'W/"{digest[:32]}"', address.startswith(_FOR_EVER), encoded)
