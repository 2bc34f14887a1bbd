"""The figures of a cross-validation on the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table

from pipeline.folds import Folds
from pipeline.report import view


def show(done: Folds) -> Table:
    """A row for each fold, then mean and deviation."""
    names = list(done.folds[0].figures)
    names.sort(key=lambda name: name != done.headline)
    table = Table(
        title=f"{done.recipe}: {len(done.folds)} folds of {done.dataset}'s training set",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("fold")
    for name in ("learned", "judged", "best epoch", *(n.replace("_", " ") for n in names)):
        table.add_column(name, justify="right")
    for fold in done.folds:
        figures = [view.figure(name, fold.figures[name]) for name in names]
        kept = f"{fold.best_epoch} of {fold.epochs}"
        table.add_row(str(fold.number), f"{fold.learned:,}", f"{fold.judged:,}", kept, *figures)
    table.add_section()
    for word in ("mean", "deviation"):
        table.add_row(word, "", "", "", *(view.figure(name, done.summary[name][word]) for name in names))
    return table
