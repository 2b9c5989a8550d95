"""Majority over a whole table (`majority` decides one item by a project's rules)."""

from __future__ import annotations

import numpy as np

from chorus.server.consensus import em
from chorus.server.consensus.table import Fitted, VoteTable


def majority_table(table: VoteTable) -> Fitted:
    """The class with most votes. Its probability is Laplace's rule of succession,
    (votes for it + 1) / (votes + classes); an item without votes has all classes equal."""
    counts = table.counts() + 1
    posterior = counts / counts.sum(axis=1, keepdims=True)
    skill, low, high, mean = em.skills(table, em.shares(table))
    return Fitted(
        method="majority",
        posterior=posterior,
        prior=np.full(table.classes, 1 / max(table.classes, 1)),
        votes=table.votes_of_workers(),
        skill=skill,
        skill_low=low,
        skill_high=high,
        population_skill=mean,
    )
