"""A domain: which applicator folds which event type, and which entity an event is about."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, ClassVar, TypeVar

from ramax.core.entity import Entity, Mode
from ramax.core.limits import MAX_INTEGER, check_version
from ramax.core.ordering import Order, check_order
from ramax.core.projections import Projection, ProjectionMode, Projections
from ramax.core.reactions import Handler, ReactionRule, Reactions
from ramax.core.schema import Schema
from ramax.core.upcast import Upcaster, Upcasters
from ramax.errors import DataError, MisuseError
from ramax.values import Event, NewEvent

State = MutableMapping[str, Any]
Command = Callable[[Any, Any], Iterable[NewEvent]]
Applicator = Callable[[Any, Event], None]
EntityId = Callable[[Any], str | None]

A = TypeVar("A", bound=Applicator)
U = TypeVar("U", bound=Upcaster)
C = TypeVar("C", bound=type)
R = TypeVar("R", bound=Handler)

ALL_OTHERS = "*"

OWN_TYPES = "ramax."
"""Event types that begin with it are those of ramax's data types."""


class Domain:
    """A named set of pure applicators, filled at import time and frozen when a space is opened.

    ``has_versions`` tells whether upcasters or versions are known for any event type.

    Args:
        name: Names the fold; a space remembers the names of the domains its pstate comes from.
        event_applicator: One ``apply(state, event)`` for every type that nobody else handles.
        entity_id: Takes a payload, returns the id of the entity that the event is about.
        versions: The newest version of event types. Not needed where upcasters say it; with it a
            forgotten upcaster is found when a space is opened.
        schema: What is declared of the entities, a `Schema` or a dict like ``{"card": Card}``;
            or declare them one by one with `entity`.
        fold_version: Names what the applicators, upcasters and schema of today make of events;
            change it whenever one of them would make something else. Only a domain that has one
            leaves snapshots and uses them, and only those of the same version; in a replicated
            space, also for events that come late.
        snapshot_every: Events after which `ContentStore.as_of` leaves a snapshot on its way.
        order: How events fold that come late in a replicated space, after others that follow them
            in the order of all replicas: ``"canonical"`` folds anew what they came too late for;
            ``"any"`` folds them as they come. For the latter the applicators must come to the same
            in every order, also with what else writes the keys that they use.
    """

    own: ClassVar[bool] = False
    """Whether this is one of ramax's data types, which have event types and keys of their own."""

    prefix: str = ""
    """Of the keys that it sees; an application sees all but those of the data types."""

    def __init__(
        self,
        name: str,
        event_applicator: Applicator | None = None,
        entity_id: EntityId | None = None,
        schema: Schema | Mapping[str, type] | None = None,
        *,
        versions: Mapping[str, int] | None = None,
        fold_version: int | None = None,
        snapshot_every: int | None = None,
        order: Order = "canonical",
    ) -> None:
        if not isinstance(name, str) or not name:
            raise DataError("domain name", name, "must be a non-empty str")
        self.name = name
        self.names = frozenset({name})
        self._handlers: dict[str, Applicator] = {}
        self._owners: dict[str, Domain] = {}
        self._extractors: list[EntityId] = [entity_id] if entity_id else []
        self._upcasters = Upcasters(name, versions or {})
        self.has_versions = bool(self._upcasters)
        self.reactions = Reactions()
        self.projections = Projections()
        self._frozen = False
        self.fold_versions = _fold_versions(name, fold_version, snapshot_every)
        self.snapshot_every = snapshot_every
        self.order: Order = check_order(order, "order")
        self.schema = _own_schema(schema)
        if event_applicator is not None:
            self._register(ALL_OTHERS, event_applicator, self)

    def __repr__(self) -> str:
        return f"Domain({self.name!r}, types={sorted(self._handlers)})"

    @classmethod
    def combine(cls, *domains: "Domain") -> "Domain":
        """Join domains into one that folds what each of them folds.

        The parts are frozen: what is registered on them later would be missing here.

        Raises:
            MisuseError: A type is handled twice, an entity declared twice, or two different
                domains share a name.
        """
        if not domains:
            raise MisuseError("Domain.combine needs at least one domain")
        joined = cls("+".join(domain.name for domain in domains))
        joined.names = frozenset()
        for domain in domains:
            if clash := joined.names & domain.names:
                raise MisuseError(f"domains combined twice or with equal names: {sorted(clash)}")
            domain.freeze()
            joined.names |= domain.names
            joined._absorb(domain)
        joined._agree_on_snapshots(domains)
        joined.freeze()
        return joined

    def _absorb(self, part: "Domain") -> None:
        self._extractors += part._extractors  # noqa: SLF001 - of its own class
        self._upcasters.absorb(part._upcasters)  # noqa: SLF001
        self.has_versions = bool(self._upcasters)
        for event_type, handler in part._handlers.items():  # noqa: SLF001
            self._register(event_type, handler, part._owners[event_type])  # noqa: SLF001
        for rule in part.reactions:
            self.reactions.add(rule)
        for projection in part.projections:
            self.projections.add(projection)
        for entity in part.schema:
            self.schema.add(entity)

    def _agree_on_snapshots(self, parts: "tuple[Domain, ...]") -> None:
        """Leave snapshots where every part has a version, as often as the one that asks most."""
        if all(part.fold_versions for part in parts):
            self.fold_versions = {k: v for part in parts for k, v in part.fold_versions.items()}
            wanted = [part.snapshot_every for part in parts if part.snapshot_every is not None]
            self.snapshot_every = min(wanted, default=None)

    def applicator(self, *event_types: str) -> Callable[[A], A]:
        """Register the decorated ``apply(state, event)`` for these types; ``"*"`` = all others.

        Raises:
            MisuseError: A type has an applicator already, or the domain is in use.
        """
        if not event_types or not all(isinstance(t, str) and t for t in event_types):
            raise MisuseError(
                f"applicator takes event types, got {event_types!r}: @domain.applicator('a.b')"
            )

        def register(function: A) -> A:
            for event_type in event_types:
                self._register(event_type, function, self)
            return function

        return register

    def reaction(self, *event_types: str, name: str | None = None) -> Callable[[R], R]:
        """Register the decorated ``async def react(event, reaction)`` for these types.

        It is run by `ContentStore.run_reactions` or `Database.run_reactions`, at least once for
        each event, and never by a rebuild.

        Args:
            name: Of its subscription, and so of what it has seen already; by default the domain's
                and the function's. Who renames it begins anew.

        Raises:
            MisuseError: Two reactions have one name, or the domain is in use.
        """

        def register(function: R) -> R:
            if self._frozen:
                raise MisuseError(
                    f"domain {self.name!r} is in use; register its reactions before opening a space"
                )
            called = name or f"{self.name}.{getattr(function, '__name__', '')}"
            self.reactions.add(ReactionRule(called, frozenset(event_types), function))
            return function

        return register

    def projection(
        self,
        name: str,
        *,
        into: Any,
        mode: ProjectionMode = "inline",
        order: Order = "canonical",
    ) -> Projection:
        """Declare a read model in tables of yours; give it handlers with `Projection.on`.

        Args:
            name: Of its checkpoint; at most 200 bytes.
            into: SQLAlchemy Core tables that nobody else writes to. Each has ``space_id`` in its
                primary key and in every other unique key.
            mode: ``"inline"`` writes in the transaction of the command; ``"async"`` later, by
                `ContentStore.run_projections`.
            order: What an event that comes late in a replicated space does, after others that
                follow it in the order of all replicas: ``"canonical"`` makes the rows of the
                space anew, in that order; ``"any"`` goes on with it, for handlers that come to the
                same rows in every order. Without replicas there is no difference.

        Raises:
            DataError: A table could mix the rows of two spaces, or ``order`` is no order.
            MisuseError: Its name or a table is another projection's, or the domain is in use.
        """
        if self._frozen:
            raise MisuseError(
                f"domain {self.name!r} is in use; declare projection {name!r} before opening a "
                "space"
            )
        projection = Projection(name, into, mode, order)
        self.projections.add(projection)
        return projection

    def upcaster(self, event_type: str, *, from_version: int) -> Callable[[U], U]:
        """Register the decorated function for events of this type and version (ADR-0040).

        It gets the `Event`, without ids, and returns the payload of the next version; or a
        `NewEvent`, or a list of them, to rename, split or drop it. What a `NewEvent` leaves out is
        as it was; its version is the next one, of another type 1. It must be pure.

        Raises:
            MisuseError: The version has an upcaster already, or the domain is in use.
        """

        def register(function: U) -> U:
            if self._frozen:
                raise MisuseError(
                    f"domain {self.name!r} is in use; register the upcaster of {event_type!r} "
                    "before opening a space"
                )
            self._upcasters.register(event_type, from_version, function)
            self.has_versions = True
            return function

        return register

    def entity(self, name: str, *, mode: Mode = "strict") -> Callable[[C], C]:
        """Declare the fields of the entities whose keys begin with ``<name>:``, by a class.

        The class may be a plain one with annotations, a dataclass, a TypedDict, a pydantic or a
        msgspec model. Values stay plain dicts: no object of the class is ever made.

        Args:
            mode: Values that do not fit are refused (``strict``), logged (``warn``), or let
                through (``off``).

        Raises:
            MisuseError: The type is declared already, the class has a field that cannot be
                checked, or the domain is in use.
        """

        def declare(cls: C) -> C:
            if self._frozen:
                raise MisuseError(
                    f"domain {self.name!r} is in use; declare {name!r} before opening a space"
                )
            self.schema.add(Entity(name, cls, mode))
            return cls

        return declare

    def _register(self, event_type: str, function: Applicator, owner: "Domain") -> None:
        if self._frozen:
            raise MisuseError(
                f"domain {self.name!r} is in use; register {event_type!r} before opening a space"
            )
        if event_type.startswith(OWN_TYPES) and not self.own:
            raise MisuseError(
                f"{event_type!r}: event types that begin with {OWN_TYPES!r} are those of ramax's "
                "data types; no domain handles them"
            )
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise MisuseError(f"the applicator for {event_type!r} must be a plain function")
        if event_type in self._handlers:
            raise MisuseError(f"{event_type!r} is handled twice in domain {self.name!r}")
        self._handlers[event_type] = function
        self._owners[event_type] = owner

    def freeze(self) -> None:
        """Refuse registrations from now on; opening a space calls it.

        Raises:
            MisuseError: A version of an event type that is not the newest has no upcaster.
        """
        if not self._frozen:
            self._upcasters.check()
        self.projections.freeze()
        self._frozen = True

    def handled_types(self, names: Iterable[str]) -> tuple[frozenset[str], bool]:
        """Say which types the parts called ``names`` handle, and whether one takes all others."""
        wanted = set(names)
        types = {t for t, owner in self._owners.items() if owner.names & wanted}
        return frozenset(types - {ALL_OTHERS}), ALL_OTHERS in types

    def folds_in_any_order(self, event_type: str) -> bool:
        """Say whether it makes no difference when an event of a stored type is folded.

        So it is where nobody folds it, or a part of the domain whose order is ``"any"``.
        """
        if self._upcasters.knows(event_type):  # perhaps it becomes one of another part's
            return all(owner.order == "any" for owner in self._owners.values())
        owner = self._owners.get(event_type) or self._owners.get(ALL_OTHERS)
        return owner is None or owner.order == "any"

    @property
    def event_types(self) -> frozenset[str]:
        """The types that have an applicator of their own."""
        return frozenset(self._handlers) - {ALL_OTHERS}

    @property
    def handles(self) -> bool:
        """Whether it has an applicator at all."""
        return bool(self._handlers)

    @property
    def upcast_types(self) -> frozenset[str]:
        """The stored types of which some version is upcast."""
        return self._upcasters.sources

    def written_version(self, event_type: str, version: int | None) -> int:
        """Return the version that a new event is of: the one that was given, else the newest.

        Raises:
            DataError: It is above the newest of a type that this domain handles, or no version.
        """
        newest = self._upcasters.version_of(event_type)
        if version is None:
            return newest
        check_version(version, f"version of {event_type}")
        if version > newest and self._handles(event_type):
            raise DataError(
                f"version of {event_type}", version, f"the newest in this domain is {newest}"
            )
        return version

    def _handles(self, event_type: str) -> bool:
        handlers = self._handlers
        known = event_type in handlers or self._upcasters.knows(event_type)
        return known or ALL_OTHERS in handlers

    def upcast(self, events: Iterable[Event], space_name: str) -> Iterator[Event]:
        """Bring stored events to today's shape, in order; one may become several, or none.

        Raises:
            UpcastError: An upcaster failed, or an event is of a version that is not known here.
        """
        upcasters = self._upcasters
        for event in events:
            if upcasters.knows(event.event_type):
                yield from upcasters.upcast(event, space_name)
                continue
            if event.version != 1 and self._handles(event.event_type):
                upcasters.refuse_unknown_version(event, space_name)
            yield event

    def apply(self, state: State, event: Event) -> None:
        """Fold one event into ``state``; a type that nobody handles is skipped.

        Raises:
            MisuseError: The applicator returned something instead of changing ``state``.
        """
        handler = self._handlers.get(event.event_type) or self._handlers.get(ALL_OTHERS)
        if handler is None:
            return
        result: object = handler(state, event)
        if result is not None:
            if inspect.iscoroutine(result):
                result.close()
            raise MisuseError(
                f"the applicator for {event.event_type!r} returned {type(result).__name__}; "
                "applicators change the state they are given and return nothing"
            )

    def entity_of(self, event_type: str, payload: Mapping[str, Any]) -> str | None:
        """Extract the entity id from a payload, or None where no extractor applies.

        In a combined domain the part that handles the type extracts; for a type that nobody
        handles the extractor must be the only one.

        Raises:
            DataError: The extractor failed on this payload.
        """
        owner = self._owners.get(event_type) or self._owners.get(ALL_OTHERS)
        extractors = owner._extractors if owner else self._extractors  # noqa: SLF001 - own class
        if len(extractors) != 1:
            return None
        try:
            return extractors[0](payload)
        except Exception as error:
            raise DataError(
                "event", event_type, f"the domain's entity_id extractor failed: {error!r}"
            ) from error


def _fold_versions(name: str, version: object, every: object) -> dict[str, int]:
    for what, value in (("fold_version", version), ("snapshot_every", every)):
        if value is not None and (type(value) is not int or not 1 <= value <= MAX_INTEGER):
            raise DataError(what, value, "must be an int of at least 1")
    if version is None and every is not None:
        raise MisuseError(f"domain {name!r}: snapshot_every needs a fold_version")
    return {name: version} if type(version) is int else {}


def _own_schema(given: Schema | Mapping[str, type] | None) -> Schema:
    if given is not None and not isinstance(given, (Schema, Mapping)):
        raise MisuseError(f"schema is a Schema or a dict of classes, got {given!r:.80}")
    schema = Schema()
    for entity in given if isinstance(given, Schema) else Schema(given):
        schema.add(entity)  # a copy: what is declared later is this domain's alone
    return schema
