"""Python client of a Chorus server: REST, the acking websocket, and a labeler's stream."""

from chorus.client.errors import ApiError, ChorusError, Closed, ConnectionLost, JobFailed
from chorus.client.labeler import LabelerStream
from chorus.client.rest import Rest
from chorus.client.rest_sync import SyncRest
from chorus.client.socket import Socket
from chorus.client.watch import StatsWatch

__all__ = [
    "ApiError",
    "ChorusError",
    "Closed",
    "ConnectionLost",
    "JobFailed",
    "LabelerStream",
    "Rest",
    "Socket",
    "StatsWatch",
    "SyncRest",
]
