"""Damages a database behind the back of ramax, as a bad disk or a careless hand would."""

from typing import Any

import sqlalchemy as sa

import ramax


async def damage(db: ramax.Database, statement: str, **parameters: Any) -> None:
    """Run one statement on the tables, and make sure that it has changed something."""
    async with db.connection() as connection:
        result = await connection.execute(sa.text(statement), parameters)
        await connection.commit()
    assert result.rowcount > 0
