"""Simulated people: reproducible, as right as asked, and as recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from chorus.simulate.answers import Noisy, Truth, load
from chorus.simulate.labels import tags
from chorus.simulate.options import BadOptions, Options

TRUTH = Truth({f"{i}.jpg": "abc"[i % 3] for i in range(3000)})


def test_people_are_as_right_as_asked() -> None:
    people = Noisy(TRUTH, ["a", "b", "c"], [1.0, 0.8], follow=0, seed=1)
    right = [
        sum(people.answer(k, f"{i}.jpg", None) == TRUTH.get(f"{i}.jpg") for i in range(3000))
        for k in (0, 1)
    ]
    assert right[0] == 3000
    assert 0.77 < right[1] / 3000 < 0.83


def test_an_answer_depends_on_seed_person_and_item_only() -> None:
    one = Noisy(TRUTH, ["a", "b", "c"], [0.5], follow=0, seed=7)
    two = Noisy(TRUTH, ["a", "b", "c"], [0.5], follow=0, seed=7)
    names = [f"{i}.jpg" for i in range(100)]
    first = [one.answer(3, name, None) for name in names]
    assert first == [two.answer(3, name, None) for name in reversed(names)][::-1]
    assert first != [two.answer(4, name, None) for name in names]


def test_only_wrong_prelabels_are_let_through() -> None:
    people = Noisy(TRUTH, ["a", "b", "c"], [1.0], follow=1, seed=1)
    assert people.answer(0, "0.jpg", "b") == "b"
    assert people.answer(0, "0.jpg", "a") == "a"
    assert people.answer(0, "sub/0.jpg", None) == "a"
    assert people.answer(0, "unknown.jpg", None) is None


def test_recorded_votes_go_to_the_nth_person(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("item,nth,label\na.png,2,dog\na.png,1,cat\nb.png,1,cat\n")
    options = Options(images=tmp_path, votes=tmp_path / "votes.csv")
    _, people, classes = load(options)
    assert classes == ["cat", "dog"]
    assert people.answer(5, "a.png", None) == "cat"
    assert people.answer(2, "a.png", None) == "dog"
    assert people.answer(3, "a.png", None) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,label\n", "fewer than two classes"),
        ("file,label\na,b\n", "no column item"),
        ("item,label\na.png,cat\n", "fewer than two classes"),
        ("item,label\na.png,cat\nb.png,dog\na.png,dog\n", "two labels of 'a.png'"),
    ],
)
def test_bad_gold_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "gold.csv").write_text(text)
    with pytest.raises(BadOptions, match=message):
        load(Options(images=tmp_path, gold=tmp_path / "gold.csv"))


@pytest.mark.parametrize(
    "text",
    [
        "item,label\na.png,cat\nb.png,dog\n",
        "\ufeffitem,label\r\na.png,cat\r\nb.png,dog\r\n",
        "Item, Label\na.png, cat\nb.png , dog\n",
        "item;label\na.png;cat\nb.png;dog\n",
        "label\titem\ncat\ta.png\ndog\tb.png\n",
        "item,label\na.png,cat\nb.png,dog\n\na.png,cat\nc.png,\nd.png\n",
    ],
)
def test_gold_is_read_as_people_write_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "gold.csv").write_bytes(text.encode())
    truth, people, classes = load(Options(images=tmp_path, gold=tmp_path / "gold.csv"))
    assert classes == ["cat", "dog"]
    assert [truth.get(name) for name in ("a.png", "sub/b.png")] == ["cat", "dog"]
    assert [people.knows(name) for name in ("a.png", "c.png", "d.png")] == [True, False, False]


def test_recorded_votes_are_read_as_people_write_them(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(
        "item, nth, label\na.png, 1, cat\na.png, 2,\nb.png, 1, dog\n"
    )
    _, people, classes = load(Options(images=tmp_path, votes=tmp_path / "votes.csv"))
    assert classes == ["cat", "dog"]
    assert [people.answer(k, "a.png", None) for k in (0, 1)] == ["cat", None]
    assert [people.knows(name) for name in ("b.png", "c.png")] == [True, False]


def test_names_are_the_same_however_accents_are_composed() -> None:
    truth = Truth({"caf\N{LATIN SMALL LETTER E WITH ACUTE}.jpg": "a"})
    assert truth.get("bar/cafe\N{COMBINING ACUTE ACCENT}.jpg") == "a"


def test_a_wrong_set_has_one_class_too_many_or_too_few() -> None:
    gold = ["a|b", "", "c", "a|b|c"]
    truth = Truth({f"{i}.jpg": gold[i % 4] for i in range(2000)})
    people = Noisy(truth, ["a", "b", "c"], [0.8], 0, 1, multilabel=True)
    wrong = 0
    for i in range(2000):
        said, true = people.answer(0, f"{i}.jpg", None), truth.get(f"{i}.jpg")
        assert said is not None
        assert true is not None
        assert len(tags(said) ^ tags(true)) == (said != true)
        wrong += said != true
    assert 0.17 < wrong / 2000 < 0.23


def test_gold_of_sets_is_read_as_sets(tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text("item,label\na.png,dog|cat\nb.png,\nc.png,|\n")
    options = Options(images=tmp_path, gold=tmp_path / "gold.csv", task="multilabel")
    truth, _, classes = load(options)
    assert classes == ["cat", "dog"]
    assert [truth.get(name) for name in ("a.png", "b.png", "c.png")] == ["cat|dog", "", ""]


def test_bad_options_are_named(tmp_path: Path) -> None:
    for options, message in [
        (Options(images=tmp_path / "no"), "no folder"),
        (Options(images=tmp_path), "--gold or --votes"),
        (Options(images=tmp_path, gold=tmp_path, accuracy=[0.9, 0.8]), "--accuracy"),
        (Options(images=tmp_path, gold=tmp_path, page_size=5), "--page-size"),
        (Options(images=tmp_path, gold=tmp_path, votes_min=3, votes_max=2), "--votes-min"),
        (Options(images=tmp_path, gold=tmp_path, url="http://x"), "--token"),
        (Options(images=tmp_path, gold=tmp_path, max_labels=-1), "--max-labels"),
        (Options(images=tmp_path, gold=tmp_path, think_ms=-1), "--think-ms"),
        (
            Options(images=tmp_path, gold=tmp_path, labelers=2, votes_min=3, votes_max=3),
            "2 --labelers cannot give an item 3 answers",
        ),
        (Options(images=tmp_path, gold=tmp_path, task="boxes"), "--task"),
        (Options(images=tmp_path, gold=tmp_path, set_rule="any"), "--set-rule"),
    ]:
        with pytest.raises(BadOptions, match=message):
            options.check()
