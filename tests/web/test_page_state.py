"""The labeler's page as a state machine: whatever is pressed, in whatever order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Run

pytestmark = pytest.mark.browser

CLASSES = ["a", "b", "c", "d"]
SINGLE, SETS = "multiclass", "multilabel"

Action = dict[str, Any]

# A page and actions -> the state after each action (without the past, which grows), and what there
# is to send at the end.
PLAY = """({page, task_type, actions, draft}, {page_state, answering}) => {
    const project = {task_type};
    const order = ["a", "b", "c", "d"];
    let state = page_state.open(page, answering.answeringOf(project, () => order), draft ?? {});
    const states = [];
    const keep = () => {
        const {past, answering: _, items, ...rest} = state;
        states.push({...rest, items: items.map(i => i.item_id), depth: past.length,
                     missing: page_state.missing(state)});
    };
    keep();
    for (const action of actions) { state = page_state.reduce(state, action); keep(); }
    const sent = page_state.toSend(state)
        .map(s => ({item: s.item.item_id, kind: s.kind, value: s.value}));
    return {states, sent};
}"""


def item(item_id: int, **more: Any) -> dict[str, Any]:
    return {"item_id": item_id, "prelabel": None, "odd": None, "vote": None, **more}


sets = st.lists(st.sampled_from(CLASSES), unique=True).map(sorted)


@st.composite
def pages(draw: st.DrawFn, task_type: str) -> dict[str, Any]:
    count = draw(st.sampled_from([1, 4, 6, 9]))
    items = []
    for n in range(count):
        value = None
        if draw(st.booleans()):
            value = {"classes": draw(sets)}
            if task_type == SINGLE:
                value = {"class": draw(st.sampled_from(CLASSES))}
        items.append(item(n + 1, prelabel=value and {**value, "score": 0.9}))
    return {"page_id": 1, "kind": "prelabeled", "size": count, "items": items}


def actions(task_type: str) -> st.SearchStrategy[list[Action]]:
    classes: list[str | None] = [*CLASSES, *([None] if task_type == SETS else [])]
    ids = st.integers(1, 9)
    one = st.one_of(
        st.builds(lambda c: {"type": "label", "cls": c}, st.sampled_from(classes)),
        st.builds(lambda i: {"type": "toggle", "item_id": i}, ids),
        st.builds(lambda i: {"type": "focus", "item_id": i}, ids),
        st.builds(lambda x, y: {"type": "move", "dx": x, "dy": y}, *[st.integers(-1, 1)] * 2),
        st.builds(
            lambda i, c: {"type": "untag", "item_id": i, "cls": c}, ids, st.sampled_from(CLASSES)
        )
        if task_type == SETS
        else st.nothing(),
        st.sampled_from(
            [{"type": t} for t in ("skip", "flag", "clear", "undo", "selectAll", "selectNone")]
        ),
        st.builds(lambda i: {"type": "close", "item_id": i}, ids),
    )
    return st.lists(one, max_size=25)


games = st.sampled_from([SINGLE, SETS]).flatmap(
    lambda t: st.fixed_dictionaries(
        {"task_type": st.just(t), "page": pages(t), "actions": actions(t)}
    )
)
many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(game=games)
def test_a_page_always_makes_sense(run: Run, game: dict[str, Any]) -> None:
    played = run(PLAY, game)
    for state in played["states"]:
        items = state["items"]
        assert set(map(int, state["answers"])) <= set(items)
        assert set(state["selected"]) <= set(items)
        assert len(set(state["selected"])) == len(state["selected"])
        assert 0 <= state["focus"] < max(1, len(items))
        assert state["missing"] == len(items) - len(state["answers"])
        for answer in state["answers"].values():
            if answer["kind"] in ("skip", "flag"):
                assert answer["classes"] == []
            elif game["task_type"] == SINGLE:
                assert len(answer["classes"]) == 1
            else:
                # In the project's order, each class once; none of them is an answer.
                assert answer["classes"] == sorted(set(answer["classes"]))


@many
@given(game=games)
def test_what_is_sent_is_what_is_shown(run: Run, game: dict[str, Any]) -> None:
    played = run(PLAY, game)
    last = played["states"][-1]
    sent = {s["item"]: s for s in played["sent"]}
    assert set(sent) == set(map(int, last["answers"]))
    for item_id, answer in last["answers"].items():
        vote = sent[int(item_id)]
        assert vote["kind"] == answer["kind"]
        if answer["kind"] in ("skip", "flag"):
            assert vote["value"] is None
        elif game["task_type"] == SETS:
            assert vote["value"] == {"classes": answer["classes"]}
        else:
            assert vote["value"] == {"class": answer["classes"][0]}


@many
@given(game=games)
def test_undo_goes_all_the_way_back(run: Run, game: dict[str, Any]) -> None:
    game["actions"] = [a for a in game["actions"] if a["type"] not in ("close", "undo")]
    steps = len(game["actions"])
    undone = run(PLAY, {**game, "actions": game["actions"] + [{"type": "undo"}] * steps})
    first, last = undone["states"][0], undone["states"][-1]
    assert last["depth"] == 0
    assert (last["answers"], last["selected"]) == (first["answers"], [])


@many
@given(game=games)
def test_a_reload_changes_no_answer(run: Run, game: dict[str, Any]) -> None:
    game["actions"] = [a for a in game["actions"] if a["type"] != "close"]
    before = run(PLAY, game)["states"][-1]
    draft = {"answers": before["answers"], "focus": before["focus"]}
    after = run(PLAY, {**game, "actions": [], "draft": draft})["states"][0]
    # What the model said and a person took away is there again, as the model's: nothing is sent
    # that nobody saw.
    for item_id, answer in before["answers"].items():
        assert after["answers"][item_id] == answer
    assert all(
        after["answers"][i]["by"] == "model"
        for i in after["answers"].keys() - before["answers"].keys()
    )
    assert after["focus"] == before["focus"]


@many
@given(page=pages(SETS), chosen=st.sets(st.integers(1, 9)), name=st.sampled_from(CLASSES))
def test_a_class_key_tags_all_or_frees_all(
    run: Run, page: dict[str, Any], chosen: set[int], name: str
) -> None:
    ids = sorted(chosen & {i["item_id"] for i in page["items"]}) or [1]
    select = [{"type": "toggle", "item_id": i} for i in ids]
    tag = {"type": "label", "cls": name}
    played = run(PLAY, {"page": page, "task_type": SETS, "actions": [*select, tag, tag]})
    before, once, twice = played["states"][-3:]

    def sets_of(state: dict[str, Any]) -> list[set[str] | None]:
        answers = [state["answers"].get(str(i)) for i in ids]
        return [None if a is None else set(a["classes"]) for a in answers]

    had = [said or set() for said in sets_of(before)]
    if all(name in said for said in had):
        assert sets_of(once) == [(said - {name}) or None for said in had]
    else:
        assert sets_of(once) == [said | {name} for said in had]
        assert sets_of(twice) == [(said - {name}) or None for said in had]
    # Nobody else's answer, and neither the focus nor the selection, is touched.
    others = [i["item_id"] for i in page["items"] if i["item_id"] not in ids]
    for i in others:
        assert once["answers"].get(str(i)) == before["answers"].get(str(i))
    assert (once["focus"], once["selected"]) == (before["focus"], before["selected"])


def test_a_used_selection_ends_where_the_person_goes_on(run: Run) -> None:
    page = {"page_id": 1, "kind": "manual", "size": 4, "items": [item(n) for n in range(1, 5)]}
    steps = [
        {"type": "selectAll"},
        {"type": "label", "cls": "a"},
        {"type": "label", "cls": "b"},
        {"type": "move", "dx": 1, "dy": 0},
        {"type": "label", "cls": "a"},
    ]
    last = run(PLAY, {"page": page, "task_type": SETS, "actions": steps})["states"][-1]
    assert last["selected"] == []
    assert [last["answers"][str(n)]["classes"] for n in range(1, 5)] == [
        ["a", "b"], ["b"], ["a", "b"], ["a", "b"]
    ]  # fmt: skip


def test_a_flag_meets_the_items_it_was_meant_for(run: Run) -> None:
    page = {"page_id": 1, "kind": "manual", "size": 4, "items": [item(n) for n in range(1, 5)]}
    meant = [
        {"type": "focus", "item_id": 2},
        {"type": "close", "item_id": 2, "replacement": item(9)},
        {"type": "flag", "item_ids": [2]},
        {"type": "flag", "item_ids": [2, 3]},
        {"type": "flag", "item_ids": [9]},
    ]
    states = run(PLAY, {"page": page, "task_type": SINGLE, "actions": meant})["states"]
    kinds = [{id: a["kind"] for id, a in state["answers"].items()} for state in states[-3:]]
    assert kinds == [{}, {"3": "flag"}, {"3": "flag", "9": "flag"}]
    # What is gone is no step back either; the focus goes on only after the item it was on.
    assert [state["depth"] for state in states[-4:]] == [0, 0, 1, 2]
    assert [state["focus"] for state in states[-3:]] == [1, 1, 2]


def test_votes_that_say_the_same_are_not_sent_again(run: Run) -> None:
    vote = {"vote_id": "v", "kind": "label", "value": {"classes": ["a", "b"]}}
    page = {"page_id": 1, "kind": "manual", "size": 1, "items": [item(1, vote=vote)]}
    tag = {"type": "label", "cls": "a"}
    assert run(PLAY, {"page": page, "task_type": SETS, "actions": [tag, tag]})["sent"] == []
    assert run(PLAY, {"page": page, "task_type": SETS, "actions": [tag]})["sent"] == [
        {"item": 1, "kind": "label", "value": {"classes": ["b"]}}
    ]


WORDS = """({page, task_type}, {page_state, page_words, answering}) => {
    const state = page_state.open(page, answering.answeringOf({task_type}, () => []), {});
    const [, words] = page_words.bannerWords(page.kind, state, {text: false, multi: false});
    return [words, state.items.map(i => [i.item_id, page_state.isOdd(i)])];
}"""


@pytest.mark.parametrize(
    ("odd", "says", "order"),
    [
        ([0.1, 0.2, 0.1, 0.3], "These look alike: select all, then give one class.", "1 2 3 4"),
        ([0.1, 0.2, 0.9, 0.3], "1 in a dashed frame may not belong.", "3! 1 2 4"),
        ([0.1, 0.9, 0.8, 0.3], "the model is not sure of it: look at each.", "1 2 3 4"),
    ],
)
def test_a_cluster_says_no_more_than_the_model_believes(
    run: Run, odd: list[float], says: str, order: str
) -> None:
    items = [item(n, odd=value) for n, value in enumerate(odd, 1)]
    page = {"page_id": 1, "kind": "clustered", "size": 4, "items": items}
    words, shown = run(WORDS, {"page": page, "task_type": SINGLE})
    assert words.endswith(says)
    assert " ".join(f"{item_id}{'!' * marked}" for item_id, marked in shown) == order
