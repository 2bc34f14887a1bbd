"""The verbs of training on the command line: thin, as `cli` is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import EXIT_PASS

if TYPE_CHECKING:
    from pipeline.datasets import Dataset
    from pipeline.recipes import Recipe
    from pipeline.terminal import Terminal

EXIT_FINDINGS = 1

Recipes = Annotated[list[str], typer.Argument(help="Recipes by name (cnn, mlp ...) or path.")]
Data = Annotated[Path | None, typer.Option(help="MNIST as .npz.")]
Seed = Annotated[int, typer.Option(help="Of the training.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="At most so many epochs; a schedule is shortened to them.")]
Runs = Annotated[Path, typer.Option(help="Where trainings are kept and found again.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per model on stdout, all else on stderr.")]

Each = Callable[[Sequence[str], Callable[[str, "Terminal"], int], bool], None]


def register(app: typer.Typer, each: Each) -> None:
    """Add the verbs to the command line. `each` runs one on several models and ends with the worst exit code."""

    @app.command(epilog="Examples: isomer train cnn --seed 1;  isomer train loan --folds 5")
    def train(
        models: Recipes,
        data: Data = None,
        seed: Seed = 0,
        epochs: Epochs = None,
        runs: Runs = Path("runs"),
        tensorboard: Annotated[Path | None, typer.Option(help="Write TensorBoard logs below this directory.")] = None,
        folds: Annotated[
            int | None, typer.Option(min=2, help="Cross-validate instead: so many trainings, none of them kept.")
        ] = None,
        workers: Annotated[
            int | None,
            typer.Option(min=1, help="Train one model in so many processes here; TF_CONFIG joins them over machines."),
        ] = None,
        json: Json = False,
    ) -> None:
        """Train recipes; keeps the best epoch's weights and a receipt below runs/."""

        def one(name: str, terminal: Terminal) -> int:
            from pipeline.workers import cluster, command

            place = cluster.from_environment()
            if place is None and workers is not None and workers > 1 and folds is None:
                given = {"data": data, "seed": seed, "epochs": epochs, "runs": runs, "tensorboard": tensorboard}
                return command.launch(name, workers, given, terminal, json)
            command.refuse_contradictions(place, workers, folds)
            from pipeline import datasets, recipes, training

            recipe = recipes.load(name)
            dataset = datasets.load(recipe.dataset, data, download=True)
            if dataset.notice:
                terminal.notice(dataset.notice)
            if folds is not None:
                return _cross_validate(recipe, dataset, folds, seed, epochs, runs, terminal, json)
            directory = training.place(runs, dataset)
            team = None if place is None else command.join(place, recipe, directory, terminal)
            terminal.stage(recipe.name, f"training on {dataset.name}")
            done = training.train(
                recipe,
                dataset,
                seed=seed,
                epochs=epochs,
                directory=directory,
                tensorboard=None if tensorboard is None else tensorboard / recipe.name,
                progress=terminal.epoch,
                team=team,
            )
            if team is not None and not team.cluster.chief:
                terminal.stage(recipe.name, "trained; worker 0 keeps the model and its receipt")
                return EXIT_PASS
            if json:
                terminal.result({"model": recipe.name, "path": str(done.path), "receipt": done.receipt})
            else:
                terminal.out.print(
                    f"{recipe.name}: {training.describe_test(done.receipt)} on the test set of {dataset.name} "
                    f"(best epoch {done.receipt['best_epoch']}), kept in {done.path}",
                    soft_wrap=True,
                )
            if dataset.notice:
                terminal.notice(dataset.notice)
            return EXIT_PASS

        each(models, one, json)

    @app.command(
        epilog="Examples: isomer check mlp;  isomer check my/recipe.py --json. "
        "Exit codes: 0 nothing found, 1 findings, 2 usage, 3 environment."
    )
    def check(recipes: Recipes, data: Data = None, seed: Seed = 0, json: Json = False) -> None:
        """Examine recipes before they are trained, in under a minute each: what would spoil the training, and why."""

        def one(name: str, terminal: Terminal) -> int:
            from pipeline.checking import check as run
            from pipeline.report.checkup import show

            done = run(name, data=data, seed=seed, observer=terminal)
            if json:
                terminal.result(done.to_json())
            else:
                terminal.out.print(show(done))
            return EXIT_PASS if done.healthy else EXIT_FINDINGS

        each(recipes, one, json)

    @app.command(epilog="Examples: isomer prune cnn;  isomer prune mlp --remove 0.8 --finetune 5")
    def prune(
        recipes: Recipes,
        remove: Annotated[float, typer.Option(min=0, max=0.99, help="Share of all weights to remove.")] = 0.5,
        finetune: Annotated[int | None, typer.Option(min=1, help="Epochs afterwards; the recipe's.")] = None,
        data: Data = None,
        seed: Seed = 0,
        epochs: Epochs = None,
        runs: Runs = Path("runs"),
        json: Json = False,
    ) -> None:
        """Remove units and channels that do least, for good, and train what is left again."""

        def one(name: str, terminal: Terminal) -> int:
            from pipeline.pruning import describe
            from pipeline.pruning import prune as run

            done = run(
                name,
                remove=remove,
                finetune=finetune,
                data=data,
                seed=seed,
                epochs=epochs,
                runs=runs,
                observer=terminal,
            )
            if json:
                terminal.result({"model": Path(name).stem, "path": str(done.path), **done.pruning})
            else:
                terminal.out.print(
                    f"{Path(name).stem}: {describe(done)}\nkept in {done.path}; isomer export {done.path} takes it to "
                    "every format",
                    soft_wrap=True,
                )
            return EXIT_PASS

        each(recipes, one, json)

    @app.command(epilog="Example: isomer tune spirals --trials 20")
    def tune(
        recipes: Recipes,
        trials: Annotated[int, typer.Option(min=1, help="In all, those of earlier runs counted.")] = 20,
        epochs: Epochs = None,
        data: Data = None,
        seed: Seed = 0,
        runs: Runs = Path("runs"),
        ray: Annotated[
            str | None,
            typer.Option(help="Train on a Ray cluster: its address, auto for the one here, local to start one."),
        ] = None,
        json: Json = False,
    ) -> None:
        """Search over the ranges that recipes declare; run again, it goes on where it was stopped."""

        def one(name: str, terminal: Terminal) -> int:
            from pipeline.report.study import describe_end, show
            from pipeline.tuning import tune as run

            def begin(number: int, settings: dict[str, Any]) -> None:
                words = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in settings.items())
                terminal.stage(Path(name).stem, f"trial {number}: {words}")

            done = run(
                name,
                trials=trials,
                epochs=epochs,
                data=data,
                seed=seed,
                runs=runs,
                ray=ray,
                observer=terminal,
                begin=begin,
                end=lambda trial: terminal.stage(Path(name).stem, describe_end(trial)),
            )
            if json:
                terminal.result(done.to_json())
            else:
                terminal.out.print(show(done))
            return EXIT_PASS

        each(recipes, one, json)


def _cross_validate(
    recipe: Recipe,
    dataset: Dataset,
    folds: int,
    seed: int,
    epochs: int | None,
    runs: Path,
    terminal: Terminal,
    json: bool,
) -> int:
    from pipeline.folds import cross_validate
    from pipeline.report.folds import show
    from pipeline.training import place

    done = cross_validate(
        recipe,
        dataset,
        folds,
        seed=seed,
        epochs=epochs,
        directory=place(runs, dataset),
        progress=terminal.epoch,
        begin=lambda number: terminal.stage(recipe.name, f"training fold {number} of {folds}"),
    )
    if json:
        terminal.result(done.to_json())
    else:
        terminal.out.print(show(done))
        terminal.out.print(f"kept in {done.path}", soft_wrap=True)
    return EXIT_PASS
