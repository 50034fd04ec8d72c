"""The cases: which programs do which work, on what, and what stands beside the figure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

DatabaseKind = Literal["sqlite", "postgres", "none"]


@dataclass(frozen=True, slots=True)
class Entrant:
    """One program that does the work of a case; ``how`` says what it does differently."""

    label: str
    program: str
    work: str
    options: dict[str, Any] = field(default_factory=dict)
    how: str = ""
    full_only: bool = False
    """For information: no target is about it, and the quick form leaves it out."""


@dataclass(frozen=True, slots=True)
class Case:
    """One piece of work; ratios are taken to the first entrant."""

    name: str
    title: str
    database: DatabaseKind
    unit: str
    units: int
    quick_units: int
    durability: str
    start: str
    """What is in the pstate, and in memory, when a round begins."""
    entrants: tuple[Entrant, ...]
    rounds: int = 7
    quick_rounds: int = 3
    step: int = 50
    """Units of a round are a multiple of it; 0 units: the work has a size of its own."""
    in_quick: bool = True
    quick_options: dict[str, Any] = field(default_factory=dict)
    """What the quick form makes smaller for every entrant."""


LIMIT = {"sqlite": "sqlite_limit", "postgres": "postgres_limit"}
DURABLE = "fsync on, synchronous_commit on"
ES, ESF = "eventsourcing", "eventsourcing, functions"


def durability(synchronous: str) -> str:
    """Say what SQLite is set to."""
    return f"WAL, synchronous={synchronous}"


def all_cases() -> list[Case]:
    """Return every case, in the order in which they run and are shown."""
    return [
        *_sqlite_commands(),
        *_postgres_commands(),
        *_batches(),
        *_histories(),
        *_growth(),
        *_following(),
        *_spaces(),
        *_reads(),
        *_memory(),
        _grouping("sqlite"),
        _grouping("postgres"),
        _watched("sqlite"),
        _watched("postgres"),
        _import_time(),
        *_datatypes(),
        *_branches(),
        *_replicas(),
        *_trees(),
    ]


def _rivals(
    database: str, work: str, options: dict[str, Any], *, strata: bool = True
) -> tuple[Entrant, ...]:
    """Return the rivals that can do a work on a database, each with its own defaults."""
    own = "no read model"
    if database == "sqlite":
        found = [Entrant(ES, "eventsourcing_rival", work, options, own)]
        if strata:
            engine = {"durability": "always"} | {
                k: v for k, v in options.items() if k in ("events", "keys") and work == "replay"
            }
            found.append(Entrant("stratadb", "strata_rival", work, engine, "an event, no more"))
        return tuple(found)
    return (
        Entrant(ES, "eventsourcing_rival", work, options, own),
        Entrant(ESF, "eventsourcing_rival", work, options | {"functions": True}, own),
        Entrant("depeche-db", "depeche_rival", work, options, own),
    )


_EXISTS = {
    "new": "100 keys and growing; each command looks up a key that is not there",
    "known": "100 keys, all in memory at the guard's numbers (shared cache)",
}


def _sqlite_commands() -> Iterator[Case]:
    for synchronous in ("FULL", "NORMAL"):
        setting = {"synchronous": synchronous}
        limit = Entrant("limit", "sqlite_limit", "command", setting, "one transaction a command")
        # the rivals keep their own durability, which is that of FULL
        full = synchronous == "FULL"
        for keys in ("new", "known"):
            options = setting | {"keys": keys}
            yield Case(
                f"sqlite-command-{synchronous.lower()}-{keys}",
                f"SQLite command, one caller, {keys} key",
                "sqlite",
                "commands",
                400,
                150,
                durability(synchronous),
                _EXISTS[keys],
                (
                    Entrant("limit", "sqlite_limit", "command", options),
                    Entrant("ramax", "library", "command", options),
                    *(_rivals("sqlite", "command", {"keys": keys}, strata=keys == "new") * full),
                ),
                in_quick=keys == "new",
            )
        for callers, spaces in ((8, 1), (50, 1), (50, 32)):
            many = setting | {"callers": callers, "spaces": spaces}
            grouped = Entrant(
                f"limit, {callers} a commit",
                "sqlite_limit",
                "command",
                setting | {"group": callers},
                "decides as many as there are callers, then one transaction in bulk",
                full_only=True,
            )
            yield Case(
                f"sqlite-command-{synchronous.lower()}-{callers}-callers"
                + ("-32-spaces" * (spaces > 1)),
                f"SQLite commands, {callers} callers, {_spaces_of(spaces)}",
                "sqlite",
                "commands",
                2000,
                600,
                durability(synchronous),
                _EXISTS["new"],
                (
                    limit,
                    Entrant("ramax", "library", "command", many),
                    *((grouped,) * (spaces == 1)),
                    *(
                        _rivals("sqlite", "command", {"callers": 8}, strata=False)
                        * (full and callers == 8)
                    ),
                ),
                in_quick=(callers, spaces) == (50, 1),
            )


def _spaces_of(spaces: int) -> str:
    return "one hot space" if spaces == 1 else f"{spaces} spaces"


def _postgres_commands() -> Iterator[Case]:
    for keys in ("known", "new"):
        limit = Entrant("limit", "postgres_limit", "command", {"keys": keys}, "one CTE a command")
        reading = Entrant(
            "limit, key read first",
            "postgres_limit",
            "command",
            {"keys": keys, "read": True},
            "a round trip for the key, one for the CTE",
        )
        yield Case(
            f"postgres-command-{keys}",
            f"PostgreSQL command, one caller, {keys} key",
            "postgres",
            "commands",
            200,
            80,
            DURABLE,
            _EXISTS[keys],
            (
                limit,
                *((reading,) * (keys == "new")),
                Entrant("ramax", "library", "command", {"keys": keys}),
                *_rivals("postgres", "command", {"keys": keys}),
            ),
            quick_rounds=5,
        )
    for callers, spaces in ((8, 1), (8, 32), (32, 1), (32, 32)):
        shape = {"callers": callers, "spaces": spaces, "keys": "known"}
        yield Case(
            f"postgres-command-{callers}-callers" + ("-32-spaces" * (spaces > 1)),
            f"PostgreSQL commands, {callers} callers, {_spaces_of(spaces)}",
            "postgres",
            "commands",
            1200,
            400,
            DURABLE,
            _EXISTS["known"],
            (
                Entrant("limit", "postgres_limit", "command", shape, "a connection a caller"),
                Entrant("ramax", "library", "command", shape),
                Entrant(
                    f"limit, {callers} a statement",
                    "postgres_limit",
                    "command",
                    {"spaces": spaces, "group": callers, "keys": "known"},
                    "as many as there are callers in one CTE",
                    full_only=True,
                ),
                *(_rivals("postgres", "command", {"callers": callers}) * (spaces == 1)),
            ),
            in_quick=callers == 32,
        )


def _batches() -> Iterator[Case]:
    for database in ("sqlite", "postgres"):
        setting = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        for how in ("execute", "append"):
            options = setting | {"how": how}
            what = (
                "one command of 1,000 events" if how == "execute" else "append_many of 1,000 events"
            )
            yield Case(
                f"{database}-batch-{how}",
                f"{_name(database)}: {what}, new keys",
                database,
                "events",
                3000,
                2000,
                durability("NORMAL") if database == "sqlite" else DURABLE,
                "growing; read model and checkpoint written"
                if how == "execute"
                else "no read model written",
                (
                    Entrant("limit", LIMIT[database], "batch", options),
                    Entrant("ramax", "library", "batch", options),
                    *(_rivals(database, "batch", {}) * (how == "execute")),
                ),
                quick_rounds=5,
                step=1000,
            )


def _name(database: str) -> str:
    return {"sqlite": "SQLite", "postgres": "PostgreSQL"}[database]


def _histories() -> Iterator[Case]:
    for database in ("sqlite", "postgres"):
        setting = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        kind: Any = database
        safe = durability("NORMAL") if database == "sqlite" else DURABLE
        size = {"events": 100_000, "keys": 1000}
        yield Case(
            f"{database}-replay",
            f"{_name(database)}: replay of 100,000 events into 1,000 keys of a dict",
            kind,
            "events",
            0,
            0,
            safe,
            "not used",
            (
                Entrant("limit", LIMIT[database], "replay", setting | size),
                Entrant("ramax", "library", "replay", setting | size),
                *_rivals(database, "replay", size | {"events": 10_000}),
            ),
            rounds=5,
            quick_options={"events": 15_000},
        )
        for start in ("empty", "equal"):
            options = setting | {"events": 10_000, "keys": 10_000, "start": start}
            yield Case(
                f"{database}-rebuild-{start}",
                f"{_name(database)}: rebuild of 10,000 events into 10,000 keys",
                kind,
                "events",
                0,
                0,
                safe,
                "empty pstate: every key is written"
                if start == "empty"
                else "10,000 equal keys: ramax writes none, the limit replaces all",
                (
                    Entrant("limit", LIMIT[database], "rebuild", options),
                    Entrant("ramax", "library", "rebuild", options),
                ),
                rounds=7,
                quick_options={"events": 5000, "keys": 5000},
                in_quick=start == "empty",
            )


def _growth() -> Iterator[Case]:
    for database in ("sqlite", "postgres"):
        kind: Any = database
        setting = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        yield Case(
            f"{database}-growth",
            f"{_name(database)}: rebuild of one space of 1,000 events, spread over the log",
            kind,
            "events",
            10,
            10,
            durability("NORMAL") if database == "sqlite" else DURABLE,
            "equal pstate; the other spaces have 300 events and 100 keys each",
            (
                Entrant("among 10", "library", "growth", setting | {"spaces": 10}),
                Entrant("among 1,000", "library", "growth", setting | {"spaces": 1000}),
            ),
            step=2,
            quick_options={"per_space": 30},
        )


def _following() -> Iterator[Case]:
    for database in ("sqlite", "postgres"):
        kind: Any = database
        setting = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        safe = durability("NORMAL") if database == "sqlite" else DURABLE
        long, short = setting | {"events": 30_000}, setting | {"events": 1000}
        yield Case(
            f"{database}-subscribe",
            f"{_name(database)}: a subscription reads one space from its beginning",
            kind, "events", 0, 0, safe, "not used",
            (
                Entrant("ack every 1,000", "following", "subscribe", long | {"every": 1000}),
                Entrant("ack every 100", "following", "subscribe", long | {"every": 100}),
                Entrant(
                    "ack of each", "following", "subscribe", short | {"every": 1}, "1,000 events"
                ),
                Entrant(
                    "transaction for each", "following", "subscribe",
                    short | {"every": 1, "how": "run"}, "1,000 events, given to a handler",
                ),
            ),
            rounds=3,
            in_quick=False,
        )  # fmt: skip
        many = setting | {"spaces": 10_000, "per_space": 5, "every": 1000}
        yield Case(
            f"{database}-subscribe-all",
            f"{_name(database)}: one subscription reads 10,000 spaces, 5 events each",
            kind, "events", 0, 0, safe, "not used",
            (Entrant("ack every 1,000", "following", "subscribe_all", many),),
            rounds=3,
            in_quick=False,
        )  # fmt: skip


def _spaces() -> Iterator[Case]:
    for database in ("sqlite", "postgres"):
        kind: Any = database
        setting = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        safe = durability("NORMAL") if database == "sqlite" else DURABLE
        own = Entrant("ramax", "library", "create_space", setting)
        yield Case(
            f"{database}-space-create", f"{_name(database)}: creation of a space", kind, "spaces",
            50, 20, safe, "not used", (own,), rounds=5, step=10,
        )  # fmt: skip
        own = Entrant("ramax", "library", "find_space", setting)
        yield Case(
            f"{database}-space-find", f"{_name(database)}: look-up by name among 1,000 spaces",
            kind, "look-ups", 200, 100, safe, "not used", (own,), rounds=5, step=10,
        )  # fmt: skip
        own = Entrant("ramax", "library", "append_one", setting)
        yield Case(
            f"{database}-append", f"{_name(database)}: append of one event", kind, "events",
            100, 50, safe, "not used", (own,), rounds=5, step=10,
        )  # fmt: skip


def _reads() -> Iterator[Case]:
    yield Case(
        "cached-read",
        "Read of a key in memory, exclusive cache",
        "sqlite",
        "reads",
        20_000,
        10_000,
        durability("NORMAL"),
        "10,000 keys, all in memory",
        (
            Entrant("dict + decode", "sqlite_limit", "dict_read", {"synchronous": "NORMAL"}),
            Entrant("ramax", "library", "read", {"how": "cached"}),
        ),
        quick_rounds=5,
    )
    for database in ("sqlite", "postgres"):
        kind: Any = database
        setting = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        for how, title, units in (
            ("lone", "read of a key, one caller", 300),
            ("many", "read of a key, 100 callers", 2000),
            ("get_many", "get_many of 100 keys", 5000),
        ):
            yield Case(
                f"{database}-read-{how}",
                f"{_name(database)}: {title}",
                kind,
                "keys",
                units,
                units,
                durability("NORMAL") if database == "sqlite" else DURABLE,
                "10,000 keys; shared cache, so the database is asked",
                (
                    Entrant("limit", LIMIT[database], "read", setting | {"how": how}),
                    Entrant("ramax", "library", "read", setting | {"how": how}),
                ),
                step=100,
                in_quick=False,
            )


def _memory() -> Iterator[Case]:
    for database in ("sqlite", "postgres"):
        kind: Any = database
        for how in ("stream", "rebuild"):
            yield Case(
                f"{database}-memory-{how}",
                f"{_name(database)}: peak memory that a {how} adds",
                kind,
                "events",
                0,
                0,
                "as above",
                "1,000 keys; a process of its own",
                (
                    Entrant("10,000 events", "library", "memory", {"how": how, "events": 10_000}),
                    Entrant("100,000 events", "library", "memory", {"how": how, "events": 100_000}),
                ),
                rounds=1,
                in_quick=False,
            )


def _grouping(database: str) -> Case:
    setting = {"synchronous": "NORMAL"} if database == "sqlite" else {}
    kind: Any = database
    return Case(
        f"{database}-grouping",
        f"{_name(database)}: what the ability to group costs a lone caller",
        kind,
        "commands",
        300,
        100,
        durability("NORMAL") if database == "sqlite" else DURABLE,
        _EXISTS["known"],
        tuple(
            Entrant(f"max_batch={n}", "library", "command",
                    setting | {"keys": "known", "max_batch": n})
            for n in (1, 256)
        ),
        quick_rounds=5,
    )  # fmt: skip


def _watched(database: str) -> Case:
    setting = {"synchronous": "NORMAL"} if database == "sqlite" else {}
    kind: Any = database
    return Case(
        f"{database}-watched",
        f"{_name(database)}: what an observer costs a lone caller",
        kind,
        "commands",
        300,
        100,
        durability("NORMAL") if database == "sqlite" else DURABLE,
        _EXISTS["known"],
        tuple(
            Entrant(label, "library", "command", setting | {"keys": "known", "watched": watched})
            for label, watched in (
                ("nobody watches", ""),
                ("an observer that does nothing", "nothing"),
                ("OpenTelemetry, kept in memory", "opentelemetry"),
            )
        ),
        in_quick=False,
    )  # fmt: skip


def _import_time() -> Case:
    return Case(
        "import",
        "Import time",
        "none",
        "imports",
        3,
        1,
        "",
        "",
        (
            Entrant("what it stands on", "library", "importing", {
                "modules": "sqlalchemy.ext.asyncio, aiosqlite, asyncpg, msgpack, cachetools"}),
            Entrant("ramax", "library", "importing", {"modules": "ramax"}),
        ),
        rounds=5,
        step=1,
        in_quick=False,
    )  # fmt: skip


_DATATYPES = {  # work: title, unit, units, units of the quick form, step
    "kv_put": ("Put one key", "puts", 400, 150, 50),
    "kv_get": ("Get one key of 10,000", "gets", 2000, 500, 50),
    "kv_get_cached": ("Get one key of 10,000, of the only process", "gets", 2000, 500, 50),
    "kv_batch": ("Put 1,000 keys at once", "keys", 10_000, 2000, 1000),
    "kv_list": ("List 10,000 keys", "keys", 50_000, 10_000, 10_000),
    "log_append": ("Append one entry", "entries", 400, 150, 50),
    "log_batch": ("Append 1,000 entries at once", "entries", 10_000, 2000, 1000),
    "log_range": ("Read 10,000 entries", "entries", 50_000, 10_000, 10_000),
    "json_set": ("Set one JSON document", "documents", 400, 150, 50),
    "json_get": ("Get one field of a JSON document of 1,000", "fields", 2000, 500, 50),
}


def _datatypes() -> Iterator[Case]:
    """Beside stratadb in its durable mode, as FULL is; the rival is the first entrant."""
    full, always = {"synchronous": "FULL"}, {"durability": "always"}
    for work, (title, unit, units, quick, step) in _DATATYPES.items():
        yield Case(
            f"datatypes-{work.replace('_', '-')}",
            f"Data types: {title}",
            "sqlite",
            unit,
            units,
            quick,
            durability("FULL"),
            "what the work itself put there; "
            + ("exclusive cache" if work == "kv_get_cached" else "shared cache"),
            (
                Entrant("stratadb", "strata_rival", work.removesuffix("_cached"), always),
                Entrant("ramax", "datatypes", work, full),
            ),
            step=step,
            in_quick=False,
        )
    for vectors in (10_000, 100_000):
        size = {"vectors": vectors}
        yield Case(
            f"datatypes-vector-search-{vectors // 1000}k",
            f"Data types: the 10 nearest of {vectors:,} vectors of 128 numbers",
            "sqlite",
            "searches",
            20,
            5,
            durability("FULL"),
            "the matrix is in memory",
            (
                Entrant("stratadb", "strata_rival", "vector_search", always | size),
                Entrant("ramax", "datatypes", "vector_search", full | size),
            ),
            rounds=5,
            step=1,
            in_quick=False,
        )
        size = {"vectors": vectors, "topics": 500}
        yield Case(
            f"datatypes-vector-search-approximate-{vectors // 1000}k",
            f"Data types: the 10 nearest of {vectors:,} vectors of 128 numbers around 500 topics",
            "sqlite",
            "searches",
            50,
            10,
            durability("FULL"),
            "the matrix is in memory, and grouped from 20,000 vectors on",
            tuple(
                Entrant(index, "datatypes", "vector_search", full | size | {"index": index})
                for index in ("exact", "approximate")
            ),
            rounds=5,
            step=10,
            in_quick=False,
        )
        yield Case(
            f"datatypes-vector-search-pgvector-{vectors // 1000}k",
            f"Data types: the 10 nearest of {vectors:,} vectors of 128 numbers around 500 topics",
            "postgres",
            "searches",
            20,
            5,
            DURABLE,
            "the matrix is in memory, or copies are in the database",
            tuple(
                Entrant(name, "datatypes", "vector_search", full | size | {"pgvector": pgvector})
                for name, pgvector in (("memory", False), ("pgvector", True))
            ),
            rounds=5,
            step=5,
            in_quick=False,
        )


_ON_BRANCHES = {  # how: title, unit, units, step
    "entity": ("Read the events of an entity", "reads", 200, 50),
    "fetch": ("Fetch one key", "keys", 400, 50),
    "append": ("Append one event", "events", 200, 50),
    "execute": ("Run one command", "commands", 200, 50),
    "replay": ("Replay 11,000 events", "replays", 5, 1),
}
_FORKS = {  # what: title, spaces, events, keys
    "space": ("Fork a space of 1,000,000 events and 100,000 keys", 1, 1_000_000, 100_000),
    "spaces": ("Fork 1,000 spaces", 1000, 1, 1),
}


_COMPARED = {  # what: spaces, keys, of which changed
    "one space of 100,000 keys, 1,000 changed": (1, 100_000, 1000),
    "1,000 spaces, one key changed": (1000, 1, 1),
}
_COMPARISONS = {"diff": "Diff", "preview": "Preview of a merge"}


def _comparisons(database: Any, durable: str, options: dict[str, Any]) -> Iterator[Case]:
    """Finding out what a fork has that `main` does not."""
    for what, (spaces, keys, changed) in _COMPARED.items():
        size = {"spaces": spaces, "keys": keys, "changed": changed}
        for how, title in _COMPARISONS.items():
            yield Case(
                f"{database}-{how}-{'space' if spaces == 1 else 'spaces'}",
                f"{_name(database)}: {title} of {what}",
                database,
                f"{how}s",
                20,
                20,
                durable,
                "both read models up to date",
                (Entrant("ramax", "branching", "compare", {**options, **size, "how": how}),),
                rounds=5,
                step=1,
                in_quick=False,
                quick_options={"keys": 1000, "changed": 10} if spaces == 1 else {"spaces": 100},
            )


def _branches() -> Iterator[Case]:
    """The same work on `main` and behind ten forks, forking itself, and comparing."""
    for database in ("sqlite", "postgres"):
        kind: Any = database
        options = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        durable = durability("NORMAL") if database == "sqlite" else DURABLE
        for how, (title, unit, units, step) in _ON_BRANCHES.items():
            yield Case(
                f"{database}-branches-{how}",
                f"{_name(database)}: {title}, on main and behind ten forks",
                kind,
                unit,
                units,
                units,
                durable,
                "11,000 events and 100 keys; shared cache",
                tuple(
                    Entrant(label, "branching", "on_branch", {**options, "how": how, "depth": n})
                    for label, n in (("main", 0), ("behind ten forks", 10))
                ),
                step=step,
                in_quick=False,
            )
        for what, (title, spaces, events, keys) in _FORKS.items():
            size = {"spaces": spaces, "events": events, "keys": keys}
            yield Case(
                f"{database}-fork-{what}",
                f"{_name(database)}: {title}",
                kind,
                "forks",
                20,
                20,
                durable,
                "read model up to date",
                (Entrant("ramax", "branching", "fork", {**options, **size}),),
                rounds=5,
                step=5 if spaces == 1 else 1,
                in_quick=False,
                quick_options={"events": 1000, "keys": 1000} if spaces == 1 else {"spaces": 100},
            )
        yield from _comparisons(kind, durable, options)


def _replicas() -> Iterator[Case]:
    """The same appends in a space that is no replica and in one that is, and a first sync."""
    for database in ("sqlite", "postgres"):
        kind: Any = database
        options = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        safe = durability("NORMAL") if database == "sqlite" else DURABLE
        for per_commit, commits in ((1, 500), (100, 50)):
            size = {"per_commit": per_commit, "commits": commits}
            yield Case(
                f"{database}-replica-append-{per_commit}",
                f"{_name(database)}: appends of {per_commit}, in a space that is a replica or none",
                kind,
                "events",
                0,
                0,
                safe,
                "not used",
                tuple(
                    Entrant(label, "replicating", "append", options | size | {"replicated": on})
                    for label, on in (("no replica", False), ("replica", True))
                ),
                in_quick=False,
            )
        yield Case(
            f"{database}-first-sync",
            f"{_name(database)}: a log comes into an empty space, pages of 500",
            kind,
            "events",
            0,
            0,
            safe,
            "not used",
            (
                Entrant("direct", "replicating", "first_sync", options | {"events": 100_000}),
                Entrant("manager", "replicating", "managed_sync", options | {"events": 100_000}),
            ),
            rounds=2,
            in_quick=False,
        )


def _trees() -> Iterator[Case]:
    """1,000 moves that two replicas made at once, in a tree of 10,000 nodes."""
    yield Case(
        "tree-merge",
        "A tree of 10,000 nodes: merging 1,000 moves of another replica, in memory",
        "none",
        "moves",
        0,
        0,
        "none",
        "not used",
        (Entrant("ramax", "merging", "merge"),),
        rounds=7,
        in_quick=False,
    )
    for database in ("sqlite", "postgres"):
        kind: Any = database
        options = {"synchronous": "NORMAL"} if database == "sqlite" else {}
        yield Case(
            f"{database}-tree-merge",
            f"{_name(database)}: the records of these moves are checked, stored and merged",
            kind,
            "moves",
            0,
            0,
            durability("NORMAL") if database == "sqlite" else DURABLE,
            "not used",
            (Entrant("ramax", "merging", "ingest", options),),
            rounds=3,
            in_quick=False,
        )


def prototypes() -> list[Case]:
    """Return the cases behind ADRs; they run only when ``--only prototype`` asks for them."""
    return [
        Case(
            f"prototype-writer-thread-{synchronous.lower()}-{callers}",
            f"SQLite writer: aiosqlite's thread against one of its own, {callers} callers",
            "sqlite",
            "commands",
            400 if callers == 1 else 2000,
            150 if callers == 1 else 600,
            durability(synchronous),
            _EXISTS["known"],
            tuple(
                Entrant(label, program, "command",
                        {"synchronous": synchronous, "callers": callers, "keys": "known"})
                for label, program in (
                    ("aiosqlite's thread", "library"),
                    ("own thread", "prototypes.writer_thread"),
                )
            ),
            rounds=21,
        )
        for synchronous in ("FULL", "NORMAL")
        for callers in (1, 50)
    ]  # fmt: skip
