"""Labels as simulations have them: a class's name; of label sets, the names joined by "|"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chorus.client.messages import Answer, Prelabel

BETWEEN = "|"
"""Between the names of a set; "" is the set of none."""


def tags(label: str) -> frozenset[str]:
    """The classes of a set: "a|b" -> {"a", "b"}."""
    return frozenset(name.strip() for name in label.split(BETWEEN)) - {""}


def joined(classes: Iterable[str]) -> str:
    """The one way to write a set: sorted, each once."""
    return BETWEEN.join(sorted(set(classes)))


def normal(label: str, multilabel: bool) -> str:
    """Two labels that mean the same are the same text."""
    return joined(tags(label)) if multilabel else label


def answer_of(label: str, multilabel: bool) -> Answer:
    """As the client sends it."""
    return sorted(tags(label)) if multilabel else label


def shown_label(prelabel: Prelabel | None) -> str | None:
    """What a page shows an item to be labeled as."""
    if prelabel is None:
        return None
    answer = prelabel.answer
    return answer if isinstance(answer, str) else joined(answer)


def cell(text: str, multilabel: bool) -> str | None:
    """A label's cell of an export; None: no label. "|" alone is the set of none."""
    return normal(text, multilabel) if text else None


def flipped(label: str, name: str) -> str:
    """The set with one class put in, or taken out if it is there."""
    return joined(tags(label) ^ {name})


def classes_of(labels: Iterable[str], multilabel: bool) -> set[str]:
    if not multilabel:
        return set(labels)
    return set().union(*(tags(label) for label in labels))


def majority(votes: Sequence[str], multilabel: bool) -> str:
    """What most votes say (one or more, oldest first); of sets, class by class. Ties are as the
    vote cast first has it."""
    if not multilabel:
        return max(dict.fromkeys(votes), key=votes.count)
    sets = [tags(vote) for vote in votes]
    named = set().union(*sets)
    # Half a vote for the first one breaks ties.
    return joined(c for c in named if 2 * sum(c in s for s in sets) + (c in sets[0]) > len(sets))


def micro_f1(pairs: Iterable[tuple[str, str]]) -> float | None:
    """F1 over all (label, gold) pairs' classes together; None where no class is in any."""
    shared = total = 0
    for label, gold in pairs:
        said, true = tags(label), tags(gold)
        shared += len(said & true)
        total += len(said) + len(true)
    return 2 * shared / total if total else None
