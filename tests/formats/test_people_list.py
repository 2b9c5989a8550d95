"""Lists of people to invite: what is read, and what is refused by line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.formats.people_list import LOGIN, Fault, Invitee, read_people

PROJECTS = {"p1": "Clothes", "p2": "Letters", "p3": "Letters"}


def test_bare_logins_and_addresses_take_what_the_form_says() -> None:
    people, faults = read_people("ada\n\ngrace@example.org\n", PROJECTS, "labeler", "p1")
    assert faults == []
    assert people == [
        Invitee(1, "ada", "ada", None, "labeler", "p1"),
        Invitee(3, "grace@example.org", "grace@example.org", "grace@example.org", "labeler", "p1"),
    ]


def test_a_first_line_may_name_the_columns() -> None:
    text = 'Project;E-Mail;Name\nClothes;ada@x.org;"Lovelace; Ada"\n;bob@x.org;Bob\n'
    people, faults = read_people(text, PROJECTS, "supervisor", "p2")
    assert faults == []
    assert people[0] == Invitee(2, "ada@x.org", "Lovelace; Ada", "ada@x.org", "supervisor", "p1")
    assert people[1].project_id == "p2"


def test_faults_name_their_line() -> None:
    text = "a b\nada,,boss\nbob,Bob,labeler,Nowhere\ncy,Cy,labeler,Letters\ndan\ndan\n"
    people, faults = read_people(text, PROJECTS, "labeler", "p1")
    assert [f.line for f in faults] == [1, 2, 3, 4, 6]
    assert [p.login for p in people] == ["dan"]
    assert "id" in faults[3].message


def test_without_a_project_nobody_is_invited() -> None:
    assert read_people("ada", PROJECTS, "labeler", None)[1] == [Fault(1, "no project")]


@given(st.text(max_size=200), st.sampled_from(["labeler", "supervisor"]))
def test_any_text_is_read_or_refused_and_nobody_comes_twice(text: str, role: str) -> None:
    people, faults = read_people(text, PROJECTS, role, "p1")
    lines = text.lstrip("\ufeff").splitlines()
    for person in people:
        assert LOGIN.fullmatch(person.login)
        assert lines[person.line - 1].strip()
    assert len({(p.login, p.project_id) for p in people}) == len(people)
    assert not {f.line for f in faults} & {p.line for p in people}
