"""Use cases. Transport sees this bundle; app.py fills it."""

from __future__ import annotations

from dataclasses import dataclass

from chorus.server.services.accounts import Accounts
from chorus.server.services.artifacts import Artifacts
from chorus.server.services.assigning import Assigning
from chorus.server.services.assignments import Assignments
from chorus.server.services.bulk import Bulks
from chorus.server.services.checking import Gold
from chorus.server.services.claims import Claims
from chorus.server.services.classes import Classes
from chorus.server.services.cloning import Cloning
from chorus.server.services.comments import Comments
from chorus.server.services.dashboard import Dashboard
from chorus.server.services.data_sources import DataSources
from chorus.server.services.deleting import Deleting
from chorus.server.services.drafts import Drafts
from chorus.server.services.erasing import Erasing
from chorus.server.services.exporting import Exporting
from chorus.server.services.exports import Exports
from chorus.server.services.health import Health
from chorus.server.services.identities import Identities
from chorus.server.services.importing import Importing
from chorus.server.services.instructions import Instructions
from chorus.server.services.instruments import Instruments
from chorus.server.services.inviting import Inviting
from chorus.server.services.label_imports import LabelImports
from chorus.server.services.labeling import Labeling
from chorus.server.services.meter import Meter
from chorus.server.services.mine import Mine
from chorus.server.services.news import News
from chorus.server.services.notes import Notes
from chorus.server.services.once import Once
from chorus.server.services.pace import Pace
from chorus.server.services.pictures import Pictures
from chorus.server.services.practising import Practising
from chorus.server.services.preferences import OwnPreferences
from chorus.server.services.previewing import Previewing
from chorus.server.services.prioritizing import Prioritizing
from chorus.server.services.projects import Projects
from chorus.server.services.quality import Quality
from chorus.server.services.refreshing import Refreshing
from chorus.server.services.review import Review
from chorus.server.services.rounds import Rounds
from chorus.server.services.similar import Similar
from chorus.server.services.supervising import Supervising
from chorus.server.services.teams import Teams
from chorus.server.services.tokens import Tokens
from chorus.server.services.webhooks import Webhooks


@dataclass(frozen=True)
class Services:
    accounts: Accounts
    tokens: Tokens
    inviting: Inviting
    identities: Identities
    erasing: Erasing
    projects: Projects
    classes: Classes
    instructions: Instructions
    drafts: Drafts
    cloning: Cloning
    deleting: Deleting
    previewing: Previewing
    labeling: Labeling
    assigning: Assigning
    assignments: Assignments
    review: Review
    bulks: Bulks
    prioritizing: Prioritizing
    claims: Claims
    similar: Similar
    comments: Comments
    preferences: OwnPreferences
    mine: Mine
    notes: Notes
    gold: Gold
    practising: Practising
    quality: Quality
    pace: Pace
    supervising: Supervising
    teams: Teams
    dashboard: Dashboard
    meter: Meter
    instruments: Instruments
    health: Health
    news: News
    once: Once
    webhooks: Webhooks
    rounds: Rounds
    artifacts: Artifacts
    importing: Importing
    pictures: Pictures
    data: DataSources
    refreshing: Refreshing
    exporting: Exporting
    exports: Exports
    label_imports: LabelImports
