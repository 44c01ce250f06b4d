"""The metrics of classes and scores, calculated row by row and pair by pair."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.number]


def of_classes(logits: Numbers, labels: Numbers) -> dict[str, float]:
    """Precision, recall, F1 and Jaccard's index, averaged in three ways, by a loop over classes."""
    predicted, classes = np.argmax(logits, axis=1), logits.shape[1]
    hits = [int(np.sum((predicted == c) & (labels == c))) for c in range(classes)]
    found = [int(np.sum(predicted == c)) for c in range(classes)]
    there = [int(np.sum(labels == c)) for c in range(classes)]
    parts = {
        "precision": (hits, found),
        "recall": (hits, there),
        "f1": ([2 * h for h in hits], [f + t for f, t in zip(found, there, strict=True)]),
        "iou": (hits, [f + t - h for f, t, h in zip(found, there, hits, strict=True)]),
    }
    values: dict[str, float] = {}
    for name, (part, whole) in parts.items():
        quotients = [a / b if b else 0.0 for a, b in zip(part, whole, strict=True)]
        occurring = [q for q, f, t in zip(quotients, found, there, strict=True) if f or t]
        values[f"{name}_micro"] = sum(part) / sum(whole)
        values[f"{name}_macro"] = sum(occurring) / len(occurring)
        values[f"{name}_weighted"] = sum(
            q * t for q, t in zip(quotients, there, strict=True)
        ) / sum(there)
    return values


def confusion(logits: Numbers, labels: Numbers) -> Numbers:
    counts = np.zeros((logits.shape[1],) * 2)
    for row, label in zip(logits, labels, strict=True):
        counts[label, np.argmax(row)] += 1
    return counts


def auc(scores: Numbers, targets: Numbers) -> float:
    """The share of pairs of a positive and a negative in the right order; equal ones are half."""
    pairs = [(a, b) for a in scores[targets == 1] for b in scores[targets == 0]]
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


def average_precision(scores: Numbers, targets: Numbers) -> float:
    """The mean, over positives, of the precision of predicting what scores as high or higher."""
    precisions = [np.mean(targets[scores >= score]) for score in scores[targets == 1]]
    return float(np.mean(precisions)) if precisions else 0.0


def r2(predictions: Numbers, targets: Numbers) -> float:
    p, t = predictions.astype(float), targets.astype(float)
    return float(np.mean(1 - ((p - t) ** 2).sum(0) / ((t - t.mean(0)) ** 2).sum(0)))


def rmse(predictions: Numbers, targets: Numbers) -> float:
    p, t = predictions.astype(float), targets.astype(float)
    return float(np.mean(np.sqrt(((p - t) ** 2).mean(0))))
