"""Rounds, jobs, and what the model's files are made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from chorus.server.domain.model import Job, Round
from chorus.server.domain.values import parts
from chorus.server.storage.tx.base import JOB, ROUND, Base, marks, same

FAULT_MAX = 1000
"""Characters: a file's path, or the longest name that a class may have, with what is said of it."""


class RoundRow(NamedTuple):
    """What of an item the model's input needs."""

    item_id: int
    content_hash: str
    state: str
    label: str | None
    label_source: str | None
    provisional: str | None
    n_labels: int
    agreement: float | None
    n_prelabel_votes: int
    easy_round: int
    label_at: int | None
    chosen: int
    tuned: int
    outside: int
    doubted: str | None
    decision: str | None
    """The action of the newest decision, where that is what the label is; "import": it came with
    the data or from a file."""


class ShapeRow(NamedTuple):
    """What of a labeled picture a detector's input needs."""

    item_id: int
    content_hash: str
    width: int
    height: int
    label: str
    label_source: str | None
    n_labels: int
    n_prelabel_votes: int
    label_at: int | None
    chosen: int
    outside: int
    preset: str | None
    decision: str | None
    """As of `RoundRow`."""


DECISION = (
    "CASE WHEN label_source = 'review' THEN (SELECT action FROM review r"
    " WHERE r.item_id = item.item_id ORDER BY r.seq DESC, r.review_id DESC LIMIT 1) END"
)
AUDITED = (
    "audit = 1 AND state = 'labeled' AND n_prelabel_votes = 0 AND outside = 0"
    " AND pre_value IS NOT NULL AND (preset IS NULL OR preset <> pre_value)"
    " AND (label_source = 'votes' OR n_labels > 0)"
)
"""Nobody saw the prelabel, which is a round's, and people have answered (who decides without votes
sees it)."""


