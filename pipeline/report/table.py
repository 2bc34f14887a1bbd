"""The terminal's view of a certificate: one table, then what a reader must know about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pipeline.cells import Cell, Status
from pipeline.report import pareto, view

_STYLES = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.INCONCLUSIVE: "yellow",
    Status.NOT_RUN: "dim",
    Status.UNSUPPORTED: "dim",
}
_ASCII = {
    Status.PASS: "+",
    Status.FAIL: "x",
    Status.INCONCLUSIVE: "?",
    Status.NOT_RUN: "o",
    Status.UNSUPPORTED: "-",
}


@dataclass(frozen=True)
class _Column:
    """One column; `drop` says in which order columns give way on a narrow terminal (0: never)."""

    name: str
    show: Callable[[Cell], str]
    right: bool = True
    drop: int = 0


_COLUMNS = (
    _Column("artifact", view.artifact_label, right=False),
    _Column("runtime", view.place, right=False),
    _Column("accuracy", lambda c: view.percent(c.accuracy), drop=3),
    _Column("ULP / budget", lambda c: view.error(c, view.compact)),
    _Column("max |e|", lambda c: view.magnitude(c.max_abs_error), drop=1),
    _Column("samples", lambda c: _samples(c), drop=2),
)
_GAP = 2


def matrix(certificate: dict[str, Any]) -> Matrix:
    """The certificate as something that a rich console prints; it fits itself to the console's width."""
    return Matrix(certificate)


class Matrix:
    """The matrix of cells with its header, remarks and overall status."""

    def __init__(self, certificate: dict[str, Any]) -> None:
        self.certificate = certificate
        self.cells = view.cells(certificate)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ascii_only = options.ascii_only
        yield from self._header(ascii_only)
        yield Text()
        yield self._table(options.max_width, ascii_only)
        yield Text()
        if (precisions := pareto.table(self.certificate, ascii_only)) is not None:
            yield precisions
            yield Text()
        yield from self._below(ascii_only)

    def _header(self, ascii_only: bool) -> RenderResult:
        head = Text.assemble((view.title(self.certificate), "bold"), f" on {view.dataset(self.certificate)}")
        yield Rule(head, align="left", characters="-" if ascii_only else "─", style="dim")
        if notice := view.notice(self.certificate):
            yield _hanging("!", Text(notice, "bold yellow"), "bold yellow")

    def _table(self, width: int, ascii_only: bool) -> Table:
        verdicts = [_verdict(c.verdict, ascii_only) for c in self.cells]
        texts = {c.name: [_plain(c.show(cell), ascii_only) for cell in self.cells] for c in _COLUMNS}
        columns = _fitting(width - max((v.cell_len for v in verdicts), default=7), texts)
        table = Table(
            box=box.ASCII2 if ascii_only else box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, _GAP - 1, 0, 0),
            header_style="bold",
        )
        table.add_column("verdict", no_wrap=True)
        for column in columns:
            table.add_column(column.name, justify="right" if column.right else "left", overflow="fold")
        for row, (cell, verdict) in enumerate(zip(self.cells, verdicts, strict=True)):
            style = "dim" if cell.verdict in (Status.NOT_RUN, Status.UNSUPPORTED) else ""
            table.add_row(verdict, *(Text(texts[c.name][row], style) for c in columns))
        return table

    def _below(self, ascii_only: bool) -> RenderResult:
        for verdict, text, labels in view.remarks(self.cells):
            line = Text.assemble((", ".join(labels), "bold" if verdict is Status.FAIL else ""), ": ", text)
            yield _hanging(_symbol(verdict, ascii_only), line, _STYLES[verdict])
        groups = view.checks(self.certificate)
        for name, _, _, bad in groups:
            for check in bad:
                verdict = Status(check["verdict"])
                line = Text(view.printable(f"{name}, {check['subject']}: {check['reason']}"))
                yield _hanging(_symbol(verdict, ascii_only), line, _STYLES[verdict])
        if groups:
            counts = ", ".join(f"{name} {good}/{total}" for name, good, total, _ in groups)
            yield _hanging(" ", Text(f"Checks: {counts}"), "")
        yield Text()
        status = view.status(self.certificate)
        yield _hanging(_verdict(status, ascii_only).plain, Text(f" {view.summary(self.certificate)}"), _STYLES[status])
        if view.notice(self.certificate):
            yield _hanging("!", Text(f"Judged on {view.dataset(self.certificate)}."), "bold yellow")


def _fitting(width: int, texts: dict[str, list[str]]) -> list[_Column]:
    """The columns that fit beside the verdict without wrapping."""
    columns = list(_COLUMNS)
    needed = {c.name: _GAP + max(cell_len(t) for t in (c.name, *texts[c.name])) for c in columns}
    for column in sorted((c for c in _COLUMNS if c.drop), key=lambda c: c.drop):
        if sum(needed[c.name] for c in columns) > width:
            columns.remove(column)
    return columns


def _samples(cell: Cell) -> str:
    """The number judged, as "500/10k" where it is a sample."""
    if 0 < cell.samples < cell.population:
        return f"{cell.samples:,}/{view.compact(cell.population)}"
    return view.samples(cell)


def _hanging(symbol: str, line: Text, style: str) -> Table:
    """A line with its symbol in the margin, wrapped to the right of it."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(symbol, style), line)
    return grid


def _symbol(verdict: Status, ascii_only: bool) -> str:
    return (_ASCII if ascii_only else view.SYMBOLS)[verdict]


def _verdict(verdict: Status, ascii_only: bool) -> Text:
    return Text(f"{_symbol(verdict, ascii_only)} {verdict}", _STYLES[verdict])


def _plain(text: str, ascii_only: bool) -> str:
    return text.replace(view.NOTHING, "-") if ascii_only else text
