"""The data as the first layer sees them, and the labels."""

from __future__ import annotations

import numpy as np

from pipeline.checking.finding import Finding, Result
from pipeline.checking.subject import LOOKED_AT, Subject, layers, watch
from pipeline.heads import Kind, classes

LARGE = 10.0  # a mean or a deviation beyond it is no longer of the order of one
UNEQUAL = 100.0  # deviations of two columns
RARE = 0.1  # of a class's fair share
COMMON = 0.9  # of all samples


def scale(subject: Subject) -> Result:
    """Inputs should reach the first layer with weights at a scale of about one."""
    inputs = [entry for layer, entry, _ in layers(subject.model) if layer.trainable_variables]
    if not inputs or isinstance(inputs[0], list | tuple | dict):
        return Result()
    (values,) = watch(subject.model, inputs[:1], subject.all.x[: 8 * LOOKED_AT])
    if values.dtype.kind != "f":
        return Result()  # indices of an Embedding have no scale
    table = subject.all.x.ndim == 2
    axis = 0 if table else None
    means, deviations = np.atleast_1d(values.mean(axis)), np.atleast_1d(values.std(axis))
    figures = {"largest_mean": float(np.abs(means).max()), "largest_deviation": float(deviations.max())}
    names = subject.dataset.columns or tuple(f"column {i + 1}" for i in range(len(means)))
    seen = ""
    if max(figures["largest_mean"], figures["largest_deviation"]) > LARGE:
        worst = int(np.argmax(np.abs(means) + deviations))
        who = f"'{names[worst]}' reaches" if table and len(names) == len(means) else "the inputs reach"
        seen = f"{who} the first layer with mean {means[worst]:.4g} and standard deviation {deviations[worst]:.4g}."
    elif table and np.any(deviations == 0):
        seen = f"'{names[int(np.argmin(deviations))]}' has the same value in every sample."
        why = "A column that never changes tells nothing, and dividing by its deviation is a division by zero."
        return Result((Finding("input-scale", seen, why, "Leave the column out."),), figures)
    elif table and deviations.max() > UNEQUAL * deviations.min():
        low, high = names[int(np.argmin(deviations))], names[int(np.argmax(deviations))]
        seen = f"'{high}' varies {deviations.max() / deviations.min():,.0f} times as much as '{low}'."
    if not seen:
        return Result((), figures)
    why = "Weights start for inputs of about one: larger ones drown the others and make the steps too long."
    change = (
        "Put a Normalization layer first and adapt it in the recipe's adapt(model, samples)."
        if table
        else "Put a Rescaling layer first, such as Rescaling(1 / 255)."
    )
    return Result((Finding("input-scale", seen[0].upper() + seen[1:], why, change),), figures)


def labels(subject: Subject) -> Result:
    """Every class should occur, and none should crowd out the rest."""
    findings = []
    figures = {}
    targets = subject.targets(subject.model, subject.all)
    for head in subject.heads:
        if head.kind not in (Kind.CLASSES, Kind.BINARY):
            continue
        found = classes(targets[head.output]).astype(np.int64)
        counts = np.bincount(found, minlength=head.units if head.kind is Kind.CLASSES else 2)
        figures[head.output] = counts.tolist()
        fair = len(found) / len(counts)
        rarest, commonest = int(np.argmin(counts)), int(np.argmax(counts))
        share = counts[commonest] / len(found)
        if counts[rarest] == 0:
            findings.append(
                Finding(
                    "labels",
                    f"Output '{head.output}' knows {len(counts)} classes, but class {rarest} never occurs in "
                    f"{len(found):,} training samples.",
                    "A class without samples is never answered, or the labels are numbered differently than thought.",
                    "Number the classes from 0 without gaps, or give the output fewer units.",
                )
            )
        elif share > COMMON or counts[rarest] < RARE * fair:
            findings.append(
                Finding(
                    "labels",
                    f"Class {commonest} has {share:.1%} of the training samples, class {rarest} only "
                    f"{counts[rarest]:,} of {len(found):,}.",
                    f"Always answering {commonest} is right {share:.1%} of the time: accuracy hides what is not "
                    "learned.",
                    "Collect or repeat samples of the rare classes, and watch AUC or the confusion matrix.",
                )
            )
    return Result(tuple(findings), figures)
