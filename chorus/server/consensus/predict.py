"""What fitted parameters say of many votes at once. `live` does the same for one item, in plain
Python."""

from __future__ import annotations

import numpy as np

from chorus.server.consensus import dawid_skene, em, one_coin
from chorus.server.consensus.em import FLOOR
from chorus.server.consensus.table import Fitted, Floats, VoteTable


def vote_log_likelihood(fitted: Fitted, table: VoteTable) -> Floats:
    """(n, classes): log chance of each vote under each truth, as if its weight were 1."""
    n, classes = len(table), table.classes
    if fitted.confusion is not None:
        return np.log(fitted.confusion[table.worker, :, table.value])
    if fitted.accuracy is None:
        raise ValueError(f"{fitted.method} says nothing of single votes")
    if classes < 2:
        return np.zeros((n, classes))
    accuracy = fitted.accuracy[table.worker]
    wrong = np.log(np.maximum((1 - accuracy) / (classes - 1), FLOOR))
    out = np.repeat(wrong[:, None], classes, axis=1)
    out[np.arange(n), table.value] = np.log(np.maximum(accuracy, FLOOR))
    return out


def item_log_likelihood(fitted: Fitted, table: VoteTable) -> Floats:
    """(items, classes): log-likelihood of each item's votes, up to a constant of the item."""
    if fitted.confusion is not None:
        return dawid_skene.likelihood(table, fitted.confusion)
    if fitted.accuracy is None:
        raise ValueError(f"{fitted.method} says nothing of single votes")
    return one_coin.likelihood(table, fitted.accuracy)


def posterior(fitted: Fitted, table: VoteTable, evidence: Floats | None = None) -> Floats:
    """(items, classes): the E-step with these parameters, for any votes of the same people."""
    logits = item_log_likelihood(fitted, table) + np.log(fitted.prior)
    if evidence is not None:
        logits += evidence
    return em.softmax(logits)
