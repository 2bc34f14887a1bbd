"""Watches base paths: loads what is new, keeps what is good, unloads what is old."""

from __future__ import annotations

import asyncio
import ctypes
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from serving import log
from serving.errors import ServingError, Unknown
from serving.lifecycle import config, versions
from serving.lifecycle.config import ModelConfig
from serving.lifecycle.loading import Servable, load
from serving.lifecycle.model import Model, Models, Version, refusal
from serving.lifecycle.source import Source
from serving.metrics import Metrics
from serving.settings import Settings

_USERS_POLL = 0.01

Result = TypeVar("Result")


class Watcher:
    """Brings the models in memory in line with what is wanted and lies on disk, once a poll.

    A version is loaded before the one that it replaces goes; a version that is refused changes nothing, and is
    tried again only when its files change. Where the newest version does not pass the gate, the newest that does
    is served, also after a restart, where TensorFlow Serving would serve none.

    Args:
        models: the state that requests see; changed on the event loop only.
        source: what is wanted.
    """

    def __init__(self, settings: Settings, models: Models, source: Source, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._models = models
        self._source = source
        # One thread: loading is heavy, and requests need the other cores.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._turn = asyncio.Lock()
        self._lost: set[str] = set()

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            await self.poll()
            await asyncio.sleep(self._settings.poll_seconds)

    async def poll(self) -> None:
        """One look at everything. An error in it is logged, and the next poll comes as usual."""
        async with self._turn:
            try:
                await self._bring_in_line(await self._away(self._source.look))
            except Exception:
                log.error("poll_failed", trace=True)
            self._models.settled = True

    async def reload(self, wanted: Sequence[ModelConfig], strict: bool = True) -> None:
        """Serve these models and no others from now on; returns when those that are new take traffic.

        Args:
            strict: labels need versions that serve already.

        Raises:
            ServingError: the models, or their labels, are refused, and nothing changed; or a new model did not
                load, and everything else is as wanted.
        """
        async with self._turn:
            known = self._models.by_name
            config.check_transition(self._source.wanted, wanted)
            if strict:
                config.check_labels(wanted, {n: [v.number for v in m.available] for n, m in known.items()})
            before = {m.name for m in self._source.wanted}
            self._source.replace(wanted)
            log.info("reloading", models=[m.name for m in wanted])
            await self._bring_in_line(wanted)
        failed = [m for m in wanted if m.name not in before and not known[m.name].available]
        if failed:
            reasons = "".join(f"{{{self._failure(known[m.name])}}}, " for m in failed)
            raise Unknown(f"{len(failed)} model(s) did not become available: {{{reasons}}}")

    async def close(self) -> None:
        """Unload everything."""
        for model in self._models.by_name.values():
            for version in model.available:
                await self._unload(model, version)
        self._pool.shutdown(wait=False)

    async def _bring_in_line(self, wanted: Sequence[ModelConfig]) -> None:
        known = self._models.by_name
        names = {m.name for m in wanted}
        for model in list(known.values()):
            if model.name not in names:
                model.labels, model.wanted = {}, False
                for version in model.available:
                    await self._unload(model, version)
        for entry in wanted:
            model = known.setdefault(entry.name, Model(entry.name, entry.base))
            self._metrics.refused.add(model.name, by=0)  # Prometheus sees no increase in a counter that begins at one
            model.base, model.wanted, model.named = entry.base, True, self._source.explicit
            await self._follow(model, entry)
            self._label(model, entry)

    async def _follow(self, model: Model, wanted: ModelConfig) -> None:
        try:
            found = await self._away(versions.versions, model.base)
            self._lost.discard(str(model.base))
        except OSError as error:
            # A base path that cannot be read says nothing about its versions: keep what there is.
            self._lose(str(model.base), error)
            return
        chosen: list[Version] = []
        candidates = 0
        for number in sorted(found, reverse=True):
            if wanted.policy.wants(number, len(chosen)):
                candidates += 1
                if await self._available(model, model.version(number), found[number]):
                    chosen.append(model.versions[number])
        for version in model.available:
            # Where no wanted version is good the ones in memory stay, unless their directories were taken away.
            kept = candidates and not chosen and version.number in found
            if version not in chosen and (not kept or version.number in wanted.policy.withdrawn):
                await self._unload(model, version)
        for number, version in model.versions.items():
            if number not in found and version.problem is not None:
                version.problem, version.fingerprint = None, ()
        model.forget()

    def _label(self, model: Model, wanted: ModelConfig) -> None:
        """Labels follow once their versions take traffic; until then they stay where they are."""
        labels = {}
        for label, number in wanted.labels.items():
            version = model.versions.get(number)
            if version is not None and version.servable is not None:
                labels[label] = number
            elif label in model.labels:
                labels[label] = model.labels[label]
        if labels != model.labels:
            log.info("labels", model=model.name, labels=labels, before=model.labels)
            model.labels = labels

    async def _available(self, model: Model, version: Version, directory: Path) -> bool:
        """Whether a version serves, loading it if it is new or has changed since it was refused."""
        if version.servable is not None:
            return True
        fingerprint: tuple[tuple[str, int, int], ...] = ()
        if version.problem is not None:
            fingerprint = await self._away(versions.fingerprint, directory)
            if fingerprint == version.fingerprint:
                return False
        version.state, version.problem = "LOADING", None
        # Taken before loading: a file that is copied meanwhile changes it, and the version is tried again.
        version.fingerprint = fingerprint or await self._away(versions.fingerprint, directory)
        s = self._settings
        try:
            servable: Servable = await self._away(
                load, model.name, version.number, directory, s.engine, s.gate, s.threads, s.precision
            )
        except ServingError as error:
            version.state, version.problem = "END", refusal(error)
            kept = [v.number for v in model.available]
            self._metrics.refused.add(model.name)
            self._metrics.load_attempts.add(str(directory), "fail")
            log.error(
                "refused",
                model=model.name,
                version=version.number,
                code=error.code.name,
                reason=error.message,
                kept=kept,
            )
            return False
        version.servable, version.state = servable, "AVAILABLE"
        report = servable.report
        self._metrics.load_attempts.add(str(directory), "success")
        self._metrics.load_latency.add(str(directory), by=round(servable.seconds * 1e6))
        log.info(
            "available",
            model=model.name,
            version=version.number,
            engine=servable.engine.label,
            artifact=servable.artifact,
            seconds=round(servable.seconds, 3),
            warmed=servable.warmed,
            gate="none"
            if report is None
            else f"{report.rows} rows, {report.error_ulp:.3g} of {report.budget_ulp:.3g} ULP",
        )
        return True

    async def _unload(self, model: Model, version: Version) -> None:
        servable, version.servable = version.servable, None
        version.state = "UNLOADING"
        while servable is not None and servable.users:
            await asyncio.sleep(_USERS_POLL)
        if servable is not None:
            await self._away(_release, servable)
        version.state = "END"
        log.info("unloaded", model=model.name, version=version.number)

    @staticmethod
    def _failure(model: Model) -> str:
        problems = [v for v in model.versions.values() if v.problem is not None]
        if not problems:
            return f"{{name: {model.name}}} due to error: NOT_FOUND: no versions in {model.base}"
        newest = max(problems, key=lambda v: v.number)
        return f"{{name: {model.name} version: {newest.number}}} due to error: {newest.problem}"

    def _lose(self, path: str, error: OSError) -> None:
        if path not in self._lost:
            self._lost.add(path)
            log.warning("unreadable", path=path, reason=str(error))

    async def _away(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call what blocks in the loader's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


def _release(servable: Servable) -> None:
    """Close an engine, and give what it held back to the system: glibc keeps freed memory otherwise."""
    servable.engine.close()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
