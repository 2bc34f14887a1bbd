"""What a trained model does with the test set, kept small enough for a receipt: the numbers behind its pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline import heads
from pipeline.fitting import Samples
from pipeline.heads import Head, Kind
from pipeline.recipes import Recipe

MOST_CLASSES = 26
WRONG, RESTORED, DOTS = 18, 6, 300
BINS = 10
GRID = 56


def gather(
    recipe: Recipe, model: Any, found: tuple[Head, ...], learned: Samples, test: Samples
) -> list[dict[str, Any]]:
    """One entry for each trained output, from the test set; the baseline beside a decision boundary learns as it did.

    Args:
        model: the trained model.
        found: its outputs.
        learned: what it was trained on.
    """
    answers = heads.answers(model, test.x)
    targets = heads.aims(recipe, model, test.x, test.y)
    entries = []
    for head in found:
        if head.kind in (Kind.UNTRAINED, Kind.OTHER):
            continue
        target, answer = targets[head.output], answers[head.output]
        entry: dict[str, Any] = {"output": head.output, "kind": str(head.kind)}
        if head.kind is Kind.NUMBERS:
            entry |= _restored(target, answer) if _image(answer.shape[1:]) else _numbers(target, answer)
        else:
            entry |= _labels(heads.classes(target).astype(np.int64), heads.chances(answer), test.x)
            if test.x.shape[1:] == (2,):
                entry["boundary"] = _boundary(model, head, learned, test)
        entries.append(entry)
    return entries


def _labels(truth: np.ndarray, chances: np.ndarray, samples: np.ndarray) -> dict[str, Any]:
    classes = chances.shape[1]
    chosen, sure = chances.argmax(-1), chances.max(-1)
    wrong = np.flatnonzero(chosen != truth)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:WRONG]
    entry: dict[str, Any] = {
        "accuracy": float(np.mean(chosen == truth)),
        "wrong": len(wrong),
        "misclassified": [
            {
                "sample": int(row),
                "label": int(truth[row]),
                "answer": int(chosen[row]),
                "confidence": round(float(sure[row]), 4),
                **_show(samples[row]),
            }
            for row in worst
        ],
        "calibration": _calibration(sure, chosen == truth),
    }
    if classes <= MOST_CLASSES:
        matrix = np.zeros((classes, classes), np.int64)
        np.add.at(matrix, (truth, chosen), 1)
        entry["confusion"] = {"labels": [str(i) for i in range(classes)], "matrix": matrix.tolist()}
    return entry


def _calibration(sure: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Confidence against accuracy in bins of equal width, and the expected calibration error (Guo et al. 2017)."""
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins, error = [], 0.0
    for k in range(BINS):
        inside = place == k
        if count := int(inside.sum()):
            confidence, accuracy = float(sure[inside].mean()), float(right[inside].mean())
            error += count / len(sure) * abs(confidence - accuracy)
            bins.append({"count": count, "confidence": round(confidence, 4), "accuracy": round(accuracy, 4)})
    return {"bins": bins, "expected_error": round(error, 5)}


def _show(sample: np.ndarray) -> dict[str, Any]:
    """A sample for a picture: an image's brightness as one hexadecimal digit a pixel, or a few values."""
    if _image(sample.shape):
        return {"image": pixels(sample)}
    flat = sample.reshape(-1)
    return {"values": [float(f"{v:.4g}") for v in flat[:12]]}


def pixels(image: np.ndarray) -> dict[str, Any]:
    """An image [height, width] or [height, width, 1], 0 to 1 and a little beyond."""
    flat = np.clip(np.rint(image.reshape(image.shape[:2]) * 15), 0, 15).astype(int)
    return {"width": int(flat.shape[1]), "levels": "".join(f"{v:x}" for v in flat.reshape(-1))}


def _image(shape: tuple[int, ...]) -> bool:
    return (len(shape) == 2 or (len(shape) == 3 and shape[2] == 1)) and min(shape[:2]) >= 6


def _restored(target: np.ndarray, answer: np.ndarray) -> dict[str, Any]:
    """Samples from the best to the worst restored."""
    errors = np.abs(answer.reshape(len(answer), -1) - target.reshape(len(answer), -1)).mean(1)
    order = np.argsort(errors, kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(RESTORED, len(order))).astype(int)]
    return {
        "restored": [
            {
                "sample": int(r),
                "error": float(f"{errors[r]:.4g}"),
                "wanted": pixels(target[r]),
                "given": pixels(answer[r]),
            }
            for r in rows
        ]
    }


def _numbers(target: np.ndarray, answer: np.ndarray) -> dict[str, Any]:
    truth, given = target.reshape(len(target), -1)[:, 0], answer.reshape(len(answer), -1)[:, 0]
    spread = float(np.mean((truth - truth.mean()) ** 2))
    rows = np.linspace(0, len(truth) - 1, min(DOTS, len(truth))).astype(int)
    return {
        "explained": 1 - float(np.mean((truth - given) ** 2)) / max(spread, 1e-12),
        "dots": [[float(f"{truth[r]:.4g}"), float(f"{given[r]:.4g}")] for r in rows],
    }


def _boundary(model: Any, head: Head, learned: Samples, test: Samples) -> dict[str, Any]:
    """The plane as the net sees it, and as logistic regression does; the dots are test samples."""
    from sklearn.linear_model import LogisticRegression

    low, high = test.x.min(0), test.x.max(0)
    pad = 0.08 * (high - low)
    low, high = low - pad, high + pad
    across, up = (np.linspace(low[i], high[i], GRID, dtype=np.float32) for i in (0, 1))
    plane = np.stack(np.meshgrid(across, up[::-1]), axis=-1).reshape(-1, 2)
    net = heads.chances(heads.answers(model, plane)[head.output])
    line = LogisticRegression().fit(learned.x, learned.y)
    return {
        "x": [float(low[0]), float(high[0])],
        "y": [float(low[1]), float(high[1])],
        "size": GRID,
        "net": _plane(net),
        "linear": _plane(line.predict_proba(plane)),
        "linear_accuracy": float(line.score(test.x, test.y)),
        "dots": [
            [round(float(a), 4), round(float(b), 4), int(c)] for (a, b), c in zip(test.x[:DOTS], test.y, strict=False)
        ],
    }


def _plane(chances: np.ndarray) -> dict[str, str]:
    """Per point the answer and how sure it is, each one hexadecimal digit: from even (0) to certain (f)."""
    classes = chances.shape[1]
    sure = (chances.max(-1) - 1 / classes) / (1 - 1 / classes)
    return {
        "answers": "".join(f"{min(int(c), 15):x}" for c in chances.argmax(-1)),
        "certainty": "".join(f"{round(float(s) * 15):x}" for s in np.clip(sure, 0, 1)),
    }
