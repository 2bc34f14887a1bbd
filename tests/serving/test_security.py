"""TLS, the bearer token, the access log, warm-up files."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import struct
import subprocess
import urllib.request
from pathlib import Path

import foreign
import grpc
import pytest
from live import Live, serving, until

from serving.errors import Damaged, ServingError
from serving.lifecycle import warmup
from serving.lifecycle.loading import load
from serving.protos import message

TOKEN = "0123456789abcdef0123"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    foreign.half_plus(tmp_path / "models" / "half" / "1", 2)
    return tmp_path / "models"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def health(channel: grpc.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> bytes:
    return bytes(channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=30, metadata=metadata))


def status_of(channel: grpc.Channel, token: str) -> grpc.StatusCode:
    request = message("GetModelStatusRequest")(model_spec={"name": "half"}).SerializeToString()
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    call = channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")
    try:
        call(request, timeout=30, metadata=metadata)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_tls(root: Path, pair: tuple[Path, Path]) -> None:
    options = ("--tls-certificate", str(pair[0]), "--tls-key", str(pair[1]))
    with serving(root, "--no-gate", *options, ready=False) as live:
        trust = ssl.create_default_context(cafile=str(pair[0]))
        url = f"https://localhost:{live.port}/v1/models/half:predict"

        def ask() -> bytes:
            data = b'{"instances": [2.0]}'
            try:
                with urllib.request.urlopen(urllib.request.Request(url, data), context=trust) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError:
                return b""  # the model is still being loaded

        assert json.loads(until(ask, "answered")) == {"predictions": [3.0]}
        address = live.grpc.replace("127.0.0.1", "localhost")
        credentials = grpc.ssl_channel_credentials(pair[0].read_bytes())
        assert health(grpc.secure_channel(address, credentials)) == b"\x08\x01"
        with pytest.raises(grpc.RpcError):
            health(grpc.insecure_channel(address))
        assert not live.events("fault")
        assert live.stop() == 0


def test_the_token(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with serving(root, "--no-gate", "--token-file", str(file)) as live:

        def ask(path: str, header: str | None) -> int:
            headers = {} if header is None else {"Authorization": header}
            return live.request("GET", path, **headers).status

        for path in ("/v1/models/half", "/metrics", "/other"):
            for header in (None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"):
                assert ask(path, header) == 401, (path, header)
        refused = live.get("/v1/models/half")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.error == "A bearer token is needed"
        assert ask("/v1/models/half", f"Bearer {TOKEN}") == ask("/metrics", f"bearer {TOKEN}") == 200
        assert ask("/healthz", None) == ask("/readyz", None) == 200
        channel = grpc.insecure_channel(live.grpc)
        assert health(channel) == b"\x08\x01"
        assert status_of(channel, "") == status_of(channel, "x" * 20) == grpc.StatusCode.UNAUTHENTICATED
        assert status_of(channel, TOKEN) == grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tls-certificate", "a.pem"), "TLS needs a certificate and its key"),
        (("--tls-certificate", "a.pem", "--tls-key", "b.pem"), "Cannot read"),
        (("--token-file", "short"), "shorter than 16 characters"),
        (("--access-log", "/none/log"), "Cannot write '/none/log'"),
    ],
)
def test_files_that_cannot_be_used(root: Path, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    import sys

    (tmp_path / "short").write_text("x")
    command = [sys.executable, "-m", "serving", str(root), "--rest-port", "0", "--grpc-port", "0", *options]
    env = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode in (2, 3)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_access_log_and_its_rotation(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    with serving(root, "--no-gate", "--access-log", str(file)) as live:
        live.predict("half", {"instances": [2.0]})
        live.predict("none", {"instances": [2.0]})
        status_of(grpc.insecure_channel(live.grpc), "")

        def logged() -> list[dict[str, object]]:
            found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
            return [entry for entry in found if entry.get("path") != "/readyz"]

        until(lambda: len(logged()) == 3, "written")
        ok, missing, rpc = logged()
        assert (ok["method"], ok["path"], ok["status"]) == ("POST", "/v1/models/half:predict", 200)
        assert (ok["client"], missing["status"]) == ("127.0.0.1", 404)
        assert (rpc["method"], rpc["status"]) == ("GetModelStatus", "OK")
        assert all(isinstance(entry["ms"], float) and entry["sent"] for entry in (ok, missing, rpc))
        file.rename(tmp_path / "access.1")
        assert live.process is not None
        live.process.send_signal(signal.SIGHUP)
        until(file.exists, "opened again")
        live.get("/last")
        assert live.stop() == 0
        assert [entry["path"] for entry in logged()] == ["/last"]


def record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    sums = [struct.pack("<I", warmup._checksum(part)) for part in (head, data)]
    return head + sums[0] + data + sums[1]


def prediction(value: float = 2.0, model: str = "half") -> bytes:
    log = message("PredictionLog")()
    request = log.predict_log.request
    request.model_spec.name = model
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1)
    tensor.float_val.append(value)
    return bytes(log.SerializeToString())


def session() -> bytes:
    log = message("PredictionLog")()
    log.session_run_log.SetInParent()
    return bytes(log.SerializeToString())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", ""),
        (record(prediction()) * 3, ""),
        (record(prediction()) * 1001, "INVALID_ARGUMENT"),
        (record(session()), "UNIMPLEMENTED"),
        (record(b"\xff\xff"), "INVALID_ARGUMENT"),
        (b"no record at all", "DATA_LOSS"),
        (record(prediction())[:-1], "DATA_LOSS"),
        (record(prediction())[:-30] + b"x" * 30, "DATA_LOSS"),
    ],
    ids=["empty", "three", "too many", "session", "no message", "no records", "cut", "corrupt"],
)
def test_warm_up_files(root: Path, content: bytes, code: str) -> None:
    version = root / "half" / "1"
    file = version / warmup.FILE
    file.parent.mkdir()
    file.write_bytes(content)
    if code:
        with pytest.raises(ServingError) as caught:
            load("half", 1, version, "auto", False, 1)
        assert caught.value.code.name == code
    else:
        assert load("half", 1, version, "auto", False, 1).warmed == content.count(b"half")


def test_a_checksum_of_the_specification() -> None:
    """RFC 3720, B.4: 32 bytes of zeros have the CRC-32C 0x8a9136aa; TFRecord files rotate it and add a constant."""
    plain = 0x8A9136AA
    assert warmup._checksum(bytes(32)) == (((plain >> 15) | (plain << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_the_exported_warm_up_file_is_replayed(tiny: Live, tiny_bundle: Path) -> None:
    assert list(warmup.records((tiny_bundle / warmup.FILE).read_bytes()))
    assert tiny.events("available")[0]["warmed"] == 1


def test_a_bundle_whose_warm_up_file_is_broken_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "1")
    (tmp_path / "1" / warmup.FILE).write_bytes(b"x")
    with pytest.raises(Damaged):
        load("tiny", 1, tmp_path / "1", "auto", True, 1)
