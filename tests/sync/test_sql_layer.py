"""A space of another database keeps the contract of layers."""

import pytest

import ramax
from ramax import DataError, SqlLayer
from ramax.errors import LayerError, LayerUnavailableError
from ramax.sync.layer import SpaceRef
from ramax.testing import LayerContract
from ramax.testing.layer_contract import everything
from tests.core.sync._records import ANNE, records
from tests.secrets._vaults import OneKey

REF = SpaceRef("notes", b"u" * 16)


class TestSqlLayer(LayerContract):
    @pytest.fixture(autouse=True)
    def place(self, db):
        self.db = db

    def layer(self):
        return SqlLayer(self.db, layer_id="server")


async def test_a_layer_that_opens_the_database_itself_closes_it_too(durable_url):
    for first, last in ((1, 3), (4, 5)):
        layer = SqlLayer(durable_url)
        await layer.open(REF)
        await layer.write(records(ANNE, first, last))
        await layer.aclose()
        with pytest.raises(LayerError, match="not open"):
            await layer.write(records(ANNE, 6, 6))
    async with ramax.connect(durable_url) as db:
        assert (await db.spaces.stats("notes")).event_count == 5


async def test_a_database_that_was_lent_stays_open(db_on_sqlite):
    layer = SqlLayer(db_on_sqlite)
    await layer.open(REF)
    await layer.aclose()
    assert await db_on_sqlite.spaces.exists("default")


async def test_looking_makes_no_space(db_on_sqlite):
    layer = SqlLayer(db_on_sqlite)
    assert (await layer.open(REF)).space_uid is None
    assert await everything(layer) == []
    assert not await db_on_sqlite.spaces.exists("notes")


async def test_a_space_that_is_no_replica_is_not_written_over(db_on_sqlite):
    store = await db_on_sqlite.content_store("notes")
    await store.kv.put("a", 1)
    with pytest.raises(LayerError, match="no replica"):
        await SqlLayer(db_on_sqlite).open(REF)


async def test_the_space_may_have_another_name_there(db_on_sqlite):
    layer = SqlLayer(db_on_sqlite, space="notes_of_anne")
    await layer.open(REF)
    await layer.write(records(ANNE, 1, 2))
    assert (await db_on_sqlite.spaces.stats("notes_of_anne")).event_count == 2


async def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path):
    layer = SqlLayer(str(tmp_path / "missing.db"), create=False)
    with pytest.raises(LayerUnavailableError):
        await layer.open(REF)


async def test_a_database_that_is_gone_is_unavailable_and_heals(postgres_url):
    layer = SqlLayer(postgres_url)
    await layer.open(REF)
    await layer.write(records(ANNE, 1, 1))
    async with ramax.connect(postgres_url) as db:
        await db.spaces.delete("notes", force=True)
    with pytest.raises(LayerUnavailableError):
        await layer.write(records(ANNE, 2, 2))
    assert (await layer.open(REF)).space_uid is None
    await layer.aclose()


def test_the_id_of_a_layer_is_its_url_without_the_password():
    layer = SqlLayer("postgresql://me:secret@host/notes")
    assert layer.layer_id == "postgresql+asyncpg://me:***@host/notes"
    with pytest.raises(DataError):
        SqlLayer("gopher://host")


async def test_only_ciphertext_is_exchanged_and_nobody_there_needs_the_key(db_on_sqlite):
    """B15: what a relay without the master key gets, it passes on unread."""
    async with ramax.connect(keys=OneKey()) as mine:
        layer = SqlLayer(mine)
        await layer.open(REF)
        await layer.write(records(ANNE, 1, 1))
        store = await mine.content_store("notes")
        await store.secrets.set("api", "token")
        sealed = await layer.load_secrets()
    relay = SqlLayer(db_on_sqlite)
    await relay.open(REF)
    await relay.save_secrets(sealed)
    assert await relay.load_secrets() == sealed
    assert [secret.name for secret in sealed.secrets] == ["api"]
    assert b"token" not in b"".join(secret.sealed for secret in sealed.secrets)


async def test_a_space_that_was_renamed_gets_no_second_copy_under_its_new_name(db):
    layer = SqlLayer(db)
    await layer.open(REF)
    await layer.write(records(ANNE, 1, 3))
    renamed = SpaceRef("memos", REF.space_uid)
    with pytest.raises(LayerError, match="called 'notes' there.*SqlLayer"):
        await layer.open(renamed)
    assert not await db.spaces.exists("memos")
    layer = SqlLayer(db, space="notes")
    assert (await layer.open(renamed)).space_uid == REF.space_uid
    assert await layer.vector() == {ANNE: 3}