class RoundSql(Base):
    def add_job(self, job: Job) -> None:
        self.run(
            f"INSERT INTO job ({JOB}) VALUES ({marks(len(job.__struct_fields__))})",
            [getattr(job, f) for f in job.__struct_fields__],
        )

    def update_job(self, job: Job) -> None:
        self.run(
            "UPDATE job SET state = ?, progress = ?, attempts = ?, error = ?, result = ?,"
            " started_at = ?, finished_at = ? WHERE job_id = ?",
            (
                job.state, job.progress, job.attempts, job.error, job.result, job.started_at,
                job.finished_at, job.job_id,
            ),
        )  # fmt: skip

    def job(self, job_id: str) -> Job | None:
        row = self.row(f"SELECT {JOB} FROM job WHERE job_id = ?", (job_id,))
        return Job(*row) if row else None

    def jobs_of_round(self, project_id: str, number: int) -> list[Job]:
        return [
            Job(*row)
            for row in self.rows(
                f"SELECT {JOB} FROM job WHERE project_id = ? AND round_number = ?"
                " ORDER BY created_at, job_id",
                (project_id, number),
            )
        ]

    def unfinished_jobs(self) -> list[Job]:
        return [
            Job(*row)
            for row in self.rows(f"SELECT {JOB} FROM job WHERE state IN ('waiting', 'running')")
        ]

    def last_jobs(self, project_id: str, kind: str, limit: int) -> list[Job]:
        return [
            Job(*row)
            for row in self.rows(
                f"SELECT {JOB} FROM job WHERE project_id = ? AND kind = ?"
                " ORDER BY created_at DESC LIMIT ?",
                (project_id, kind, limit),
            )
        ]

    def add_fault(self, job_id: str, name: str, reason: str) -> None:
        """The beginnings of both: either may have a cell of a table in it, of megabytes."""
        self.run("INSERT INTO fault VALUES (?,?,?)", (job_id, name[:FAULT_MAX], reason[:FAULT_MAX]))

    def faults(self, job_id: str, limit: int) -> list[tuple[str, str]]:
        return self.rows("SELECT name, reason FROM fault WHERE job_id = ? LIMIT ?", (job_id, limit))

    def put_round(self, record: Round) -> None:
        self.run(
            f"INSERT INTO round ({ROUND}) VALUES (?,?,?,?,?,?,?) ON CONFLICT (project_id, number)"
            " DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at,"
            " body = excluded.body",
            [getattr(record, f) for f in record.__struct_fields__],
        )

    def rounds(self, project_id: str) -> list[Round]:
        return [
            Round(*row)
            for row in self.rows(
                f"SELECT {ROUND} FROM round WHERE project_id = ? ORDER BY number", (project_id,)
            )
        ]

    def round(self, project_id: str, number: int) -> Round | None:
        row = self.row(
            f"SELECT {ROUND} FROM round WHERE project_id = ? AND number = ?", (project_id, number)
        )
        return Round(*row) if row else None

    def put_card(self, project_id: str, number: int, card: str) -> None:
        """Keep the threshold card (JSON) of a round."""
        self.run(
            "UPDATE round SET card = ? WHERE project_id = ? AND number = ?",
            (card, project_id, number),
        )

    def card(self, project_id: str, number: int) -> str | None:
        """The threshold card (JSON) of a round; None: it did not get that far."""
        row = self.row(
            "SELECT card FROM round WHERE project_id = ? AND number = ?", (project_id, number)
        )
        return row[0] if row else None

    def unfinished_rounds(self) -> list[Round]:
        return [
            Round(*row) for row in self.rows(f"SELECT {ROUND} FROM round WHERE state = 'running'")
        ]

    def featurized(self, project_id: str) -> dict[str, int]:
        """Items that a backbone has been through, by its name."""
        return dict(
            self.rows(
                "SELECT backbone, items FROM feature_pass WHERE project_id = ?", (project_id,)
            )
        )

    def feature_pass(self, project_id: str, backbone: str) -> tuple[int, int]:
        """(the last item_id, the number of items) that a backbone has been through."""
        row = self.row(
            "SELECT to_item, items FROM feature_pass WHERE project_id = ? AND backbone = ?",
            (project_id, backbone),
        )
        return (row[0], row[1]) if row else (0, 0)

    def set_feature_pass(self, project_id: str, backbone: str, to_item: int, items: int) -> None:
        self.run(
            "INSERT INTO feature_pass VALUES (?,?,?,?) ON CONFLICT (project_id, backbone)"
            " DO UPDATE SET to_item = excluded.to_item, items = excluded.items",
            (project_id, backbone, to_item, items),
        )

    def feature_batch(self, project_id: str, after: int, limit: int) -> list[tuple[int, str]]:
        """(item_id, content_hash) of the next items to featurize."""
        return self.rows(
            "SELECT item_id, content_hash FROM item WHERE project_id = ? AND item_id > ?"
            " ORDER BY item_id LIMIT ?",
            (project_id, after, limit),
        )

    def round_rows(self, project_id: str, after: int, limit: int) -> list[RoundRow]:
        """The model's input, in order of item_id."""
        rows = self.rows(
            f"SELECT {', '.join(RoundRow._fields[:-1])}, {DECISION} FROM item WHERE project_id = ?"
            " AND item_id > ? AND state <> 'removed' ORDER BY item_id LIMIT ?",
            (project_id, after, limit),
        )
        return [RoundRow(*row) for row in rows]

    def labeled_shapes(self, project_id: str, after: int, limit: int) -> list[ShapeRow]:
        """Labeled pictures behind an item, in order of item_id."""
        rows = self.rows(
            f"SELECT {', '.join(ShapeRow._fields[:-1])}, {DECISION} FROM item WHERE project_id = ?"
            " AND state = 'labeled' AND label IS NOT NULL AND item_id > ?"
            " ORDER BY item_id LIMIT ?",
            (project_id, after, limit),
        )
        return [ShapeRow(*row) for row in rows]

    def open_pictures(self, project_id: str, limit: int) -> list[tuple[int, str, int, int]]:
        """(item_id, content_hash, width, height) of open items, and of disputed ones: whoever
        reviews them sees what the model says, too. In the order in which they come to people."""
        return self.rows(
            "SELECT item_id, content_hash, width, height FROM item WHERE project_id = ?"
            " AND state IN ('unlabeled', 'in_progress', 'needs_review')"
            " ORDER BY priority DESC, queue_pos LIMIT ?",
            (project_id, limit),
        )

    def audited_shapes(self, project_id: str, since: int) -> list[tuple[str, str]]:
        """(hidden prelabel, label) of the items that `audited` counts."""
        return self.rows(
            "SELECT pre_value, label FROM item WHERE project_id = ?"
            f" AND {AUDITED} AND label_at >= ? AND pre_value <> '[]'",
            (project_id, since),
        )

    def chosen_share(self, project_id: str) -> float | None:
        """Of the labels that people gave without seeing a prelabel, the share on items that a round
        had chosen; None without any."""
        n, chosen = self.row(
            "SELECT COUNT(*), COALESCE(SUM(chosen > 0), 0) FROM item WHERE project_id = ?"
            " AND state = 'labeled' AND label_source = 'votes' AND n_prelabel_votes = 0",
            (project_id,),
        )
        return round(chosen / n, 4) if n else None

    def audited(self, project_id: str, since: int, after: int = 0) -> tuple[int, int]:
        """(labels on items whose prelabel nobody saw, those that agree with it), made since, where
        no round up to `after` had promised the prelabel; of shapes (those the prelabel had, those
        of them that the label has, too)."""
        shapes = "substr(pre_value, 1, 1) = '['"
        n, right = self.row(
            f"SELECT COALESCE(SUM(CASE WHEN {shapes} THEN shapes_in(pre_value) ELSE 1 END), 0),"
            f" COALESCE(SUM(CASE WHEN {shapes} THEN shapes_right(pre_value, label)"
            " ELSE pre_value = label END), 0) FROM item WHERE project_id = ?"
            f" AND {AUDITED} AND label_at >= ? AND (easy_round = 0 OR easy_round > ?)",
            (project_id, since, after),
        )
        return int(n), int(right)

    def begin_evidence_anew(self, project_id: str, now: int) -> None:
        """From here on the model has to prove itself again, on everything that is open."""
        self.run("UPDATE project SET evidence_since = ? WHERE project_id = ?", (now, project_id))
        self.open_anew(project_id)

    def open_anew(self, project_id: str) -> None:
        """No round has promised anything of what is open."""
        self.run(
            "UPDATE item SET easy_round = 0 WHERE project_id = ? AND easy_round > 0"
            " AND state IN ('unlabeled', 'in_progress')",
            (project_id,),
        )

    def vote_shares(self, item_id: int) -> list[tuple[str, int]]:
        """(value, standing label votes) of one item."""
        return self.rows(
            "SELECT value, COUNT(*) FROM standing WHERE item_id = ? AND kind = 'label'"
            " GROUP BY value ORDER BY value",
            (item_id,),
        )

    def count_states(self, project_id: str) -> dict[str, int]:
        return dict(
            self.rows(
                "SELECT state, COUNT(*) FROM item WHERE project_id = ? GROUP BY state",
                (project_id,),
            )
        )

    def count_labels(self, project_id: str) -> dict[str, int]:
        """Labeled items by class index ("-": with none of the classes)."""
        return _by_part(
            self.rows(
                "SELECT label, COUNT(*) FROM item WHERE project_id = ? AND state = 'labeled'"
                " GROUP BY label",
                (project_id,),
            )
        )

    def count_known(self, project_id: str) -> dict[str, int]:
        """Gold items that have their label by class index, as `count_labels`."""
        return _by_part(
            self.rows(
                "SELECT label, COUNT(*) FROM item WHERE project_id = ? AND gold = 1"
                " AND state = 'labeled' GROUP BY label",
                (project_id,),
            )
        )

    def agreements(self, project_id: str) -> list[tuple[str, int, int]]:
        """(user_id, labels compared, those like the item's) of standing votes on labeled items
        that have another witness: a second vote, or a review. What was looked at again because an
        answer seemed wrong is no fair sample."""
        return self.rows(
            f"SELECT s.user_id, COUNT(*), SUM({same('s.value', 'i.label')}) FROM standing s"
            " JOIN item i ON i.item_id = s.item_id WHERE s.project_id = ? AND s.kind = 'label'"
            " AND i.state = 'labeled' AND (i.label_source <> 'votes' OR i.n_labels > 1)"
            " AND i.doubted IS NULL GROUP BY s.user_id",
            (project_id,),
        )

    def count_answers(self, project_id: str) -> dict[str, int]:
        """Standing label votes by class index ("-": of none)."""
        return _by_part(
            self.rows(
                "SELECT value, COUNT(*) FROM standing WHERE project_id = ? AND kind = 'label'"
                " GROUP BY value",
                (project_id,),
            )
        )

    def count_queues(self, project_id: str) -> dict[str, int]:
        return dict(
            self.rows(
                "SELECT queue, COUNT(*) FROM item WHERE project_id = ?"
                " AND state IN ('unlabeled', 'in_progress') GROUP BY queue",
                (project_id,),
            )
        )


def _by_part(rows: Iterable[Any]) -> dict[str, int]:
    """rows: (value, how many). A set of two classes counts in both."""
    counts: Counter[str] = Counter()
    for value, n in rows:
        for part in parts(value):
            counts[part] += n
    return dict(counts)
