"""The command line's streams: results on stdout, progress on stderr, and library chatter out of the way."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.markup import escape

from pipeline.progress import Observer

if TYPE_CHECKING:
    from pipeline.cells import Cell
    from pipeline.epochs import EpochProgress

_MARKS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "NOT_RUN": "dim", "UNSUPPORTED": "dim"}


class Terminal(Observer):
    """Where a command writes.

    TensorFlow and the converters write to the process's stdout and stderr from C++, whatever Python says.
    Both descriptors are pointed at a log; the real ones are kept for results and progress. ISOMER_VERBOSE=1
    leaves them alone.

    Attributes:
        out: Rich console on the real stdout.
        err: Rich console on the real stderr.
    """

    def __init__(self, quiet: bool = True) -> None:
        self._began = time.monotonic()
        self._real_out, self._real_err = _keep(1), _keep(2)
        # A pipe or a log has no width of its own; the matrix is complete at 100 columns.
        self.out = Console(file=self._real_out, width=None if self._real_out.isatty() else 100)
        self.err = Console(file=self._real_err, highlight=False)
        if quiet and not os.environ.get("ISOMER_VERBOSE"):
            self._log = tempfile.TemporaryFile()
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(self._log.fileno(), 1)
            os.dup2(self._log.fileno(), 2)
            faulthandler.enable(self._real_err)

    def result(self, data: dict[str, Any]) -> None:
        """One JSON object on one line of the real stdout."""
        self._real_out.write(json.dumps(data, sort_keys=False) + "\n")
        self._real_out.flush()

    def error(self, what: str, fix: str = "") -> None:
        """One message: what is wrong, and how to fix it."""
        self.err.print(f"[bold red]error:[/] {escape(what)}", soft_wrap=True)
        if fix:
            self.err.print(f"       {escape(fix)}", soft_wrap=True)

    def stage(self, model: str, what: str) -> None:
        self._line(f"[bold]{escape(model)}[/] {escape(what)}")

    def notice(self, text: str) -> None:
        self.err.print(f"[bold yellow]note:[/] {escape(text)}", soft_wrap=True)

    def cell(self, cell: Cell) -> None:
        name = " ".join(filter(None, (cell.format, cell.precision, cell.variant)))
        mark = f"[{_MARKS[cell.verdict]}]{cell.verdict:<12}[/]"
        reason = f" {escape(cell.reason)}" if cell.reason else ""
        self._line(f"  {mark} {escape(name)} on {cell.runtime}/{cell.device}{reason}")

    def epoch(self, progress: EpochProgress) -> None:
        text = (
            f"  epoch {progress.epoch}/{progress.epochs}  step {progress.step}/{progress.steps}  "
            f"loss {progress.loss:.4f}  {progress.metric.replace('_', ' ')} {progress.value:.4f}"
        )
        if progress.val_value is not None:
            best = "  best so far" if progress.best else ""
            self._line(f"{text}  validation {progress.val_value:.4f}{best}")
        elif self.err.is_terminal:
            self.err.print(text, end="\r", soft_wrap=True)

    def _line(self, text: str) -> None:
        self.err.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/]  {text}", soft_wrap=True)


def _keep(descriptor: int) -> TextIO:
    return os.fdopen(os.dup(descriptor), "w", encoding="utf-8", errors="replace")
