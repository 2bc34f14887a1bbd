"""Watches base paths: loads what is new, keeps what is good, unloads what is old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from serving import log
from serving.errors import ServingError
from serving.lifecycle import versions
from serving.lifecycle.loading import Servable, load
from serving.lifecycle.model import Model, Models, Version, refusal
from serving.settings import Settings

_USERS_POLL = 0.01

Result = TypeVar("Result")


class Watcher:
    """Brings the models in memory in line with the versions on disk, once a poll.

    The newest version that passes the gate serves. It is loaded before the one that it replaces goes; a version
    that is refused changes nothing, and is tried again only when its files change. After a restart this finds
    the last good version behind a refused one, where TensorFlow Serving would serve none.

    Args:
        models: the state that requests see; changed on the event loop only.
    """

    def __init__(self, settings: Settings, models: Models) -> None:
        self._settings = settings
        self._models = models
        # One thread: loading is heavy, and requests need the other cores.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._lost: set[str] = set()

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            await self.poll()
            await asyncio.sleep(self._settings.poll_seconds)

    async def poll(self) -> None:
        """One look at everything. An error in it is logged, and the next poll comes as usual."""
        try:
            found = await self._away(versions.models, self._settings.root)
            for name, base in found.items():
                model = self._models.by_name.setdefault(name, Model(name, base))
                model.base = base
            for model in list(self._models.by_name.values()):
                await self._follow(model)
        except OSError as error:
            self._lose(str(self._settings.root), error)
        except Exception:
            log.error("poll_failed", trace=True)
        self._models.settled = True

    async def close(self) -> None:
        """Unload everything."""
        for model in self._models.by_name.values():
            for version in model.available:
                await self._unload(model, version)
        self._pool.shutdown(wait=False)

    async def _follow(self, model: Model) -> None:
        try:
            found = await self._away(versions.versions, model.base)
            self._lost.discard(str(model.base))
        except OSError as error:
            # A base path that cannot be read says nothing about its versions: keep what there is.
            self._lose(str(model.base), error)
            return
        chosen: Version | None = None
        for number in sorted(found, reverse=True):
            if await self._available(model, model.version(number), found[number]):
                chosen = model.versions[number]
                break
        for version in model.available:
            # Without a good version on disk the one in memory stays, unless its directory was taken away.
            if version is not chosen and (chosen is not None or version.number not in found):
                await self._unload(model, version)
        for number, version in model.versions.items():
            if number not in found and version.problem is not None:
                version.problem, version.fingerprint = None, ()
        model.forget()

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
                load, model.name, version.number, directory, s.engine, s.gate, s.threads
            )
        except ServingError as error:
            version.state, version.problem = "END", refusal(error)
            kept = [v.number for v in model.available]
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
        log.info(
            "available",
            model=model.name,
            version=version.number,
            engine=servable.engine.label,
            artifact=servable.artifact,
            seconds=round(servable.seconds, 3),
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
            await self._away(servable.engine.close)
        version.state = "END"
        log.info("unloaded", model=model.name, version=version.number)

    def _lose(self, path: str, error: OSError) -> None:
        if path not in self._lost:
            self._lost.add(path)
            log.warning("unreadable", path=path, reason=str(error))

    async def _away(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call what blocks in the loader's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
