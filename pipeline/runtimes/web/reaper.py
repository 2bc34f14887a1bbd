"""Chromium must not outlive us, and must leave no profile behind, however we end.

Playwright starts it in a session of its own, which a kill of the worker's group does not reach. So a small
shell in yet another session waits for the end of a pipe that this process holds; then it kills Chromium's
group and removes its directory.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

# Each line names a process group to kill; "done" says that all is closed already.
_SCRIPT = """
group=
while read -r word; do
    if [ "$word" = done ]; then exec rm -rf -- "$0"; fi
    group=$word
done
if [ -n "$group" ]; then kill -s KILL -- "-$group"; fi
rm -rf -- "$0" || { sleep 1; rm -rf -- "$0"; }
"""


class Reaper:
    """Watches over one browser.

    Attributes:
        directory: for the browser's temporary files; removed in the end.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="isomer-chromium-"))
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, self.directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def watch(self, pid: int) -> None:
        """Kill the group of process `pid` should this process end without `close`."""
        group = os.getpgid(pid)
        if group != os.getpgid(0):
            self._say(str(group))

    def close(self) -> None:
        """The browser is closed: only its directory is left to remove."""
        self._say("done")
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait()

    def _say(self, word: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{word}\n".encode())
        self._shell.stdin.flush()
