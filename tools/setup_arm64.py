#!/usr/bin/env python3
"""Put an ARM64 machine's user space into .tools/arm64: what runs the runtimes' aarch64 wheels on other processors.

Debian's packages are unpacked, not installed: Python, its libraries, and QEMU's emulator of user programs. Nothing
needs root, nothing outside of the directory changes. The runtimes are the wheels that a Raspberry Pi would get from
PyPI, by the hashes in `tools/arm64.txt`.

With --if-possible the exit code is 0 where packages cannot be had, so that `make test` goes on, without these cells.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]
_TARGET = _CHECKOUT / ".tools" / "arm64"
# Of a fixed release, so that neither Python nor the emulator depend on the machine: QEMU 7.2, in the release before,
# computes int8 wrongly with its default processor and hides the ARM /proc/cpuinfo that ONNX Runtime reads.
_RELEASE = "trixie"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MIRROR = os.environ.get("ISOMER_DEBIAN", "http://deb.debian.org/debian")
_PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1", "zlib1g")
_HEADERS = "libonnxruntime-dev"
_EMULATOR = "usr/bin/qemu-aarch64"


class Impossible(Exception):
    """Why it cannot be set up here."""


def _run(command: list[str], what: str, place: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=place)
    if done.returncode != 0:
        raise Impossible(f"{what} failed: {' '.join((done.stderr or done.stdout).split())[-300:]}")
    return done.stdout


def _require() -> None:
    missing = [name for name in ("apt-get", "dpkg-deb", "tar") if shutil.which(name) is None]
    if missing:
        raise Impossible(f"there is no {', '.join(missing)}: it takes a Debian, or what comes from it")
    if not _KEYRING.is_file():
        raise Impossible(f"there is no {_KEYRING} to check packages with (package debian-archive-keyring)")


def _apt(scratch: Path, architecture: str) -> list[str]:
    """The command of an apt with a state of its own, below `scratch`, which knows the release's packages."""
    state = scratch / architecture
    for directory in ("lists/partial", "archives/partial"):
        (state / directory).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(
        f"deb [arch={architecture} signed-by={_KEYRING}] {_MIRROR} {_RELEASE} main\n", encoding="utf-8"
    )
    options = {
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferencesparts": "-",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::http::Timeout": "15",
        "Acquire::Retries": "1",
    }
    apt = ["apt-get", "-qq", *(part for k, v in options.items() for part in ("-o", f"{k}={v}"))]
    # Without this option an unreachable mirror is a warning, and the next step fails for another reason.
    _run([*apt, "-o", "APT::Update::Error-Mode=any", "update"], "apt-get update")
    return apt


def _download(apt: list[str], package: str, directory: Path) -> Path:
    """One package without what it depends on; returns the `.deb` file."""
    directory.mkdir()
    _run([*apt, "download", package], f"apt-get download {package}", directory)
    (file,) = directory.glob("*.deb")
    return file


def _unpack_emulator(scratch: Path, target: Path) -> None:
    """The emulator of one processor; the package has thirty."""
    host = _run(["dpkg", "--print-architecture"], "dpkg").strip()
    # Told apart from ARM64's own state, where the machine is one.
    package = _download(_apt(scratch / "host", host), "qemu-user", scratch / "emulator")
    archive = scratch / "emulator.tar"
    with archive.open("wb") as file:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=file, check=True)
    _run(["tar", "-xf", str(archive), "-C", str(scratch), f"./{_EMULATOR}"], "tar")
    archive.unlink()
    (scratch / _EMULATOR).rename(target / "qemu-aarch64")


def _unpack_system(scratch: Path, made: Path) -> None:
    """Python and its libraries; and the header of ONNX Runtime, which its wheel has not."""
    root, apt = made / "root", _apt(scratch, "arm64")
    root.mkdir()
    _run([*apt, "install", "--yes", "--download-only", *_PACKAGES], "apt-get install --download-only")
    for package in sorted((scratch / "arm64" / "archives").glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)], f"unpacking {package.name}")
    if not (root / "lib").exists():  # a link that a package makes when it is installed
        (root / "lib").symlink_to("usr/lib")
    for part in ("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/zoneinfo"):
        shutil.rmtree(root / part, ignore_errors=True)
    headers = scratch / "headers"
    _run(["dpkg-deb", "-x", str(_download(apt, _HEADERS, scratch / "header")), str(headers)], f"unpacking {_HEADERS}")
    (header,) = headers.rglob("onnxruntime_c_api.h")
    shutil.copytree(header.parent, made / "include")


def _install_wheels(uv: str, root: Path, site: Path) -> str:
    """The runtimes' wheels for this Python; returns its version."""
    (python,) = (p for p in (root / "usr/bin").glob("python3.*") if p.name.removeprefix("python3.").isdigit())
    version = python.name.removeprefix("python")
    command = [uv, "pip", "install", "--quiet", "--no-config", "--target", str(site), "--no-deps", "--require-hashes"]
    platform_options = ["--python-platform", "aarch64-manylinux_2_28", "--python-version", version]
    requirements = str(_CHECKOUT / "tools" / "arm64.txt")
    _run([*command, *platform_options, "--only-binary", ":all:", "-r", requirements], "uv pip install")
    return version


def set_up(uv: str) -> None:
    """Make .tools/arm64 anew; what was there stays until the new one is complete.

    Raises:
        Impossible: why not.
    """
    _require()
    _TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_TARGET.parent, prefix=".arm64-") as place:
        scratch, made = Path(place) / "scratch", Path(place) / "arm64"
        scratch.mkdir()
        made.mkdir()
        _unpack_emulator(scratch, made)
        _unpack_system(scratch, made)
        python = _install_wheels(uv, made / "root", made / "site")
        emulator = _run([str(made / "qemu-aarch64"), "--version"], "the emulator").split()[2]
        facts = {"emulator": f"qemu-user {emulator}", "python": python, "release": f"Debian {_RELEASE}"}
        (made / "arm64.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(_TARGET, ignore_errors=True)
        made.rename(_TARGET)


def main() -> int:
    """Set it up and say what came of it."""
    uv = next((a for a in sys.argv[1:] if not a.startswith("--")), "uv")
    try:
        set_up(uv)
    except (Impossible, OSError, subprocess.CalledProcessError) as error:
        print(f"No ARM64 user space: its cells will be NOT_RUN. {error} (this machine: {platform.platform()})")
        return 0 if "--if-possible" in sys.argv else 3
    facts = json.loads((_TARGET / "arm64.json").read_text())
    print(f"ARM64: {facts['release']}, Python {facts['python']}, on {facts['emulator']}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
