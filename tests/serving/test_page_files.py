"""What `--web` adds to the server: the page, and the files that manifests list; no others, and not to everybody."""

from __future__ import annotations

import gzip
import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import Live, serving, until

from serving.errors import EnvironmentFault
from serving.web.shell import DIRECTORY, Shell

TOKEN = "a-token-of-sufficient-length"


@pytest.fixture(scope="module")
def live(exports: Path) -> Iterator[Live]:
    assert (DIRECTORY / "index.html").is_file(), "the page is not built: run `make setup`"
    with serving(exports, "--web") as server:
        yield server


def raw(live: Live, path: str) -> int:
    """The status of a path that is sent as it stands."""
    connection = http.client.HTTPConnection(live.host, live.port, timeout=60)
    connection.putrequest("GET", path, skip_host=False)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_page_is_isolated_and_may_load_nothing_from_elsewhere(live: Live) -> None:
    answer = live.get("/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert "http" not in answer.body.decode().replace("http-equiv", "")


def test_files_of_the_page_are_kept_and_compressed(live: Live) -> None:
    index = live.get("/")
    assert index.headers["cache-control"] == "no-cache"
    again = live.request("GET", "/", **{"If-None-Match": index.headers["etag"]})
    assert (again.status, again.body, again.headers.get("content-length")) == (304, b"", None)
    script = next(p for p in (DIRECTORY / "assets").iterdir() if p.suffix == ".js")
    plain = live.get(f"/assets/{script.name}")
    assert plain.body == script.read_bytes()
    assert "immutable" in plain.headers["cache-control"]
    packed = live.request("GET", f"/assets/{script.name}", **{"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert live.request("GET", f"/assets/{script.name}", **{"Accept-Encoding": "br, gzip"}).headers[
        "content-encoding"
    ] == "br"  # fmt: skip


def test_a_bundles_listed_files_are_served_and_no_others(live: Live, exports: Path) -> None:
    root = exports / "tiny" / "1"
    manifest = json.loads((root / "manifest.json").read_text())
    (bundle,) = live.get("/bundles").json["bundles"]
    assert (bundle["model"], bundle["version"], bundle["reason"]) == ("tiny", 1, "")
    assert bundle["digest"] == manifest["digest"]
    assert live.get("/bundles/tiny/1/manifest.json").body == (root / "manifest.json").read_bytes()
    entry = next(e for e in manifest["files"] if e["path"] == "onnx/float32.onnx")
    path = "/bundles/tiny/1/onnx/float32.onnx"
    plain = live.get(path)
    assert plain.body == (root / entry["path"]).read_bytes()
    assert plain.headers["cache-control"] == "no-cache"
    assert "immutable" in live.get(f"{path}?sha256={entry['sha256']}").headers["cache-control"]
    assert live.get(f"{path}?sha256={'0' * 64}").headers["cache-control"] == "no-cache"
    assert live.request("GET", path, **{"If-None-Match": plain.headers["etag"]}).status == 304
    assert "sandbox" in live.get("/bundles/tiny/1/report.html").headers["content-security-policy"]
    assert live.request("POST", path, b"x").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/bundles/tiny/1/nothing.txt",
        "/bundles/tiny/1/",
        "/bundles/tiny/2/manifest.json",
        "/bundles/tiny/rejected-2026/manifest.json",
        "/bundles/.hidden/1/manifest.json",
        "/bundles/tiny/1/../../../../../etc/passwd",
        "/bundles/tiny/1/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/bundles/tiny/1/..%2f..%2f..%2fetc%2fpasswd",
        "/bundles/tiny/1//etc/passwd",
        "/bundles/..",
        "/assets/../index.html",
        "/vendor/",
        "/service-worker.js.br",
    ],
)
def test_nothing_else_is_there(live: Live, path: str) -> None:
    assert raw(live, path) == 404


def test_a_manifest_that_lists_what_lies_elsewhere_gives_nothing_away(exports: Path, tmp_path: Path) -> None:
    """Without the gate nobody has checked the manifest."""
    root = Path(shutil.copytree(exports, tmp_path / "exports")) / "tiny" / "1"
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    manifest = json.loads((root / "manifest.json").read_text())
    for path in ("../../../secret", str(tmp_path / "secret"), "link"):
        manifest["files"].append({"path": path, "bytes": 6, "sha256": "0" * 64})
    (root / "manifest.json").write_text(json.dumps(manifest))
    with serving(tmp_path / "exports", "--web", "--no-gate") as live:
        assert live.get("/bundles/tiny/1/onnx/float32.onnx").status == 200
        for path in ("../../../secret", "%2e%2e/%2e%2e/%2e%2e/secret", f"/{tmp_path}/secret", "link"):
            assert raw(live, f"/bundles/tiny/1/{path}") == 404


def test_a_refused_version_is_listed_with_its_reason(exports: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(exports, tmp_path / "exports")) / "tiny" / "1"
    with (root / "onnx" / "float32.onnx").open("ab") as file:
        file.write(b"more")
    with serving(tmp_path / "exports", "--web", ready=False) as live:
        (bundle,) = until(lambda: live.get("/bundles").json["bundles"], "listed")
        assert "onnx/float32.onnx" in bundle["reason"]
        assert bundle["digest"] is None
        assert live.get("/bundles/tiny/1/manifest.json").status == 404


def test_with_a_token_the_page_is_free_and_the_bundles_are_not(exports: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with serving(exports, "--web", "--token-file", str(file)) as live:
        assert live.get("/").status == live.get("/service-worker.js").status == 200
        for path in ("/bundles", "/bundles/tiny/1/manifest.json", "/v1/models/tiny", "/metrics"):
            assert live.get(path).status == 401
            assert live.request("GET", path, Authorization=f"Bearer {TOKEN}").status == 200


def test_without_web_there_is_only_the_api(tiny: Live) -> None:
    for path in ("/", "/bundles", "/bundles/tiny/1/manifest.json"):
        assert tiny.get(path).status == 404


def test_a_page_that_was_not_built_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"not built.*make setup") as fault:
        Shell(tmp_path)
    assert fault.value.exit_code == 3
