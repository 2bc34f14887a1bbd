#!/usr/bin/env python3
"""Put other machines' user spaces into .tools/emulated: what runs runtimes on ARM64, 32-bit ARM and RISC-V processors.

Debian's packages are unpacked, not installed: Python, its libraries, and QEMU's emulators of user programs. Nothing
needs root, nothing outside of the directory changes. The runtimes are the wheels that such a machine would get from
PyPI, by the hashes in `tools/*.txt`, or Debian's package of ONNX Runtime where PyPI has no wheel.

Names of machines are arguments; all by default. With --if-possible the exit code is 0 where packages cannot be had, so
that `make test` goes on, without these cells.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]
_TARGET = _CHECKOUT / ".tools" / "emulated"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MIRROR = os.environ.get("ISOMER_DEBIAN", "http://deb.debian.org/debian")
# Of a fixed release, so that neither Python nor the emulator depend on the machine: QEMU 7.2, in the release before,
# computes int8 wrongly with its default processor and hides the ARM /proc/cpuinfo that ONNX Runtime reads.
_RELEASE = "trixie"
_PYTHON = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1", "zlib1g")
_HEADERS = "libonnxruntime-dev"
# What is unpacked and never read; SymPy is for ONNX Runtime's tools.
_SUPERFLUOUS = (
    *(f"usr/share/{name}" for name in ("doc", "locale", "man", "zoneinfo")),
    *(f"usr/lib/python3/dist-packages/{name}" for name in ("sympy", "mpmath", "isympy.py")),
)


class Impossible(Exception):
    """Why it cannot be set up here."""


@dataclass(frozen=True)
class Machine:
    """A user space.

    Attributes:
        name: of its directory.
        architecture: as Debian calls it.
        emulator: QEMU's program.
        packages: Debian's, beside Python.
        release: Debian's.
        wheels: a file with the runtimes' wheels and their hashes, and their platform; empty where Debian has them.
    """

    name: str
    architecture: str
    emulator: str
    packages: tuple[str, ...] = ()
    release: str = _RELEASE
    wheels: tuple[str, str] | None = None


MACHINES = {
    machine.name: machine
    for machine in (
        Machine("arm64", "arm64", "qemu-aarch64", wheels=("arm64.txt", "aarch64-manylinux_2_28")),
        Machine("armhf", "armhf", "qemu-arm", ("python3-onnxruntime",)),
        # The wheel is of Python 3.11 and NumPy 1, which that release has.
        Machine(
            "armhf-tflite", "armhf", "qemu-arm", ("python3-numpy",), "bookworm", ("armhf.txt", "manylinux_2_34_armv7l")
        ),
        Machine("riscv64", "riscv64", "qemu-riscv64", ("python3-onnxruntime",)),
    )
}


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


def _apt(state: Path, architecture: str, release: str) -> list[str]:
    """The command of an apt with a state of its own, which knows the release's packages."""
    for directory in ("lists/partial", "archives/partial"):
        (state / directory).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(
        f"deb [arch={architecture} signed-by={_KEYRING}] {_MIRROR} {release} main\n", encoding="utf-8"
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


def _unpack_emulators(scratch: Path) -> None:
    """The emulators of these machines' processors, and ONNX Runtime's header, which its wheel has not."""
    host = _run(["dpkg", "--print-architecture"], "dpkg").strip()
    apt = _apt(scratch / "apt", host, _RELEASE)
    archive, made = scratch / "emulators.tar", scratch / "made"
    with archive.open("wb") as file:
        package = _download(apt, "qemu-user", scratch / "emulator")
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=file, check=True)
    programs = sorted({f"./usr/bin/{machine.emulator}" for machine in MACHINES.values()})  # the package has thirty
    _run(["tar", "--touch", "-xf", str(archive), "-C", str(scratch), *programs], "tar")
    headers = scratch / "headers"
    _run(["dpkg-deb", "-x", str(_download(apt, _HEADERS, scratch / "header")), str(headers)], f"unpacking {_HEADERS}")
    (header,) = headers.rglob("onnxruntime_c_api.h")
    made.mkdir()
    shutil.copytree(header.parent, made / "include")
    for program in programs:
        (scratch / program).rename(made / Path(program).name)
    for part in made.iterdir():
        _replace(part, _TARGET / part.name)


