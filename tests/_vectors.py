"""Copies of vectors, on databases that make none."""

import sqlalchemy as sa

import ramax


async def copied(db: ramax.Database, space_id: int) -> None:
    """Let a space have a copy of a vector."""
    tables = db._core.backend.tables
    mine = {"space_id": space_id, "collection": "c"}
    numbers = [1.0] if tables.dialect == "postgresql" else b"1"
    async with db.connection() as connection:
        place = {"born": 1, "last": 2, "changes": 1, "plain": 1}
        await connection.execute(sa.insert(tables.vector_copies).values(**mine, **place))
        row = {"key": "k", "numbers": numbers}
        await connection.execute(sa.insert(tables.vector_rows).values(**mine, **row))
        await connection.commit()
