"""A cheap way of a person through a page where labels are sets of classes.

The page's rules (kept by chorus/web/static/js/page_state.js), each a key press or a click:

- a tag key goes to the selected items, or else to the focused one: the class is put into each of
  their sets, or, where all have it, taken out of all. Focus and selection stay, so that one more
  tag may follow; the selection ends when another item is selected or the focus moves;
- "none" says that no class applies, "skip" skips; both end the selection, and after a single item
  the focus moves on. With page size 1 they also submit;
- next moves the focus on; all selects all items; toggle selects or unselects one;
- an item without any answer cannot be submitted: a set that lost its last class is no answer.

A person takes the cheapest of some plain strategies: item by item from where the focus is; items
that need the same keys as groups; tag by tag; any of the last two after "none" or the commonest
tags went to all items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from chorus.simulate.plan import Action, focus

Tags = frozenset[str]
Said = Tags | None
"""What an item is labeled as; None: no answer yet. In what is wanted, None is a skip."""
COMMON_MAX = 4
"""Tags that may go to all items at once."""
_NONE, _SKIP = Action("none"), Action("skip")


def plan_sets(shown: Sequence[Said], wanted: Sequence[Said], page_size: int) -> list[Action]:
    """Actions after which the page holds `wanted` (None: skipped) and is submitted; each costs 1.

    `shown`: what each item is labeled as when the page appears (a prelabel), or None.
    """
    if len(shown) != len(wanted):
        raise ValueError("one answer per item")
    if page_size == 1 and len(wanted) == 1:
        only = keys(shown[0], wanted[0])
        return only if only and _complete(only) else [*only, Action("submit")]
    return [*min(_ways(shown, wanted), key=len), Action("submit")]


def keys(shown: Said, wanted: Said) -> list[Action]:
    """What to press for one item, or for several that need the same."""
    if wanted is None:
        return [_SKIP]
    if not wanted:
        return [] if shown == wanted else [_NONE]
    # First what is missing: a set must not lose its last class on the way.
    before = shown or frozenset()
    return [
        Action("tag", label=tag) for tag in [*sorted(wanted - before), *sorted(before - wanted)]
    ]


def _complete(pressed: Sequence[Action]) -> bool:
    return pressed[-1] in (_NONE, _SKIP)


def _ways(shown: Sequence[Said], wanted: Sequence[Said]) -> Iterator[list[Action]]:
    first = focus(shown)
    for end in range(first, len(wanted) + 1):
        # The items from the focus on one by one, the others in groups.
        begun = [*shown[:first], *wanted[first:end], *shown[end:]]
        lead = _one_by_one(shown, wanted, first, end)
        done = set(range(first, end))
        for rest in (_alike, _by_tag):
            yield [*lead, *rest(begun, wanted, done)]
    if len(wanted) < 2:
        return
    counts = Counter(tag for one in wanted if one is not None for tag in one)
    common = sorted(counts, key=lambda tag: (-counts[tag], tag))
    bases: list[list[str]] = [[], *(common[:n] for n in range(1, min(len(common), COMMON_MAX) + 1))]
    for base in bases:
        start, after = _to_all(shown, wanted, base)
        for rest in (_alike, _by_tag):
            yield [*start, *rest(after, wanted, set())]


def _one_by_one(
    shown: Sequence[Said], wanted: Sequence[Said], first: int, end: int
) -> list[Action]:
    out: list[Action] = []
    for i in range(first, end):
        pressed = keys(shown[i], wanted[i])
        out += pressed
        if i + 1 < end and not (pressed and _complete(pressed)):
            out.append(Action("next"))
    return out


def _alike(state: Sequence[Said], wanted: Sequence[Said], done: set[int]) -> list[Action]:
    """Items that need the same keys for the same reason are selected together."""
    groups: dict[tuple[tuple[Action, ...], tuple[bool, ...]], list[int]] = {}
    for i, want in enumerate(wanted):
        if i not in done and (pressed := keys(state[i], want)):
            # One press of a key gives a class to all, or takes it from all.
            takes = tuple(action.label in (state[i] or ()) for action in pressed)
            groups.setdefault((tuple(pressed), takes), []).append(i)
    out: list[Action] = []
    for (shared, _), items in groups.items():
        out += [Action("toggle", i) for i in items]
        out += shared
    return out


def _by_tag(state: Sequence[Said], wanted: Sequence[Said], done: set[int]) -> list[Action]:
    """All items that miss a tag are selected together, then those that miss the next one."""
    groups: dict[tuple[Action, bool], list[int]] = {}
    for i, want in enumerate(wanted):
        if i in done:
            continue
        had = state[i] or frozenset()
        for action in keys(state[i], want):
            groups.setdefault((action, action.label in had), []).append(i)
    out: list[Action] = []
    # What is missing first, as for a single item.
    for (action, _), items in sorted(groups.items(), key=lambda group: group[0][1]):
        out += [Action("toggle", i) for i in items]
        out.append(action)
    return out


def _to_all(
    shown: Sequence[Said], wanted: Sequence[Said], base: Sequence[str]
) -> tuple[list[Action], list[Said]]:
    """ "none" (no `base`) or the tags of `base` for all items but those it makes no cheaper;
    (actions, the page's state then)."""
    after = [frozenset(base) | (said or frozenset()) if base else frozenset() for said in shown]
    chosen = [
        i for i, want in enumerate(wanted) if _alone(after[i], want) <= _alone(shown[i], want) + 1
    ]
    # A key that changes nothing would take away instead.
    pressed = [
        Action("tag", label=tag) for tag in base if not all(tag in (shown[i] or ()) for i in chosen)
    ]
    if not base and any(shown[i] != frozenset() for i in chosen):
        pressed = [_NONE]
    if not chosen or not pressed:
        return [], list(shown)
    out = [Action("toggle", i) for i in range(len(wanted)) if i not in chosen]
    state = [after[i] if i in chosen else shown[i] for i in range(len(wanted))]
    return [Action("all"), *out, *pressed], state


def _alone(state: Said, want: Said) -> int:
    """What an item costs by itself."""
    pressed = keys(state, want)
    return 1 + len(pressed) if pressed else 0
