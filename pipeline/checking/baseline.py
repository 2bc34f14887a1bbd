"""The linear baseline: what a net must beat to be worth its weights."""

from __future__ import annotations

import warnings

import numpy as np

from pipeline import heads
from pipeline.checking.finding import Finding, Result
from pipeline.checking.subject import Subject
from pipeline.checking.trial import Trial
from pipeline.heads import Kind, classes

BEHIND = 0.05  # a short trial may stay so far behind the baseline
ABOVE_CHANCE = 0.05


def compare(subject: Subject, trial: Trial) -> Result:
    """The trial's model beside scikit-learn's linear model on the same samples, both judged on others."""
    findings, figures = [], {}
    learned, held = (subject.targets(trial.model, part) for part in (subject.few, subject.held_out))
    answers = heads.answers(trial.model, subject.held_out.x)
    for head in subject.heads:
        if head.kind is Kind.OTHER:
            continue
        target, truth = learned[head.output], held[head.output]
        if head.kind is Kind.NUMBERS:
            if target.ndim > 2 or (target.ndim == 2 and target.shape[1] > 8):
                continue  # an image restored has no linear rival of note
            line, chance = _linear(subject, target, truth, numbers=True), 0.0
            own, what = _explained(truth, answers[head.output]), "share of variance explained"
        else:
            truth = classes(truth).astype(np.int64)
            line = _linear(subject, classes(target).astype(np.int64), truth, numbers=False)
            chance, what = float(np.bincount(truth).max() / len(truth)), "accuracy"
            own = float(np.mean(heads.chances(answers[head.output]).argmax(-1) == truth))
        figures[head.output] = {"model": own, "linear": line, "chance": chance, "figure": what}
        seen = f"After {trial.steps} steps '{head.output}' has {what} {own:.3f} on samples held out"
        if own < chance + min(ABOVE_CHANCE, (1 - chance) / 2):
            findings.append(
                Finding(
                    "baseline",
                    f"{seen}; always giving the same answer has {chance:.3f}, a linear model {line:.3f}.",
                    "The net has learned nothing that helps on samples it has not seen.",
                    "Add a hidden layer with an activation, and see that samples and labels belong together.",
                )
            )
        elif own < line - BEHIND:
            findings.append(
                Finding(
                    "baseline",
                    f"{seen}; a linear model (scikit-learn) on the same samples has {line:.3f}.",
                    "A net that a straight line beats is too small, trained wrongly, or not needed.",
                    "Scale the inputs, raise the learning rate or the width; or take the linear model.",
                )
            )
    return Result(tuple(findings), figures)


def _linear(subject: Subject, target: np.ndarray, truth: np.ndarray, numbers: bool) -> float:
    """Accuracy of logistic regression, or variance explained by ridge regression, on the samples held out."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    flat = [part.x.reshape(len(part.x), -1) for part in (subject.few, subject.held_out)]
    scaler = StandardScaler().fit(flat[0])
    train, test = (np.clip(scaler.transform(rows), -8, 8) for rows in flat)
    if numbers:
        ridge = Ridge().fit(train, target.reshape(len(target), -1))
        return _explained(truth, ridge.predict(test))
    if len(np.unique(target)) < 2:
        return float(np.mean(truth == target[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 60 steps do not converge, and need not
        line = LogisticRegression(max_iter=60).fit(train, target)
    return float(line.score(test, truth))


def _explained(truth: np.ndarray, answer: np.ndarray) -> float:
    truth = truth.reshape(len(truth), -1)
    answer = answer.reshape(truth.shape)
    spread = float(np.mean((truth - truth.mean(0)) ** 2))
    return 1 - float(np.mean((truth - answer) ** 2)) / max(spread, 1e-12)
