"""Drawing as a state machine: whatever is dragged, clicked and pressed, in whatever order, every
shape is one that the server takes, and what was undone can be done again."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from chorus.server.domain.shapes import POINTS_IN_ALL_MAX, POINTS_MAX, SHAPES_MAX
from tests.web.conftest import Run

pytestmark = pytest.mark.browser

CLASSES = ["a", "b", "c"]
LEAST = 2
Event = dict[str, Any]

many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Events of pad.js and page actions -> after each the shapes, the pad and how far one can go back.
PLAY = """({kind, size, shapes, events}, {shapes_pad, shapes_shapes, page_state, answering}) => {
    const how = answering.answeringOf({task_type: kind}, () => ["a", "b", "c"]);
    const prelabel = shapes.length ? {...shapes_shapes.write(kind, shapes), score: 0.9} : null;
    if (prelabel) prelabel[kind].forEach((s, i) => { s.score = shapes[i].score; });
    const item = {item_id: 7, prelabel, odd: null, vote: null};
    let state = page_state.open({page_id: 1, kind: "prelabeled", size: 1, items: [item]}, how);
    let pad = shapes_pad.padOf(kind, size, "a");
    const drawn = () => state.answers[7]?.shapes ?? [];
    const out = [];
    const keep = (note) => out.push({
        shapes: drawn(), pad, note: note ?? null, target: shapes_pad.targetOf(pad) ?? null,
        past: state.past.length, future: state.future.length, answered: Boolean(state.answers[7]),
    });
    keep();
    for (const event of events) {
        let note = null;
        if (event.type === "undo" || event.type === "redo") {
            state = page_state.reduce(state, event);
        } else {
            const done = shapes_pad.step(pad, drawn(), event);
            pad = done.pad;
            note = done.note;
            if (done.edit) {
                const next = shapes_shapes.edited(drawn(), done.edit);
                if (next !== drawn()) {
                    state = page_state.reduce(
                        state, {type: "draw", item_id: 7, shapes: next, merge: done.edit.merge});
                }
            }
        }
        pad = shapes_pad.settled(pad, drawn());
        keep(note);
    }
    const sent = page_state.toSend(state).map(s => s.value);
    return {states: out, sent};
}"""

sizes = st.fixed_dictionaries({"width": st.integers(2, 400), "height": st.integers(2, 400)})
# Over the border too: a drag may leave the picture.
coordinate = st.one_of(
    st.integers(-30, 430), st.floats(-30, 430, allow_nan=False, width=32), st.integers(0, 12)
)
point = st.tuples(coordinate, coordinate).map(list)
near = st.sampled_from([0.25, 2, 6, 20])


@st.composite
def drags(draw: st.DrawFn) -> list[Event]:
    """A press, some moves and a release; now and then a click, or one of them lost."""
    common = {"near": draw(near), "slop": draw(st.sampled_from([0, 1, 4]))}
    start = draw(point)
    path = draw(st.lists(point, max_size=3))
    if draw(st.booleans()):
        path = []
    events = [{"type": "down", "at": start, **common}]
    events += [{"type": "move", "at": at, **common} for at in path]
    events.append({"type": "up", "at": path[-1] if path else start, **common})
    if draw(st.integers(0, 9)) == 0:
        events.pop(draw(st.integers(0, len(events) - 1)))
    return events


steps = st.tuples(st.sampled_from([-10, -1, 0, 1, 10]), st.sampled_from([-10, -1, 0, 1, 10]))
single = st.one_of(
    st.builds(lambda at, n: {"type": "move", "at": at, "near": n}, point, near),
    st.builds(
        lambda t: {"type": "tool", "tool": t},
        st.sampled_from(["draw", "move", "template", "polygon", "points"]),
    ),
    st.builds(lambda c: {"type": "class", "cls": c}, st.sampled_from(CLASSES)),
    st.builds(
        lambda t: {"type": t},
        st.sampled_from(
            ["remove", "clear", "copy", "lock", "alone", "accept", "finish", "back", "escape",
             "double", "leave", "cancel", "undo", "undo", "redo"]
        ),
    ),
    st.builds(lambda t, by: {"type": t, "by": list(by)}, st.sampled_from(["nudge", "grow"]), steps),
    st.builds(lambda by: {"type": "step", "by": by}, st.sampled_from([-1, 1])),
    st.builds(lambda i: {"type": "choose", "id": i}, st.integers(1, 6)),
    st.builds(lambda m: {"type": "place", "middle": m}, point),
)  # fmt: skip
events = st.lists(st.one_of(single.map(lambda e: [e]), drags()), max_size=25).map(
    lambda parts: [e for part in parts for e in part]
)


@st.composite
def games(draw: st.DrawFn) -> dict[str, Any]:
    kind, size = draw(st.sampled_from(["boxes", "polygons"])), draw(sizes)
    shapes = []
    for _ in range(draw(st.integers(0, 3))):
        x = draw(st.integers(0, size["width"] - LEAST))
        y = draw(st.integers(0, size["height"] - LEAST))
        w = draw(st.integers(LEAST, size["width"] - x))
        h = draw(st.integers(LEAST, size["height"] - y))
        corners = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]
        form = {"box": [x, y, w, h]} if kind == "boxes" else {"points": corners}
        shapes.append({"cls": draw(st.sampled_from(CLASSES)), "score": 0.9, **form})
    return {"kind": kind, "size": size, "shapes": shapes, "events": draw(events)}


def outline(shape: dict[str, Any]) -> list[list[float]]:
    if shape["points"]:
        return list(shape["points"])
    x, y, w, h = shape["box"]
    return [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]


@many
@given(game=games())
def test_every_shape_is_one_the_server_takes(run: Run, game: dict[str, Any]) -> None:
    played = run(PLAY, game)
    width, height = game["size"]["width"], game["size"]["height"]
    for state in played["states"]:
        ids = [shape["id"] for shape in state["shapes"]]
        assert len(set(ids)) == len(ids)
        assert state["target"] is None or state["target"] in ids
        for shape in state["shapes"]:
            assert shape["cls"] in CLASSES
            assert (shape["box"] is None) == (game["kind"] == "polygons")
            points = outline(shape)
            assert all(
                math.isfinite(v) and v == round(v, 2) for p in shape["points"] or [] for v in p
            )
            xs, ys = [p[0] for p in points], [p[1] for p in points]
            assert min(*xs, *ys) >= 0
            assert max(xs) <= width + 0.011
            assert max(ys) <= height + 0.011
            assert max(xs) - min(xs) >= LEAST - 0.011
            assert max(ys) - min(ys) >= LEAST - 0.011
            assert shape["points"] is None or len(points) >= 3
            # What the model says has its score until somebody changes it or accepts it.
            assert (shape["by"] == "model") == (shape["score"] is not None)
    last = played["states"][-1]
    assert len(played["sent"]) == int(last["answered"])
    for value in played["sent"]:
        said = value[game["kind"]]
        assert len(said) == len(last["shapes"])
        # Neither scores nor ids nor locks go out.
        assert all(
            set(one) == {"class", "box" if game["kind"] == "boxes" else "points"} for one in said
        )


@many
@given(game=games(), steps=st.integers(1, 8))
def test_undo_and_redo_come_back_to_where_one_was(
    run: Run, game: dict[str, Any], steps: int
) -> None:
    before = run(PLAY, game)["states"][-1]
    steps = min(steps, before["past"])
    back = [{"type": "undo"}] * steps + [{"type": "redo"}] * steps
    after = run(PLAY, {**game, "events": [*game["events"], *back]})["states"][-1]
    assert after["shapes"] == before["shapes"]
    assert (after["past"], after["future"]) == (before["past"], before["future"])


@many
@given(game=games())
def test_only_a_drag_makes_a_box_and_only_what_is_done_is_undone(
    run: Run, game: dict[str, Any]
) -> None:
    states = run(PLAY, game)["states"]
    for event, before, after in zip(game["events"], states, states[1:], strict=False):
        more = len(after["shapes"]) - len(before["shapes"])
        if event["type"] in ("undo", "redo"):
            continue
        if more > 0:
            assert more == 1
            assert event["type"] in ("up", "place", "copy", "finish", "double")
        if more < 0:
            assert event["type"] in ("remove", "clear")
        if event["type"] == "up" and more and before["pad"]["tool"] == "draw":
            assert before["pad"]["gesture"]["type"] == "draw"
        # Pointing, choosing and tools are no steps to go back over.
        if event["type"] in ("move", "down", "tool", "choose", "step", "escape", "leave", "cancel"):
            assert (after["shapes"], after["past"]) == (before["shapes"], before["past"])
        locked = {s["id"]: s for s in before["shapes"] if s["locked"]}
        if event["type"] not in ("lock", "accept"):
            there = {s["id"]: s for s in after["shapes"]}
            assert all(there.get(i) == s for i, s in locked.items())


@many
@given(
    points=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12)).map(list), min_size=3, max_size=7
    )
)
@example(points=[[0, 0], [10, 0], [5, 0], [5, 8]])
@example(points=[[0, 0], [10, 0], [10, 10], [0, 10], [0, 5]])
def test_a_polygon_is_simple_as_shapely_says(run: Run, points: list[list[int]]) -> None:
    fault = run("(points, {shapes_geometry}) => shapes_geometry.faultOf(points)", points)
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    small = max(xs) - min(xs) < LEAST or max(ys) - min(ys) < LEAST
    if small:
        assert fault is not None
    elif all(a != b for a, b in zip(points, [*points[1:], points[0]], strict=True)):
        assert (fault is None) == Polygon(points).is_valid


@many
@given(
    box=st.tuples(*[st.integers(0, 100)] * 2, *[st.integers(2, 100)] * 2).map(list),
    handle=st.sampled_from(["nw", "n", "ne", "e", "se", "s", "sw", "w"]),
    to=point,
)
def test_a_handle_goes_where_it_is_dragged(
    run: Run, box: list[int], handle: str, to: list[float]
) -> None:
    size = {"width": 200, "height": 200}
    new = run(
        "(given, {shapes_geometry}) => shapes_geometry.resized(...given)",
        [box, handle, to, size],
    )
    for axis, (low, high) in enumerate((("w", "e"), ("n", "s"))):
        old_low, old_high = box[axis], box[axis] + box[axis + 2]
        new_low, new_high = new[axis], new[axis] + new[axis + 2]
        if low in handle or high in handle:
            aim = min(200, max(0, to[axis]))
            fixed = old_high if low in handle else old_low
            if abs(aim - fixed) >= LEAST + 0.01:
                assert sorted((new_low, new_high)) == pytest.approx(sorted((aim, fixed)), abs=0.02)
        else:
            assert (new_low, new_high) == (old_low, old_high)


# -- what is seen


rooms = st.fixed_dictionaries({"width": st.integers(40, 2000), "height": st.integers(40, 1500)})
pictures = st.fixed_dictionaries({"width": st.integers(2, 9000), "height": st.integers(2, 9000)})


@many
@given(
    size=pictures,
    room=rooms,
    moves=st.lists(
        st.one_of(
            st.tuples(st.just("zoom"), st.floats(0.2, 5), st.floats(0, 1), st.floats(0, 1)),
            st.tuples(st.just("pan"), st.floats(-900, 900), st.floats(-900, 900)),
        ).map(list),
        max_size=8,
    ),
)
def test_the_picture_stays_in_the_room_and_what_is_under_the_pointer_there(
    run: Run, size: dict[str, int], room: dict[str, int], moves: list[Any]
) -> None:
    seen = run(
        """({size, room, moves}, {shapes_view, shapes_tiles}) => {
            let view = shapes_view.fitting(size, room);
            const out = [];
            for (const [how, a, b, c] of moves) {
                const at = how === "zoom" ? [b * room.width, c * room.height] : [0, 0];
                const before = shapes_view.toPicture(view, at);
                view = how === "zoom" ? shapes_view.zoomed(view, a, at, size, room)
                    : shapes_view.panned(view, [a, b], size, room);
                out.push({view, how, before, after: shapes_view.toPicture(view, at),
                          tiles: shapes_tiles.tilesFor(size, view, room, 1)});
            }
            return out;
        }""",
        {"size": size, "room": room, "moves": moves},
    )
    for state in seen:
        view = state["view"]
        for axis, side in (("x", "width"), ("y", "height")):
            start, length = view[axis], size[side] * view["scale"]
            # Some of it is always there.
            assert -length < start < room[side]
        for tile in state["tiles"]:
            x, y, w, h = tile["box"]
            assert min(x, y) >= 0 < min(w, h)
            assert x + w <= size["width"]
            assert y + h <= size["height"]
            # As sharp as the screen, and not much more: few tiles are loaded.
            assert tile["level"] == 0 or 2 ** tile["level"] * view["scale"] <= 1.0001
        step = max([room["width"], room["height"]])
        assert len(state["tiles"]) <= (step / 512 + 2) ** 2


@many
@given(
    key=st.sampled_from(
        [*"rmtlxdhajkzgbsfcpu0123456789?/+-= ",
         "Enter", "Delete", "ArrowLeft", "ArrowUp", "Escape"]
    ),
    shift=st.booleans(),
    ctrl=st.booleans(),
)  # fmt: skip
def test_each_key_means_one_thing(run: Run, key: str, shift: bool, ctrl: bool) -> None:
    intent = run(
        "([event, n], {shapes_keys}) => shapes_keys.shapeIntent(event, n)",
        [{"key": key, "shiftKey": shift, "ctrlKey": ctrl, "altKey": False}, 3],
    )
    if ctrl:
        # The browser keeps its own: only going back, and growing by arrows, are ours.
        assert (intent is not None) == (key == "z" or key.startswith("Arrow"))
    elif key.isdigit():
        digit = int(key)
        assert intent == (
            {"type": "none"}
            if digit == 0
            else {"type": "class", "index": digit - 1}
            if digit <= 3
            else None
        )
    elif shift and key in ("x", "Delete"):
        assert intent == {"type": "pad", "event": {"type": "clear"}}
    elif key.startswith("Arrow"):
        far = 10 if shift else 1
        assert intent == {"type": "nudge", "by": [-far, 0] if key == "ArrowLeft" else [0, -far]}
    else:
        assert intent is not None


def test_the_server_takes_as_many_shapes_and_points_as_the_page(run: Run) -> None:
    """A drawing at the limits fits, one shape or point more does not, and the pad says so."""
    out = run(
        """({shapes: most, points, inAll}, {shapes_shapes, shapes_pad}) => {
            const some = (count, n) => Array.from({length: count}, (_, id) => (
                {id, cls: "a", box: null, points: Array.from({length: n}, (_, i) => [i, i])}));
            const fits = [some(most, 3), some(1, points), some(inAll / points, points)]
                .map(shapes => [shapes, [...shapes, ...some(1, 3)], some(1, points + 1)])
                .map(tried => tried.map(shapes_shapes.fits));
            const pad = {...shapes_pad.padOf("polygons", {width: 9, height: 9}, "a"),
                         outline: [[0, 0], [9, 0], [9, 9]]};
            const full = shapes_pad.step(pad, some(inAll / points, points), {type: "finish"});
            const room = shapes_pad.step(pad, some(inAll / points - 1, points), {type: "finish"});
            const {note, edit, pad: {outline}} = full;
            return {fits, full: [note, edit ?? null, outline.length], room: room.edit.type};
        }""",
        {"shapes": SHAPES_MAX, "points": POINTS_MAX, "inAll": POINTS_IN_ALL_MAX},
    )
    assert out["fits"] == [[True, False, False], [True, True, False], [True, False, False]]
    assert out["full"] == ["many", None, 3], "what was drawn is still there"
    assert out["room"] == "add"


def test_sizes_of_a_large_picture(run: Run) -> None:
    """8,000 × 8,000: whole at first, sharp to the pixel when looked at closely."""
    found = run(
        """(size, {shapes_view, shapes_tiles}) => {
            const room = {width: 1000, height: 700};
            const fit = shapes_view.fitting(size, room);
            const close = shapes_view.zoomed(fit, 40, [500, 350], size, room);
            return {levels: shapes_tiles.levelsOf(size), scale: close.scale,
                    fit: shapes_tiles.tilesFor(size, fit, room).length,
                    half: shapes_tiles.tilesFor(size, {...fit, scale: 0.5}, room)[0].level,
                    close: shapes_tiles.tilesFor(size, close, room)};
        }""",
        {"width": 8000, "height": 8000},
    )
    assert found["levels"] == 3
    assert found["fit"] == 0
    assert found["half"] == 1
    assert found["scale"] > 1
    assert {tile["level"] for tile in found["close"]} == {0}
    assert len(found["close"]) <= 4
