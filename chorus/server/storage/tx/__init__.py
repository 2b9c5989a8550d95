"""Every SQL statement once, grouped by what it is about; portable subset of SQL."""

from __future__ import annotations

from chorus.server.storage.tx.assignments import AssignmentSql
from chorus.server.storage.tx.checks import CheckSql
from chorus.server.storage.tx.comments import CommentSql
from chorus.server.storage.tx.deleting import DeletingSql
from chorus.server.storage.tx.drafts import DraftSql
from chorus.server.storage.tx.erasing import ErasingSql
from chorus.server.storage.tx.estimates import EstimateSql
from chorus.server.storage.tx.events import EventSql
from chorus.server.storage.tx.export import ExportSql
from chorus.server.storage.tx.items import ItemSql
from chorus.server.storage.tx.label_imports import LabelImportSql
from chorus.server.storage.tx.once import OnceSql
from chorus.server.storage.tx.operations import OperationsSql
from chorus.server.storage.tx.pace import PaceSql
from chorus.server.storage.tx.pages_ahead import PagesAheadSql
from chorus.server.storage.tx.people import PeopleSql
from chorus.server.storage.tx.practice import PracticeSql
from chorus.server.storage.tx.projects import ProjectSql
from chorus.server.storage.tx.prose import ProseSql
from chorus.server.storage.tx.quality import QualitySql
from chorus.server.storage.tx.review import ReviewSql
from chorus.server.storage.tx.rounds import RoundSql
from chorus.server.storage.tx.shapes import ShapeSql
from chorus.server.storage.tx.sources import SourceSql
from chorus.server.storage.tx.takebacks import TakebackSql
from chorus.server.storage.tx.teams import TeamSql
from chorus.server.storage.tx.timeline import TimelineSql
from chorus.server.storage.tx.tokens import TokenSql
from chorus.server.storage.tx.tunings import TuningSql
from chorus.server.storage.tx.votes import VoteSql
from chorus.server.storage.tx.votes_ahead import VotesAheadSql
from chorus.server.storage.tx.webhooks import WebhookSql


class Tx(
    VotesAheadSql,
    PagesAheadSql,
    DraftSql,
    DeletingSql,
    ErasingSql,
    ProseSql,
    QualitySql,
    ShapeSql,
    CommentSql,
    PaceSql,
    TakebackSql,
    PeopleSql,
    TeamSql,
    TokenSql,
    ProjectSql,
    ItemSql,
    AssignmentSql,
    VoteSql,
    CheckSql,
    PracticeSql,
    ReviewSql,
    EstimateSql,
    RoundSql,
    TuningSql,
    SourceSql,
    EventSql,
    OnceSql,
    OperationsSql,
    WebhookSql,
    ExportSql,
    LabelImportSql,
    TimelineSql,
):
    """One open transaction. Methods run one statement each; services compose them."""
