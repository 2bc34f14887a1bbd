"""Write the bundle for web pages: give Node.js the work, and put what is the same for all models beside the result."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.errors import RuntimeUnavailable
from pipeline.parity.evidence import Evidence
from pipeline.runtimes.node import find_modules, find_node
from pipeline.signature import Signature, TensorSpec
from pipeline.web_bundle.declarations import declarations
from pipeline.web_bundle.image import Image
from pipeline.web_bundle.samples import samples, save

FORMAT = "web"
RUNTIME = "web-bundle"
SCHEMA = "isomer-web/1"
# Multiplications for one row above which plain JavaScript takes longer than the tenth of a second that people notice
# (docs/web.md has what was measured); such models get no module for it.
CPU_LIMIT = 20_000_000
_JS = Path(__file__).parent / "js"
_BESIDE = ("service-worker.js", "offline.mjs")
_TIMEOUT = 300.0  # seconds
_NARROWED = {
    "int64": "int32",
    "uint8": "int32",
    "int8": "int32",
    "int16": "int32",
    "uint16": "int32",
    "float16": "float32",
}
_KNOWN = {"float32", "int32", "bool"}


@dataclass(frozen=True)
class Written:
    """What became of a bundle.

    Attributes:
        artifacts: one per module.
        cells: of modules that there are not, each with the reason.
    """

    artifacts: tuple[Artifact, ...] = ()
    cells: tuple[Cell, ...] = ()


def write(
    artifact: Artifact,
    root: Path,
    name: str,
    evidence: Evidence,
    devices: Sequence[str],
    work: int,
    image: Image | None = None,
) -> Written:
    """Write `web/` for a TF.js artifact: a module per device, weights, types and `bundle.json`.

    Nothing that goes wrong here is an export's failure: a module that cannot be made is a cell with the reason.

    Args:
        artifact: in TF.js' format; its precision is that of the bundle.
        root: the bundle's directory.
        name: of the model.
        evidence: rows to learn from what the model calls.
        devices: "cpu", "wasm", "webgl": those that will be judged.
        work: multiplications for one row; large models get no module for the CPU.
        image: what its one input is, if that is an image.
    """
    wanted = [device for device in devices if device != "cpu" or work <= CPU_LIMIT]
    absent = {
        device: (Status.UNSUPPORTED, f"{work / 1e6:.0f} million multiplications are too many for plain JavaScript.")
        for device in devices
        if device not in wanted
    }
    signature = narrow(artifact.signature)
    strange = sorted({t.dtype for t in (*signature.inputs, *signature.outputs)} - _KNOWN)
    artifacts: list[Artifact] = []
    if strange:
        reason = f"The model reads or answers {', '.join(strange)}, which the module does not take."
        absent |= dict.fromkeys(wanted, (Status.UNSUPPORTED, reason))
    elif wanted:
        try:
            reply = _build(artifact, root, name, signature, evidence, wanted, image)
        except RuntimeUnavailable as error:
            absent |= {device: (Status.NOT_RUN, str(error)) for device in wanted}
        except (ValueError, TypeError, OSError, subprocess.SubprocessError) as error:
            reason = f"The module could not be made: {error}"
            absent |= dict.fromkeys(wanted, (Status.UNSUPPORTED, reason))
        else:
            absent |= {device: (Status.UNSUPPORTED, f"{why}.") for device, why in reply["absent"].items()}
            artifacts = _finish(artifact, root, name, signature, reply, image)
    return Written(
        tuple(artifacts), tuple(_cell(artifact, device, *absent[device]) for device in devices if device in absent)
    )


def _build(
    artifact: Artifact,
    root: Path,
    name: str,
    signature: Signature,
    evidence: Evidence,
    devices: Sequence[str],
    image: Image | None,
) -> dict[str, Any]:
    node, modules = find_node(), find_modules("esbuild")
    core = find_modules("@tensorflow/tfjs-core") / "@tensorflow" / "tfjs-core" / "package.json"
    with tempfile.TemporaryDirectory(prefix=".web-", dir=root) as scratch:
        job = {
            "modules": str(modules),
            "model": str(artifact.locate(root)),
            "out": str(Path(scratch) / "out"),
            "scratch": scratch,
            "name": name,
            "precision": artifact.precision,
            "version": json.loads(core.read_text())["version"],
            "backends": list(devices),
            "inputs": {t.name: {"dtype": t.dtype, "shape": t.shape} for t in signature.inputs},
            "outputs": {t.name: {"dtype": t.dtype, "shape": t.shape} for t in signature.outputs},
            "image": image.to_json() if image else None,
            "runs": save(samples(evidence), Path(scratch)),
        }
        file = Path(scratch) / "job.json"
        file.write_text(json.dumps(job), encoding="utf-8")
        done = subprocess.run([node.path, _JS / "build.mjs", file], capture_output=True, text=True, timeout=_TIMEOUT)
        if done.returncode != 0:
            said = re.findall(r"^\w*Error: .*$", done.stderr, re.MULTILINE) or done.stderr.strip().splitlines()[-1:]
            raise ValueError(said[0] if said else f"Node.js ended with {done.returncode}")
        reply: dict[str, Any] = json.loads(done.stdout)
        target = root / FORMAT / artifact.precision
        target.parent.mkdir(exist_ok=True)
        (Path(scratch) / "out").rename(target)
    return {**reply, "tfjs": job["version"], "signature": {"inputs": job["inputs"], "outputs": job["outputs"]}}


def _finish(
    artifact: Artifact, root: Path, name: str, signature: Signature, reply: dict[str, Any], image: Image | None
) -> list[Artifact]:
    """Types, the service worker, licenses and `bundle.json`."""
    web, precision = root / FORMAT, artifact.precision
    for file in _BESIDE:
        shutil.copyfile(_JS / file, web / file)
    (web / "LICENSES.txt").write_text(reply["licenses"], encoding="utf-8")
    listing = web / "bundle.json"
    document: dict[str, Any] = json.loads(listing.read_text()) if listing.is_file() else {"modules": [], "files": {}}
    document |= {"schema": SCHEMA, "model": name, "tfjs": reply["tfjs"], **reply["signature"]}
    document["fromPixels"] = image.to_json() if image else None
    document["files"] |= {f"{precision}/{file}": facts for file, facts in reply["files"].items()}
    made = []
    for device, module in reply["modules"].items():
        path = f"{precision}/{device}.mjs"
        (web / precision / f"{device}.d.mts").write_text(
            declarations(signature, device, precision, image), encoding="utf-8"
        )
        beside = [f"{precision}/{file}" for file in module["beside"]]
        entry = {"backend": device, "precision": precision, "module": path, "fetches": beside}
        document["modules"].append({**entry, "executor": reply["executor"], "kernels": module["kernels"]})
        facts = document["files"][path]
        made.append(
            replace(
                artifact,
                format=FORMAT,
                variant=device,
                path=f"{FORMAT}/{path}",
                bytes=facts["bytes"] + sum(document["files"][file]["bytes"] for file in beside),
                rewrites=(),
                notes=(_note(facts, module, reply),),
            )
        )
    listing.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return made


def _note(facts: dict[str, Any], module: dict[str, Any], reply: dict[str, Any]) -> str:
    executor = "" if reply["executor"] == "plan" else f", TF.js' own executor because of {reply['why']}"
    return (
        f"Code {facts['bytes']:,} B, {facts['gzip']:,} B by gzip, {facts['brotli']:,} B by brotli; "
        f"{len(module['kernels'])} kernels{executor}"
    )


def narrow(signature: Signature) -> Signature:
    """The signature in the dtypes that TF.js computes in."""

    def narrow(spec: TensorSpec) -> TensorSpec:
        return replace(spec, dtype=_NARROWED.get(spec.dtype, spec.dtype))

    return Signature(tuple(map(narrow, signature.inputs)), tuple(map(narrow, signature.outputs)), signature.name)


def _cell(artifact: Artifact, device: str, verdict: Status, reason: str) -> Cell:
    return Cell(
        format=FORMAT,
        precision=artifact.precision,
        variant=device,
        runtime=RUNTIME,
        device=device,
        required=False,
        verdict=verdict,
        reason=reason,
    )
