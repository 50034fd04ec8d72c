"""The tables, as one metadata per dialect with the same column names (ADR-0003)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

DialectName = Literal["sqlite", "postgresql"]

HEAD = "ramax_0023"
"""The newest Alembic revision that this code works with."""

VERSION_TABLE = "ramax_alembic_version"

TOKENS_TABLE = "ramax_search_"
"""With the id of a space behind it: its table of tokens, no part of the metadata (SQLite)."""

EVENT_ID_SEQUENCE = "event_id_seq"
"""Begins at 0, which whoever creates it draws at once: from then on its ``last_value`` is always an
id that was handed out, and the first event gets 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The Core tables of one dialect."""

    metadata: sa.MetaData
    dialect: DialectName
    branches: sa.Table
    spaces: sa.Table
    space_sequences: sa.Table
    events: sa.Table
    pstate: sa.Table
    checkpoints: sa.Table
    idempotency_keys: sa.Table
    event_tags: sa.Table
    event_hashes: sa.Table
    snapshots: sa.Table
    snapshot_chunks: sa.Table
    pstate_refs: sa.Table
    subscriptions: sa.Table
    parked: sa.Table
    replicas: sa.Table
    secret_keys: sa.Table
    secrets: sa.Table
    search_documents: sa.Table
    search_waiting: sa.Table
    merges: sa.Table
    merged_events: sa.Table
    event_origins: sa.Table
    layer_cursors: sa.Table
    quarantine: sa.Table
    canonical_snapshots: sa.Table
    pending_commands: sa.Table
    vector_copies: sa.Table
    vector_rows: sa.Table

    @property
    def owned_by_space(self) -> tuple[sa.Table, ...]:
        """Every table whose rows belong to one space, in the order in which a delete empties it."""
        found = [
            table
            for table in self.metadata.sorted_tables
            if "space_id" in table.c and table is not self.spaces
        ]
        return (self.space_sequences, *(t for t in found if t is not self.space_sequences))


@cache
def build_tables(  # noqa: PLR0915 - one for each
    dialect: DialectName, schema: str | None = None
) -> Tables:
    """Build the tables of ``dialect``; columns and meaning are the same on both.

    Only `space_sequences` refers to `spaces`: nothing is written without that row's guard, so
    a foreign key on every hot table would check again, per row, what the guard has checked once.

    They differ in which of the two keys of an event is the primary one: SQLite clusters by
    ``event_id`` (the AUTOINCREMENT rowid, never reused), PostgreSQL by (space, sequence).
    """
    metadata = sa.MetaData(schema=schema)
    postgres = dialect == "postgresql"
    key_text = sa.Text(collation="C") if postgres else sa.Text()
    big = sa.BigInteger() if postgres else sa.Integer()
    blob = sa.LargeBinary()
    hot: dict[str, Any] = {"postgresql_with": {"fillfactor": 50}} if postgres else {}

    def keyed(*references: sa.ForeignKey) -> sa.Column[int]:
        return sa.Column("space_id", big, *references, primary_key=True, autoincrement=False)

    branches = sa.Table(
        "branches",
        metadata,
        # 1 is `main`, whose row comes with the table
        sa.Column(
            "branch_id", big, *([sa.Identity(start=2)] if postgres else []), primary_key=True
        ),
        sa.Column("branch_name", key_text, nullable=False),
        sa.Column("parent_branch_id", big),  # NULL: it was not forked
        sa.Column("created_at", big, nullable=False),
        sa.UniqueConstraint("branch_name", name="uq_branches_branch_name"),
        sqlite_autoincrement=True,
    )
    put = sa.text("direct = 1")
    forked = sa.text("parent_space_id IS NOT NULL")
    spaces = sa.Table(
        "spaces",
        metadata,
        sa.Column("space_id", big, *([sa.Identity()] if postgres else []), primary_key=True),
        sa.Column("space_name", key_text, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("metadata", blob),  # MessagePack map, or NULL for {}
        sa.Column("domains", blob),  # MessagePack list of names whose fold the pstate is
        sa.Column("indexed", sa.Text()),  # fields whose references are all in pstate_refs
        sa.Column("searched", sa.Text()),  # JSON: what search_documents has the texts of
        sa.Column("branch_id", big, nullable=False, server_default="1"),
        sa.Column("parent_space_id", big),  # whose events up to base_sequence are this one's too
        sa.Column("base_sequence", big, nullable=False, server_default="0"),
        sa.UniqueConstraint("branch_id", "space_name", name="uq_spaces_branch_name"),
        sa.Index(
            "ix_spaces_parent",
            "parent_space_id",
            postgresql_where=forked,
            sqlite_where=forked,
        ),
        sqlite_autoincrement=True,
    )
    space_sequences = sa.Table(
        "space_sequences",
        metadata,
        keyed(sa.ForeignKey(spaces.c.space_id)),
        sa.Column("last_sequence", big, nullable=False, server_default="0"),
        sa.Column("state_version", big, nullable=False, server_default="0"),
        sa.Column("last_timestamp", big, nullable=False, server_default="0"),
        sa.Column("writer_token", blob),
        sa.Column("head_hash", blob),  # NULL: the space has no hash chain
        sa.Column("replica_head", blob),  # NULL: it is not replicated; core.sync.head packs it
        **hot,
    )
    event_id = (
        sa.Column(
            "event_id",
            big,
            sa.Sequence(EVENT_ID_SEQUENCE, start=0, minvalue=0, cache=1, metadata=metadata),
            server_default=sa.text(
                f"nextval('{f'{schema}.' if schema else ''}{EVENT_ID_SEQUENCE}'::regclass)"
            ),
            nullable=False,
        )
        if postgres
        else sa.Column("event_id", big, primary_key=True, autoincrement=True)
    )
    event_keys: list[sa.Constraint | sa.Index] = (
        [
            sa.PrimaryKeyConstraint("space_id", "space_sequence", name="pk_events"),
            sa.Index("uq_events_event_id", "event_id", unique=True),
        ]
        if postgres
        else [sa.UniqueConstraint("space_id", "space_sequence", name="uq_events_space_sequence")]
    )
    events = sa.Table(
        "events",
        metadata,
        event_id,
        sa.Column("space_id", big, nullable=False),
        sa.Column("space_sequence", big, nullable=False),
        sa.Column("entity_id", key_text, nullable=False),
        sa.Column("event_type", key_text, nullable=False),
        sa.Column("payload", blob, nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("timestamp", big, nullable=False),
        sa.Column("causation_id", big),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("metadata", blob),
        sa.Column("created_at", big),
        # the shape that the payload was written in; upcasters bring it to today's
        sa.Column("version", sa.SmallInteger(), nullable=False, server_default="1"),
        sa.Column("tags", blob),  # MessagePack list of text, or NULL for none
        *event_keys,
        sa.Index("ix_events_space_entity", "space_id", "entity_id", "space_sequence"),
        _index_of_given("ix_events_space_causation", "causation_id"),
        _index_of_given("ix_events_space_correlation", "correlation_id"),
        sqlite_autoincrement=True,
    )
    event_tags = sa.Table(
        "event_tags",
        metadata,
        keyed(),
        sa.Column("tag", key_text, primary_key=True),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    pstate = sa.Table(
        "pstate_entities",
        metadata,
        keyed(),
        sa.Column("key", key_text, primary_key=True),
        sa.Column("value", blob, nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("updated_at", big),
        # 1: written by put(), not by an event; a rebuild drops it
        sa.Column("direct", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Index("ix_pstate_direct", "space_id", postgresql_where=put, sqlite_where=put),
    )
    pstate_refs = sa.Table(
        "pstate_refs",
        metadata,
        keyed(),
        sa.Column("target", key_text, primary_key=True),
        sa.Column("source", key_text, primary_key=True),
        sa.Column("field", key_text, primary_key=True),
        sa.Index("ix_pstate_refs_space_source", "space_id", "source"),
        sqlite_with_rowid=False,
    )
    checkpoints = sa.Table(
        "projection_checkpoints",
        metadata,
        keyed(),
        sa.Column("name", key_text, primary_key=True),
        sa.Column("last_event_id", big, nullable=False),
        sa.Column("last_space_sequence", big, nullable=False),
        sa.Column("updated_at", big),
        # of the event behind that place, where upcasters make several of it
        sa.Column("parts_done", big, nullable=False, server_default="0"),
        **hot,
    )
    idempotency_keys = sa.Table(
        "idempotency_keys",
        metadata,
        keyed(),
        sa.Column("key", key_text, primary_key=True),
        sa.Column("fingerprint", blob, nullable=False),
        sa.Column("first_sequence", big, nullable=False),
        sa.Column("count", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
    )
    event_hashes = sa.Table(
        "event_hashes",
        metadata,
        keyed(),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("hash", blob, nullable=False),
        sqlite_with_rowid=False,
    )
    snapshots = sa.Table(
        "pstate_snapshots",
        metadata,
        keyed(),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("fold", sa.Text(), nullable=False),  # a hash of `domains`
        sa.Column("domains", blob, nullable=False),  # MessagePack map: name to fold version
        sa.Column("latest", big, nullable=False),  # the latest time of an event up to there
        sa.Column("key_count", big, nullable=False),
        sa.Column("chunk_count", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
    )
    snapshot_chunks = sa.Table(
        "pstate_snapshot_chunks",
        metadata,
        keyed(),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("fold", sa.Text(), primary_key=True),
        sa.Column("chunk", big, primary_key=True, autoincrement=False),
        sa.Column("data", blob, nullable=False),  # MessagePack list: key, value, key, value …
    )
    subscriptions = sa.Table(
        "event_subscriptions",
        metadata,
        keyed(),  # 0: over all spaces
        sa.Column("name", key_text, primary_key=True),
        sa.Column("partition", big, primary_key=True, autoincrement=False),
        sa.Column("partitions", big, nullable=False),
        sa.Column("owner", sa.Text()),  # NULL: nobody's
        sa.Column("lease_until", big, nullable=False, server_default="0"),
        sa.Column("paused_at", big),  # NULL: it is not paused
        sa.Column("stopped_at", big),  # position of the event at which it paused
        sa.Column("reason", sa.Text()),
        sa.Column("stopped_part", big),  # of that event; NULL: none is behind it
        **hot,
    )
    parked = sa.Table(
        "parked_events",
        metadata,
        keyed(),
        sa.Column("subscription", key_text, primary_key=True),
        # 1: of a subscription over all spaces, which may have the name of one of the space
        sa.Column("over_all", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("entity_id", key_text, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),  # storage.parked says which
        sa.Column("attempts", big, nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("parked_at", big, nullable=False),
        # of the event, where upcasters make several of it
        sa.Column("part", big, primary_key=True, autoincrement=False),
    )
    replicas = sa.Table(
        "replicas",
        metadata,
        keyed(),
        sa.Column("space_uid", blob, nullable=False),  # 16 bytes, the same on every replica
        sa.Column("origin", blob, nullable=False),  # 16 bytes, of this replica alone
        sa.Column("last_stamp", big, nullable=False),  # hybrid logical clock of the secrets
        sa.Column("created_at", big, nullable=False),
        sa.Column("epoch", blob),  # NULL: only its secrets are
    )
    secret_keys = sa.Table(
        "secret_keys",
        metadata,
        keyed(),
        sa.Column("key_id", blob, primary_key=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("wrapped", blob, nullable=False),  # of a destroyed key: the proof
        sa.Column("stamp", big, nullable=False),
        sa.Column("origin", blob, nullable=False),
        sa.Column("destroyed", sa.SmallInteger(), nullable=False),
    )
    secrets = sa.Table(
        "secrets",
        metadata,
        keyed(),
        sa.Column("name", key_text, primary_key=True),
        sa.Column("key_id", blob, nullable=False),
        sa.Column("sealed", blob, nullable=False),
        sa.Column("stamp", big, nullable=False),
        sa.Column("origin", blob, nullable=False),
        sa.Column("deleted", sa.SmallInteger(), nullable=False),
    )
    # what a table of tokens knows a text by (SQLite); a rowid without a column changes with VACUUM
    document_id = (
        sa.Column("document_id", big, sa.Identity(), nullable=False)
        if postgres
        else sa.Column("document_id", big, primary_key=True)
    )
    document_keys: list[sa.Constraint | sa.Index] = (
        [
            sa.PrimaryKeyConstraint("space_id", "key", name="pk_search_documents"),
            sa.Index(
                "ix_search_documents_tokens",
                "tokens",
                postgresql_using="gin",
                postgresql_with={"fastupdate": "off"},
            ),
            # on SQLite the table of tokens is in that order
            sa.Index("ix_search_documents_newest", "space_id", "document_id"),
        ]
        if postgres
        else [sa.UniqueConstraint("space_id", "key", name="uq_search_documents_space_key")]
    )
    search_documents = sa.Table(
        "search_documents",
        metadata,
        document_id,
        sa.Column("space_id", big, nullable=False),
        sa.Column("key", key_text, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tokens", postgresql.TSVECTOR() if postgres else sa.Text(), nullable=False),
        *document_keys,
    )
    search_waiting = sa.Table(  # keys whose texts are indexed after the commit
        "search_waiting",
        metadata,
        keyed(),
        sa.Column("key", key_text, primary_key=True),
        sqlite_with_rowid=False,
    )
    merges = sa.Table(
        "merges",
        metadata,
        keyed(),
        # where the log of the space was when it came to know this
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("origin_space_id", big, primary_key=True, autoincrement=False),
        sa.Column("origin_upto", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sqlite_with_rowid=False,
    )
    merged_events = sa.Table(
        "merged_events",
        metadata,
        keyed(),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("origin_space_id", big, primary_key=True, autoincrement=False),
        sa.Column("origin_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),  # storage.merges says which
        sa.Index("ix_merged_events_origin", "space_id", "origin_space_id", "origin_sequence"),
        sqlite_with_rowid=False,
    )
    event_origins = sa.Table(
        "event_origins",
        metadata,
        keyed(),
        # where a run of events of one origin begins: see core.sync.runs
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("uid", blob),  # 16 bytes; NULL: it follows from the origin and its number
        sa.Column("origin", blob, nullable=False),  # 16 bytes
        sa.Column("origin_seq", big, nullable=False),  # 1, 2, 3 … of each origin
        sa.Column("stamp", big, nullable=False),  # hybrid logical clock
        sa.Column("late", sa.SmallInteger(), nullable=False),  # 1: other events follow it
        sa.Column("causation", blob),  # uid of a cause that was not there when the event came
        sa.Column("rule", sa.SmallInteger(), nullable=False),  # of the stamps that follow
        sa.Index("uq_event_origins_place", "space_id", "origin", "origin_seq", unique=True),
        sa.Index(
            "uq_event_origins_uid",
            "space_id",
            "uid",
            unique=True,
            postgresql_where=sa.text("uid IS NOT NULL"),
            sqlite_where=sa.text("uid IS NOT NULL"),
        ),
        sqlite_with_rowid=False,
    )
    layer_cursors = sa.Table(
        "layer_cursors",
        metadata,
        keyed(),
        sa.Column("layer_id", key_text, primary_key=True),
        sa.Column("vector", blob, nullable=False),  # MessagePack map of origin to sequence
        sa.Column("epoch", blob),
        sa.Column("heard_at", big),
        sa.Column("failed_at", big),
        sa.Column("error", sa.Text()),
        sa.Column("refused", big, nullable=False),
    )
    quarantine = sa.Table(
        "quarantine",
        metadata,
        keyed(),
        sa.Column("origin", blob, primary_key=True),
        sa.Column("origin_seq", big, primary_key=True, autoincrement=False),
        sa.Column("uid", blob, nullable=False),
        sa.Column("record", blob, nullable=False),  # as it came: core.sync.wire.pack_record
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("refused_at", big, nullable=False),
    )
    canonical_snapshots = sa.Table(
        "canonical_snapshots",
        metadata,
        keyed(),
        # up to and including the event of this place of the order of all replicas
        sa.Column("stamp", big, primary_key=True, autoincrement=False),
        sa.Column("origin", blob, primary_key=True),
        sa.Column("origin_seq", big, primary_key=True, autoincrement=False),
        sa.Column("chunk", big, primary_key=True, autoincrement=False),
        sa.Column("fold", sa.Text(), nullable=False),  # a hash of fold versions
        sa.Column("count", big, nullable=False),  # how many events that is
        sa.Column("vector", blob, nullable=False),  # which these are; in the first chunk alone
        sa.Column("low", key_text, nullable=False),  # the first key of the chunk
        sa.Column("high", key_text, nullable=False),  # the last one
        sa.Column("data", blob, nullable=False),  # MessagePack list: key, value or nil, key …
    )
    pending_commands = sa.Table(
        "pending_commands",
        metadata,
        keyed(),
        sa.Column("number", big, primary_key=True, autoincrement=False),
        sa.Column("uid", blob, nullable=False),  # 16 bytes: the authority tells repeats by it
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("params", blob, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("needs", blob),  # vector of the authority after it; NULL: not answered
        sa.Column("error", sa.Text()),
    )
    vector_copies, vector_rows = _vector_tables(metadata, keyed, key_text, big)
    return Tables(
        metadata,
        dialect,
        branches,
        spaces,
        space_sequences,
        events,
        pstate,
        checkpoints,
        idempotency_keys,
        event_tags,
        event_hashes,
        snapshots,
        snapshot_chunks,
        pstate_refs,
        subscriptions,
        parked,
        replicas,
        secret_keys,
        secrets,
        search_documents,
        search_waiting,
        merges,
        merged_events,
        event_origins,
        layer_cursors,
        quarantine,
        canonical_snapshots,
        pending_commands,
        vector_copies,
        vector_rows,
    )


def _vector_tables(
    metadata: sa.MetaData, keyed: Callable[[], sa.Column[int]], key: sa.Text, big: sa.Integer
) -> tuple[sa.Table, sa.Table]:
    """Make what pgvector compares; nobody writes it on SQLite."""
    numbers: sa.types.TypeEngine[Any] = sa.LargeBinary()
    if isinstance(big, sa.BigInteger):
        numbers = postgresql.ARRAY(sa.REAL())
    copies = sa.Table(
        "vector_copies",  # how far the rows are
        metadata,
        keyed(),
        sa.Column("collection", key, primary_key=True),
        *(sa.Column(name, big, nullable=False) for name in ("born", "last", "changes")),
        sa.Column("plain", sa.SmallInteger(), nullable=False),
    )
    rows = sa.Table(
        "vector_rows",
        metadata,
        keyed(),
        sa.Column("collection", key, primary_key=True),
        sa.Column("key", key, primary_key=True),
        sa.Column("numbers", numbers, nullable=False),
    )
    return copies, rows


def _index_of_given(name: str, column: str) -> sa.Index:
    """Find events by a column that few of them have."""
    given = sa.text(f"{column} IS NOT NULL")
    return sa.Index(
        name,
        "space_id",
        column,
        "space_sequence",
        postgresql_where=given,
        sqlite_where=given,
    )
