"""Pages of near neighbours: blocks over the embedding, found through HNSW."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import hnswlib
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK = 9
"""Items in a block, if nothing else is said."""
NEIGHBOURS = 48
EF = 96
CLUSTERED = 30_000
"""Items in a round's blocks at most: several times what people label before the next round, which
comes after 15 % more labels; and graph and search of 30,000 take seconds, of 500,000 minutes."""
WORTH_GAIN = 0.1
"""Clustered pages are worth showing when they are expected to be this much purer than random."""


@dataclass
class Blocks:
    """`block` and `pos` (n,): each item's place; `odd` (n,): 0..1, how unlike its block."""

    block: Ints
    pos: Ints
    odd: Floats
    purity: float
    """Expected share of the most common answer on a page: of a class or, where labels are sets, of
    a whole set, since one gesture answers only those items that have all of it."""
    random_purity: float
    """The same on pages drawn at random."""

    @property
    def worth(self) -> bool:
        return self.purity >= self.random_purity + WORTH_GAIN


class Views(Protocol):
    """What the model says of all n items."""

    sure: Floats
    """(n,)"""
    kind: Ints
    """(n,): equal for equal answers."""

    def common(self, members: Ints) -> tuple[float, Floats]:
        """(expected share of the most common answer among these k items, (k,): each one's
        probability of having it)."""


class ClassViews:
    """Of items that have one class each; `probabilities` (n, c)."""

    def __init__(self, probabilities: Floats) -> None:
        self.sure: Floats = probabilities.max(axis=1)
        self.kind: Ints = probabilities.argmax(axis=1)
        self._probabilities = probabilities

    def common(self, members: Ints) -> tuple[float, Floats]:
        mean = self._probabilities[members].mean(axis=0)
        at = int(mean.argmax())
        return float(mean[at]), self._probabilities[members, at]


class SetViews:
    """Of items that have a set of classes each; probabilities, sets (n, c), scores (n,) of
    `answers.class_sets`. How likely a neighbour's set is for an item too: as if its classes were
    independent."""

    def __init__(self, probabilities: Floats, sets: Bools, scores: Floats) -> None:
        self.sure = scores
        _, kind = np.unique(sets, axis=0, return_inverse=True)
        self.kind: Ints = kind.reshape(len(sets)).astype(np.int64)
        self._sets = sets
        self._yes: Floats = np.log(probabilities)
        self._no: Floats = np.log1p(-probabilities)

    def common(self, members: Ints) -> tuple[float, Floats]:
        sets = self._sets[members].astype(self._yes.dtype)
        # [i, j]: that item i has the set of item j.
        chance = np.exp(self._yes[members] @ sets.T + self._no[members] @ (1 - sets).T)
        mean = chance.mean(axis=0)
        at = int(mean.argmax())
        return float(mean[at]), chance[:, at]


def make_blocks(
    embedding: Floats, views: Views, seed: int, threads: int, size: int = BLOCK
) -> Blocks:
    """embedding (n, h): every item gets a place in exactly one block of `size` items (the last may
    be smaller). `size` is that of a page: three actions answer all that are alike on one, so what
    is left over of a larger block costs each of its items more. Block numbers are in random order,
    so that labeling block after block stays near a random sample."""
    n = len(embedding)
    rng = np.random.default_rng(seed)
    if n == 0:
        return Blocks(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32), 0.0, 0.0)
    unit = embedding / np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-9)
    groups = _group(unit.astype(np.float32), views, seed, threads, size)
    block = np.empty(n, dtype=np.int64)
    pos = np.empty(n, dtype=np.int64)
    odd = np.empty(n, dtype=np.float32)
    shares = []
    for number, group in zip(rng.permutation(len(groups)), groups, strict=True):
        members = np.asarray(group)
        share, alike = views.common(members)
        odd[members] = 1.0 - alike
        # The odd ones first: that is where the eye begins.
        members = members[np.argsort(-odd[members], kind="stable")]
        block[members] = number
        pos[members] = np.arange(len(members))
        shares.append(share)
    return Blocks(block, pos, odd, float(np.mean(shares)), _random_purity(views, n, size, rng))


def sampled(ids: Ints, among: Bools, most: int) -> Bools:
    """(n,): `among`, or `most` of them by chance. The same ones each time as far as they are still
    among: who is in the blocks of one round is in those of the next, and moves to no other queue.
    """
    at = np.flatnonzero(among)
    out = np.zeros(len(ids), dtype=bool)
    out[at[np.argsort(_scattered(ids[at]), kind="stable")[:most]]] = True
    return out


def _scattered(ids: Ints) -> NDArray[np.uint64]:
    """A number of 64 bits for each, as if drawn at random: the finalizer of SplitMix64 (Steele,
    Lea & Flood, Fast splittable pseudorandom number generators, 2014)."""
    z = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return out


def _random_purity(views: Views, n: int, size: int, rng: np.random.Generator) -> float:
    pages = [rng.choice(n, size=min(size, n), replace=False) for _ in range(200)]
    return float(np.mean([views.common(p)[0] for p in pages]))


def _group(unit: Floats, views: Views, seed: int, threads: int, size: int) -> list[list[int]]:
    """Greedy: the surest item not yet placed takes its nearest; what cannot fill a block
    is searched again among what is left, until little is."""
    left = np.arange(len(unit))
    groups: list[list[int]] = []
    while len(left) > 2 * size:
        near = _neighbours(unit[left], seed, threads)
        if near is None:
            break
        order = np.argsort(-views.sure[left], kind="stable")
        free = np.ones(len(left), dtype=bool)
        made = 0
        for first in order:
            if not free[first]:
                continue
            row = near[first]
            row = row[free[row]]
            row = row[row != first][: size - 1]
            if len(row) < size - 1:
                continue
            members = [int(first), *(int(i) for i in row)]
            free[members] = False
            groups.append([int(left[i]) for i in members])
            made += 1
        left = left[free]
        if made == 0:
            break
    # The rest, by what the model takes them for.
    left = left[np.lexsort((-views.sure[left], views.kind[left]))]
    groups += [[int(i) for i in left[at : at + size]] for at in range(0, len(left), size)]
    return groups


def _neighbours(unit: Floats, seed: int, threads: int) -> Ints | None:
    """(n, k) nearest by cosine, most similar first (HNSW, Malkov & Yashunin 2016); None where they
    cannot be found."""
    index = hnswlib.Index(space="cosine", dim=unit.shape[1])
    index.init_index(max_elements=len(unit), ef_construction=100, M=12, random_seed=seed % 2**31)
    # One thread builds the same graph every time; large sets buy speed instead.
    build = 1 if len(unit) <= 20_000 else threads
    index.add_items(unit, num_threads=build)
    k = min(NEIGHBOURS, len(unit))
    index.set_ef(max(EF, k + 1))
    try:
        labels, _ = index.knn_query(unit, k=k, num_threads=threads)
    except RuntimeError:
        # Thousands of pictures that are all the same can cut its graph in two.
        return None
    out: Ints = labels.astype(np.int64)
    return out
