"""Projections of a fork: made of its whole log, in rows of its own."""

import sqlalchemy as sa

from ramax import Domain, NewEvent

rows = sa.Table(
    "branch_rows",
    sa.MetaData(),
    sa.Column("space_id", sa.BigInteger, primary_key=True),
    sa.Column("entity_id", sa.Text, primary_key=True),
)


def noted(mode):
    domain = Domain("noted")

    @domain.applicator("noted")
    def was_noted(state, event):
        state[event.entity_id] = 1

    projection = domain.projection("rows", into=rows, mode=mode)

    @projection.on("noted")
    def project(event):
        yield projection.upsert(rows, {"entity_id": event.entity_id})

    return domain


def note(state, params):
    return [NewEvent("noted", {}, entity_id=params)]


async def projected(db, space):
    async with db.connection() as connection:
        found = await connection.execute(
            sa.select(rows.c.entity_id)
            .where(rows.c.space_id == space.space_id)
            .order_by("entity_id")
        )
        names = list(found.scalars())
        await connection.rollback()
    return names


async def make_table(db):
    async with db.connection() as connection:
        await connection.run_sync(rows.metadata.create_all)
        await connection.commit()


async def test_an_inline_projection_of_a_fork_is_made_before_its_first_command(db):
    await make_table(db)
    domain = noted("inline")
    store = await db.content_store("a", domain)
    for name in ("x", "y"):
        await store.execute(note, name)
    await db.branches.fork("main", "experiment")
    await store.execute(note, "later")
    copy = await db.at_branch("experiment").content_store("a", domain)
    await copy.execute(note, "z")
    assert await projected(db, copy.space) == ["x", "y", "z"]
    assert await projected(db, store.space) == ["later", "x", "y"]
    await db.branches.delete("experiment")
    assert await projected(db, copy.space) == []


async def test_an_async_projection_of_a_fork_begins_with_what_it_was_forked_with(db):
    await make_table(db)
    domain = noted("async")
    store = await db.content_store("a", domain)
    await store.execute(note, "x")
    await db.branches.fork("main", "experiment")
    copy = await db.at_branch("experiment").content_store("a", domain)
    await copy.execute(note, "y")
    await copy.run_projections(follow=False)
    assert await projected(db, copy.space) == ["x", "y"]
    assert await projected(db, store.space) == []
    assert await copy.rebuild("rows") == 2