def _unpack_system(machine: Machine, scratch: Path, root: Path) -> None:
    """Python, its libraries and the machine's packages."""
    apt = _apt(scratch / "apt", machine.architecture, machine.release)
    packages = (*_PYTHON, *machine.packages)
    _run([*apt, "install", "--yes", "--download-only", *packages], "apt-get install --download-only")
    root.mkdir()
    for package in sorted((scratch / "apt" / "archives").glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)], f"unpacking {package.name}")
    if not (root / "lib").exists():  # a link that a package makes when it is installed
        (root / "lib").symlink_to("usr/lib")
    for library in (*root.glob("usr/lib/*/blas/*.so.3"), *root.glob("usr/lib/*/lapack/*.so.3")):  # others, too
        (library.parents[1] / library.name).symlink_to(f"{library.parent.name}/{library.name}")
    for part in _SUPERFLUOUS:
        shutil.rmtree(root / part, ignore_errors=True)


def _install_wheels(uv: str, machine: Machine, version: str, scratch: Path, site: Path) -> None:
    """The runtimes' wheels for this Python."""
    assert machine.wheels is not None
    file, target = machine.wheels
    exactly = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", version]
    exactly += ["-r", str(_CHECKOUT / "tools" / file)]
    if machine.architecture != "armhf":
        command = [uv, "pip", "install", "--quiet", "--no-config", "--target", str(site), "--python-platform", target]
        _run([*command, *exactly], "uv pip install")
        return
    # uv knows no such platform; pip does.
    wheels = scratch / "wheels"
    _run(
        [uv, "tool", "run", "pip", "download", "-q", "-d", str(wheels), "--platform", target, *exactly], "pip download"
    )
    for wheel in wheels.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(site)


def _set_up(uv: str, machine: Machine, scratch: Path) -> None:
    made = scratch / machine.name
    made.mkdir()
    root = made / "root"
    _unpack_system(machine, scratch, root)
    (python,) = (p for p in (root / "usr/bin").glob("python3.*") if p.name.removeprefix("python3.").isdigit())
    version = python.name.removeprefix("python")
    if machine.wheels:
        _install_wheels(uv, machine, version, scratch, made / "site")
    emulator = _run([str(_TARGET / machine.emulator), "--version"], "the emulator").split()[2]
    system = f"Debian {machine.release} {machine.architecture}, Python {version}"
    facts = json.dumps({"emulator": f"qemu-user {emulator}", "system": system}, indent=1)
    (made / "machine.json").write_text(facts + "\n", encoding="utf-8")
    _replace(made, _TARGET / machine.name)


def _replace(made: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    made.replace(target)


def _is_old(made: Path) -> bool:
    """Whether it is not there, or another version of this program made it."""
    return not made.is_file() or made.stat().st_mtime < Path(__file__).stat().st_mtime


def set_up(uv: str, machines: list[Machine]) -> None:
    """Make machines anew; what was there stays until a new one is complete.

    Raises:
        Impossible: why not.
    """
    _require()
    _TARGET.mkdir(parents=True, exist_ok=True)
    parts: list[Machine | None] = list(machines)
    if any(_is_old(_TARGET / machine.emulator) for machine in machines):
        parts.insert(0, None)
    for part in parts:
        with tempfile.TemporaryDirectory(dir=_TARGET.parent, prefix=".emulated-") as place:
            if part is None:
                _unpack_emulators(Path(place))
                continue
            _set_up(uv, part, Path(place))
            facts = json.loads((_TARGET / part.name / "machine.json").read_text())
            print(f"{part.name}: {facts['system']}, on {facts['emulator']}.", flush=True)


def main() -> int:
    """Set them up and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("machines", nargs="*", choices=[[], *MACHINES], metavar="MACHINE", help=", ".join(MACHINES))
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--if-possible", action="store_true", help="exit with 0 where it cannot be done")
    options = parser.parse_args()
    chosen = [MACHINES[name] for name in options.machines or MACHINES]
    try:
        set_up(options.uv, chosen)
    except (Impossible, OSError, subprocess.CalledProcessError) as error:
        names = ", ".join(machine.name for machine in chosen)
        print(f"No user space of {names}: its cells will be NOT_RUN. {error} (this machine: {platform.platform()})")
        return 0 if options.if_possible else 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
