"""Whether a few samples can be learned by heart."""

from __future__ import annotations

import numpy as np

from pipeline import heads
from pipeline.checking.finding import Finding, Result
from pipeline.checking.subject import Subject
from pipeline.checking.trial import stepper
from pipeline.fitting import Samples
from pipeline.heads import Kind, classes

MEMORIZED, MEMORY_STEPS = 8, 400


def learn(subject: Subject) -> Result:
    """A net that can learn at all can learn eight samples by heart, dropout and augmentation aside."""
    model = subject.fresh()
    rows = _spread(subject)
    few = Samples(subject.few.x[rows], subject.few.y[rows])
    targets = heads.trained(subject.recipe, model, few.x, few.y)
    wanted = subject.targets(model, few)
    step = stepper(subject, model, MEMORY_STEPS, training=False)
    first = last = float("nan")
    known: dict[str, bool] = {}
    taken = 0
    for taken in range(1, MEMORY_STEPS + 1):
        last = float(step(few.x, targets)[0])
        first = last if taken == 1 else first
        if taken % 20 == 0 or not np.isfinite(last):
            answers = heads.answers(model, few.x)
            known = {h.output: bool(_knows(h.kind, answers[h.output], wanted[h.output])) for h in subject.heads}
            if all(known.values()) or not np.isfinite(last):
                break
    figures = {
        "samples": len(few),
        "steps": taken,
        "first_loss": first,
        "last_loss": last if np.isfinite(last) else None,
    }
    figures["known"] = all(known.values())
    if all(known.values()):
        return Result((), figures)
    missed = ", ".join(repr(name) for name, done in known.items() if not done)
    seen = f"{len(few)} samples are not known by heart after {taken} steps ({missed}; loss {first:.4g} to {last:.4g})."
    why = "What cannot learn eight samples will not learn thousands: the net is too small, or its training is broken."
    change = (
        "Look at the learning rate, at layers that do not train, and at targets that do not belong to their samples."
    )
    return Result((Finding("memory", seen, why, change),), figures)


def _spread(subject: Subject) -> np.ndarray:
    """Eight rows, of different classes as far as there are."""
    labels = subject.few.y
    if labels.dtype.kind not in "iu":
        return np.arange(min(MEMORIZED, len(labels)))
    queues = [list(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    rows = [queue[turn] for turn in range(MEMORIZED) for queue in queues if turn < len(queue)]
    return np.array(rows[:MEMORIZED])


def _knows(kind: Kind, answer: np.ndarray, target: np.ndarray) -> bool:
    if kind is Kind.OTHER:
        chosen = answer.argmax(-1) if answer.shape[-1] > 1 else answer[..., 0] > 0.5
        wanted = target.argmax(-1) if target.ndim == answer.ndim else target
        return bool(np.mean(chosen == wanted) > 0.99)
    if kind is not Kind.NUMBERS:
        return bool(np.all(heads.chances(answer).argmax(-1) == classes(target)))
    target = target.reshape(answer.shape)
    return float(np.mean((answer - target) ** 2)) < 0.1 * max(float(np.mean((target - target.mean(0)) ** 2)), 1e-12)
