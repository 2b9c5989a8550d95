"""Several people's shapes on one picture, to one set of shapes.

What belongs together is found from pairs of people: between every two of them the assignment of
shapes one to one with the greatest sum of overlaps (the Hungarian method: Kuhn 1955, in scipy as
Crouse 2016, "On implementing 2D rectangular assignment algorithms"), and those pairs are joined to
clusters, the surest first, as Kruskal's minimum spanning tree (1956) joins edges, but never two
shapes of one person. (The assignment over all people at once, which this approximates, is NP-hard
from three on.) A member that does not overlap what its cluster adds up to goes out again.

That people's boxes are clustered, merged and counted, and each box is a question of its own,
follows Branson, Van Horn and Perona, "Lean Crowdsourcing" (CVPR 2017); that a merged shape keeps
how many drew it, as a measure of how sure it is, Solovyev, Wang and Gabruseva, "Weighted boxes
fusion" (2021). Everybody's votes count the same here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from statistics import median
from typing import Any

import msgspec

from chorus.server.consensus.merged import Merged
from chorus.server.geometry import Box, Shape, dump, load, number, overlapping
from chorus.server.geometry import iou as overlap_of
from chorus.server.matching import assigned, components, worth

METHOD = "shapes"


class MergedShape(msgspec.Struct, frozen=True):
    """What some people drew in one place."""

    shape: Shape
    """Where the middle of them has it, with the class that most of them chose."""
    seen: int
    """How many drew it."""
    of: int
    """How many looked."""
    iou: float
    """Mean overlap of their shapes with this one, 0..1; 1: nobody else drew it."""
    class_share: float
    """Share of those who drew it that chose its class."""
    by: tuple[int, ...]
    """Who drew it: places in the votes, ascending."""
    classes: tuple[int, ...]
    """The class that each of them chose."""

    @property
    def majority(self) -> bool:
        """More than half drew it: it is in the label."""
        return 2 * self.seen > self.of

    @property
    def agreed(self) -> bool:
        """More than half drew it, and more than half of those chose the class."""
        return self.majority and self.class_share > 0.5

    @property
    def weight(self) -> float:
        """What it counts where the agreement is worked out."""
        return 1.0 if self.majority else 2 * self.seen / self.of

    @property
    def chance(self) -> float:
        """That one more person would say of it what the label says, by Laplace's rule of
        succession: draw it, with this class; or not draw it."""
        like = round(self.class_share * self.seen) if self.majority else self.of - self.seen
        return (like + 1) / (self.of + 2)


class ShapeConsensus(msgspec.Struct, frozen=True):
    """Each in the order of canonical values."""

    shapes: list[MergedShape]
    """The label: what more than half of the people drew."""
    disputed: list[MergedShape]
    """What somebody drew, and half or more did not."""
    agreement: float
    """Share of all these that people agree on (see `MergedShape.agreed`). What is disputed counts
    by how near it came to half of them (`MergedShape.weight`): whole where one of two drew it,
    less where one of five did. 1: there is nothing on the picture, as everybody says."""
    confidence: float
    """Mean, over all these, of the chance that one more person would say what the label says;
    where nobody drew anything, that they would not, either. 0 without votes."""


def merge_shapes(votes: Sequence[Sequence[Shape]], iou: float) -> ShapeConsensus:
    """What people's shapes add up to.

    `votes`: of each person who looked, maybe none. `iou`: in (0, 1], from which overlap on two
    shapes are the same one. Neither the order of the votes nor that of the shapes in them matters.
    Boxes merge to the median of each edge, polygons to the one of them that is most like the
    others (`_medoid`).
    """
    n = len(votes)
    # The order of what is said, not of who says it.
    order = sorted(range(n), key=lambda v: [_key(s) for s in sorted(votes[v], key=_key)])
    who = [v for v in order for _ in votes[v]]
    shapes = [shape.plain for v in order for shape in sorted(votes[v], key=_key)]
    edges: Edges = [{} for _ in shapes]
    for i, j, overlap in overlapping(shapes, iou, who):
        edges[i][j] = edges[j][i] = overlap
    found: list[MergedShape] = []
    for component in components(len(shapes), _between(range(len(shapes)), edges)):
        for cluster in _clusters(component, shapes, who, edges, iou):
            found.append(_merged(cluster, shapes, who, edges, n))
    found.sort(key=lambda m: (_key(m.shape), m.seen))
    if not n:
        return ShapeConsensus([], [], 0.0, 0.0)
    total = len(found)
    weight = sum(m.weight for m in found)
    return ShapeConsensus(
        [m for m in found if m.majority],
        [m for m in found if not m.majority],
        sum(m.agreed for m in found) / weight if found else 1.0,
        sum(m.chance for m in found) / total if total else (n + 1) / (n + 2),
    )


@lru_cache(maxsize=128)
def merge_values(votes: tuple[str, ...], iou: float) -> ShapeConsensus:
    """`merge_shapes` of canonical values. The last pictures are remembered: a vote that is counted
    is soon looked at."""
    return merge_shapes([load(vote) for vote in votes], iou)


def decide_shapes(
    votes: Sequence[str], *, iou: float, share: float, votes_min: int, votes_max: int
) -> Merged:
    """The label of one item; `votes`: canonical values in any order.

    Reached at `votes_min` votes once people agree on `share` of the shapes. Raises `ValueError`
    for rules out of order.
    """
    if not 1 <= votes_min <= votes_max:
        raise ValueError(f"need 1 <= votes_min <= votes_max, got {votes_min} and {votes_max}")
    n = len(votes)
    if not n:
        return Merged(None, 0.0, 0.0, 0, False, True, METHOD)
    found = merge_values(tuple(votes), iou)
    reached = n >= votes_min and found.agreement >= share - 1e-9
    return Merged(
        value=dump(m.shape for m in found.shapes),
        confidence=round(found.confidence, 6),
        agreement=round(found.agreement, 6),
        vote_count=n,
        reached=reached,
        provisional=not reached,
        method=METHOD,
    )


Edges = list[dict[int, float]]
"""Of each shape: which ones overlap it enough, and by how much."""


def _between(members: Sequence[int], edges: Edges) -> list[tuple[int, int]]:
    """(i, j), i < j, of the members that overlap."""
    within = set(members)
    return [(i, j) for i in members for j in edges[i] if i < j and j in within]


def _key(shape: Shape) -> tuple[Any, ...]:
    return shape.cls, shape.box, shape.points or ()


def _clusters(
    members: Sequence[int], shapes: Sequence[Shape], who: Sequence[int], edges: Edges, iou: float
) -> list[list[int]]:
    """The members in groups of what is the same, no two of one person in any."""
    if len(members) == 1:
        return [list(members)]
    if len({who[i] for i in members}) == len(members):
        joined = [list(members)]  # nothing to choose between
    else:
        group = {i: [i] for i in members}
        for i, j in _pairs(members, shapes, who, edges):
            a, b = group[i], group[j]
            if a is b or {who[k] for k in a} & {who[k] for k in b}:
                continue
            a += b
            for k in b:
                group[k] = a
        joined = [sorted(c) for c in {id(c): c for c in group.values()}.values()]
    out, left = [], []
    for cluster in joined:
        kept = _fitting(cluster, shapes, edges, iou)
        out.append(kept)
        left += [i for i in cluster if i not in kept]
    for part in _parts(left, edges) if left else ():
        out += _clusters(part, shapes, who, edges, iou)
    return out


def _parts(members: Sequence[int], edges: Edges) -> list[list[int]]:
    """Those of the members that still hang together."""
    place = {i: n for n, i in enumerate(members)}
    inner = [(place[i], place[j]) for i, j in _between(members, edges)]
    return [[members[n] for n in part] for part in components(len(members), inner)]


def _pairs(
    members: Sequence[int], shapes: Sequence[Shape], who: Sequence[int], edges: Edges
) -> list[tuple[int, int]]:
    """Between every two people the best assignment one to one; the surest pairs first."""
    values: defaultdict[tuple[int, int], dict[tuple[int, int], float]] = defaultdict(dict)
    for i, j in _between(members, edges):
        values[who[i], who[j]][i, j] = worth(edges[i][j], shapes[i], shapes[j])
    found = [(-both[i, j], i, j) for both in values.values() for i, j in assigned(both)]
    # Members are in the order of what they are, so that equals do not depend on who drew them.
    return [(i, j) for _, i, j in sorted(found)]


def _fitting(
    cluster: Sequence[int], shapes: Sequence[Shape], edges: Edges, iou: float
) -> list[int]:
    """The cluster without those that do not overlap what the rest adds up to, the worst first."""
    kept = list(cluster)
    while len(kept) > 2:  # the mean of two that overlap enough overlaps both enough
        _, overlaps = _middle(kept, shapes, edges)
        overlap, worst = min(zip(overlaps, kept, strict=True))
        if overlap >= iou - 1e-9:
            break
        kept.remove(worst)
    return kept


def _merged(
    cluster: Sequence[int], shapes: Sequence[Shape], who: Sequence[int], edges: Edges, n: int
) -> MergedShape:
    votes = Counter(shapes[i].cls for i in cluster)
    cls = min(votes, key=lambda c: (-votes[c], c))
    drew = sorted((who[i], shapes[i].cls) for i in cluster)
    middle, overlaps = _middle(cluster, shapes, edges)
    return MergedShape(
        shape=middle if middle.cls == cls else msgspec.structs.replace(middle, cls=cls),
        seen=len(cluster),
        of=n,
        iou=round(sum(overlaps) / len(overlaps), 4),
        class_share=votes[cls] / len(cluster),
        by=tuple(voter for voter, _ in drew),
        classes=tuple(chosen for _, chosen in drew),
    )


def _middle(
    cluster: Sequence[int], shapes: Sequence[Shape], edges: Edges
) -> tuple[Shape, list[float]]:
    """What shapes of one thing add up to, wherever one of them strays; the overlap of each with
    it."""
    if len(cluster) == 1:
        return shapes[cluster[0]], [1.0]
    if shapes[cluster[0]].points is not None:
        return _medoid(cluster, shapes, edges)
    some = [shapes[i] for i in cluster]
    middle = Shape(some[0].cls, _median([s.box for s in some]))
    return middle, [overlap_of(middle, s) for s in some]


def _median(boxes: Sequence[Box]) -> Box:
    """The median of each edge: as long as most have an edge right, one who does not moves it
    no further than the next who does."""
    corners = zip(*((x, y, x + w, y + h) for x, y, w, h in boxes), strict=True)
    x1, y1, x2, y2 = (median(edge) for edge in corners)
    x, y = number(x1), number(y1)
    return x, y, number(x2 - x), number(y2 - y)


def _medoid(
    cluster: Sequence[int], shapes: Sequence[Shape], edges: Edges
) -> tuple[Shape, list[float]]:
    """The one with the greatest mean overlap with the others (Kaufman and Rousseeuw 1987); among
    equals the first.

    Not the area that most of them cover: of two people that is what both cover, smaller than what
    either meant, and of more it has as many corners as all of them together. This one is as
    somebody drew it, and can be moved by its corners.
    """
    near = {i: {i: 1.0} for i in cluster}
    for i, j in combinations(sorted(cluster), 2):
        overlap = edges[i].get(j)
        if overlap is None:  # too little to make an edge
            overlap = overlap_of(shapes[i], shapes[j])
        near[i][j] = near[j][i] = overlap
    best = min(cluster, key=lambda i: (-round(sum(near[i].values()), 9), i))
    return shapes[best], [near[best][i] for i in cluster]
