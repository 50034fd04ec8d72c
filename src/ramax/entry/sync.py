"""The space manager and the SQL layer, with the public handles and secrets that they work with."""

from collections.abc import Iterable
from typing import Any

from ramax.core.domain import Domain
from ramax.core.limits import check_name
from ramax.core.sync.backoff import Backoff
from ramax.entry.connecting import Target, connect
from ramax.entry.features import exchange_of
from ramax.entry.handles import ContentStore, Database
from ramax.errors import DataError
from ramax.runtime.core import Core
from ramax.runtime.database import Database as RuntimeDatabase
from ramax.storage.engine import as_url
from ramax.sync import space_manager, sql_layer
from ramax.sync.terms import LayersFor, Pace, Suffices, Terms
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


class SpaceManager(space_manager.SpaceManager[ContentStore]):
    """Opens spaces of one primary database with their layers, as `ContentStore` handles.

    Use it in ``async with``, inside that of the database.
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

    async def _opened_store(self, space: Space, domain: Domain | None) -> ContentStore:
        return await self.primary.content_store(space, domain)
