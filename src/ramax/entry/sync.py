"""The space manager and the SQL layer, with the public handles and secrets that they work with."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ramax.core.domain import Domain
from ramax.core.limits import check_name
from ramax.core.sync.backoff import Backoff
from ramax.entry.connecting import Target, connect
from ramax.entry.features import exchange_of
from ramax.entry.handles import ContentStore, Database
from ramax.errors import DataError
from ramax.runtime import content_store
from ramax.runtime.core import Core
from ramax.runtime.database import Database as RuntimeDatabase
from ramax.storage.engine import as_url
from ramax.sync import space_manager, sql_layer
from ramax.sync.layer import SpaceRef
from ramax.sync.layer_worker import Pace
from ramax.sync.space_manager import LayersFor, Suffices, Terms
from ramax.values import Space


def core_of(database: RuntimeDatabase) -> Core:
    """Return what the handles of a database share."""
    return database._core  # noqa: SLF001 - this is the composition root


class SqlLayer(sql_layer.SqlLayer):
    """A layer that is a space of another ramax database: a server's, or another file."""

    def __init__(
        self,
        target: Target | Database,
        *,
        layer_id: str | None = None,
        space: str | None = None,
        two_way: bool = True,
        **options: Any,
    ) -> None:
        """Name the database; it is opened by the first use.

        Args:
            target: As for `connect`; or an open `Database`, which many layers may share and which
                stays open.
            layer_id: By default the URL without its password.
            space: What the space is called there, if not as here.
            two_way: Off: what others write there is taken only when the layer is opened.
            options: As for `connect`.
        """
        if isinstance(target, Database):
            given: Any = target
            name = str(target.engine.url)
        else:
            given = lambda: connect(target, **options)  # noqa: E731 - it is a value
            name = str(as_url(target) if isinstance(target, str) else target)
        super().__init__(
            given,
            core_of,
            exchange_of,
            layer_id=layer_id or name,
            space=space,
            two_way=two_way,
        )


class SpaceManager(space_manager.SpaceManager):
    """Several spaces of one primary database, each with layers of its own.

    The primary is where a space is worked with; a commit waits for nothing else, unless
    ``durability`` says so. A layer is another place that holds the space: it is read when the
    space is opened, and gets whatever is written, now or when it can be reached again. Use it in
    ``async with``, inside that of the database.
    """

    def __init__(  # noqa: PLR0913 - every option has a default and a name
        self,
        primary: Database,
        layers_for: LayersFor | None = None,
        *,
        load_timeout: float = 10.0,
        flush_timeout: float = 5.0,
        durability: Iterable[str] = (),
        durability_timeout: float = 10.0,
        suffices: Suffices | None = None,
        first_retry: float = 0.2,
        last_retry: float = 60.0,
        secrets_interval: float = 5.0,
    ) -> None:
        """Say where spaces are worked with, and which layers each has.

        Args:
            layers_for: Returns the layers of a `SpaceRef`, new objects each time; may be async.
            load_timeout: Seconds that `load` waits for layers.
            flush_timeout: Seconds that closing a space waits for what is not pushed yet.
            durability: Ids of layers that must have confirmed a commit before its caller goes on.
            durability_timeout: Seconds; after them `DurabilityError` is raised.
            suffices: Says of a store whether a layer has brought enough for `load` to return; by
                default what the first layer has is enough.
            first_retry: Seconds after which a layer that failed is tried again; doubled each time.
            last_retry: The most seconds between two tries.
            secrets_interval: Seconds between two looks whether secrets have changed here.
        """
        if not isinstance(primary, Database):
            raise DataError("primary", primary, "is an open Database")
        times = {
            "load_timeout": load_timeout,
            "flush_timeout": flush_timeout,
            "durability_timeout": durability_timeout,
            "first_retry": first_retry,
            "last_retry": last_retry,
            "secrets_interval": secrets_interval,
        }
        for name, seconds in times.items():
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
                raise DataError(name, seconds, "is seconds, 0 or more")
        if not secrets_interval:
            raise DataError("secrets_interval", secrets_interval, "is seconds, above 0")
        named = frozenset([durability] if isinstance(durability, str) else durability)
        for layer in named:
            check_name(layer, "layer id")
        terms = Terms(
            load_timeout,
            flush_timeout,
            named,
            durability_timeout,
            suffices,
            Pace(Backoff(first_retry, last_retry), secrets_interval),
        )
        self.primary = primary
        super().__init__(
            core_of(primary),
            self._opened_store,
            layers_for,
            terms,
            lambda space: exchange_of(core_of(primary), space),
        )

    async def _opened_store(
        self, space: Space, domain: Domain | None
    ) -> content_store.ContentStore:
        return await self.primary.content_store(space, domain)

    async def create(
        self,
        name: str,
        domain: Domain | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> ContentStore:
        """Make a new space in the primary, and bring it to its layers; waits for none of them.

        Raises:
            SpaceExistsError: The name is taken in the primary.
            SpaceNameError: A new space may not have this name.
            SpaceAlreadyOpenError: It is open here.
        """
        return cast("ContentStore", await super().create(name, domain, metadata=metadata))

    async def add(
        self, store: content_store.ContentStore, *, space_uid: bytes | None = None
    ) -> ContentStore:
        """Give a space of the primary its layers: it becomes a replica, with all that it holds.

        Args:
            space_uid: What other replicas know it by; by default a new id, if it has none.

        Raises:
            SpaceAlreadyOpenError: It is open here.
        """
        return cast("ContentStore", await super().add(store, space_uid=space_uid))

    async def load(
        self,
        ref: str | SpaceRef,
        domain: Domain | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the error names it
    ) -> ContentStore:
        """Open a space that exists somewhere.

        What the primary has is ready at once. Else it is ready when the first layer that has the
        space was read, and ``suffices`` if that is given; the others are merged afterwards. Who
        loads what is being loaded waits for the same.

        Raises:
            SpaceNotFoundError: Neither the primary nor a layer has it.
            SpaceLoadError: No layer that could be reached has it.
            SpaceLoadTimeoutError: It took longer than ``timeout``, or ``load_timeout``, seconds.
        """
        return cast("ContentStore", await super().load(ref, domain, timeout=timeout))

    def get(self, name: str) -> ContentStore | None:
        """Return the store of a space that is open, with the domain that it was opened with."""
        return cast("ContentStore | None", super().get(name))
