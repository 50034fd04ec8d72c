"""Spaces, events and checks as JSON documents; the names of fields are those of the library."""

from dataclasses import asdict
from typing import Any

from ramax.core.json_form import to_json
from ramax.runtime.findings import SpaceReport
from ramax.runtime.state_migration import MigrationReport
from ramax.values import Event, ParkedEvent, Space, SpaceStats, SubscriptionStatus


def space_document(space: Space) -> dict[str, Any]:
    """Describe a space; ``metadata`` is in the form of stored values."""
    return {
        "space_id": space.space_id,
        "space_name": space.space_name,
        "created_at": space.created_at.isoformat() if space.space_id else None,
        "metadata": to_json(dict(space.metadata)),
    }


def stats_document(stats: SpaceStats) -> dict[str, Any]:
    """Describe a space and what it holds."""
    newest = stats.last_event_at
    return space_document(stats.space) | {
        "event_count": stats.event_count,
        "key_count": stats.key_count,
        "checkpoints": dict(stats.checkpoints),
        "last_event_at": None if newest is None else newest.isoformat(),
        "bytes": stats.bytes,
    }


def event_document(event: Event, space_name: str) -> dict[str, Any]:
    """Describe an event; ``payload`` and ``metadata`` are in the form of stored values."""
    return {
        "space_name": space_name,
        "space_sequence": event.space_sequence,
        "event_id": event.event_id,
        "space_id": event.space_id,
        "event_type": event.event_type,
        "entity_id": event.entity_id,
        "timestamp": event.timestamp.isoformat(timespec="microseconds"),
        "payload": to_json(event.payload),
        "causation_id": event.causation_id,
        "correlation_id": event.correlation_id,
        "metadata": to_json(event.metadata),
        "tags": list(event.tags),
        "version": event.version,
    }


def report_document(report: SpaceReport) -> dict[str, Any]:
    """Describe what a verification found in one space."""
    return {
        "space_name": report.space.space_name,
        "ok": report.ok,
        "event_count": report.event_count,
        "last_sequence": report.last_sequence,
        "checkpoint": report.checkpoint,
        "compared": report.compared,
        "not_compared": report.not_compared,
        "chained": report.chained,
        "finding_count": report.finding_count,
        "findings": [asdict(finding) for finding in report.findings],
    }


def migration_document(report: MigrationReport) -> dict[str, Any]:
    """Describe what a migration of all values did, or would do; counts are of keys, by field."""
    return {
        "dry_run": report.dry_run,
        "keys": report.keys,
        "outdated": report.outdated,
        "written": report.written,
        "changed": dict(report.changed),
        "lost": dict(report.lost),
        "emptied": dict(report.emptied),
        "unread": dict(report.unread),
        "failure_count": report.failure_count,
        "failures": [str(error) for error in report.failures],
    }


def subscription_document(status: SubscriptionStatus) -> dict[str, Any]:
    """Describe a subscription; ``space_name`` is None for one over all spaces."""
    return {
        "name": status.name,
        "space_name": None if status.space is None else status.space.space_name,
        "partition": status.partition,
        "partitions": status.partitions,
        "position": status.position,
        "head": status.head,
        "lag": status.lag,
        "owner": status.owner,
        "paused_at": None if status.paused_at is None else status.paused_at.isoformat(),
        "parts_done": status.parts_done,
        "stopped_at": status.stopped_at,
        "stopped_part": status.stopped_part,
        "reason": status.reason,
        "parked": status.parked,
    }


def parked_document(event: ParkedEvent) -> dict[str, Any]:
    """Describe a parked event."""
    return asdict(event) | {"parked_at": event.parked_at.isoformat()}
