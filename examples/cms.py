"""A CMS with environments: staging and production are spaces of one database.

    python examples/cms.py [database]       a path or URL; default: a new database in memory

Shows a read model made for one question (what is published), and two ways from one space to
another: a transaction over both, and a promotion of what was recorded.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Mapping, MutableMapping
from operator import itemgetter
from typing import Any

import ramax
from ramax import ContentStore, Database, Domain, Event, NewEvent, Rejected

# -- The domain -----------------------------------------------------------------------------------

articles = Domain("articles", entity_id=lambda payload: f"article:{payload['article_id']}")


class ArticleNotFound(Rejected):
    """There is no article of that id in this environment."""


class AlreadyPublished(Rejected):
    """The article is published; unpublish it first."""


class AlreadyUnpublished(Rejected):
    """The article is not published."""


def publish_article(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Publish an article, for the first time or again; ``article_id``, ``title``, ``body``."""
    if f"published:{params['article_id']}" in state:
        raise AlreadyPublished(params["article_id"])
    return [NewEvent("article.published", params)]


def unpublish_article(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Take an article off; ``article_id``."""
    article_id = params["article_id"]
    if f"article:{article_id}" not in state:
        raise ArticleNotFound(article_id)
    if f"published:{article_id}" not in state:
        raise AlreadyUnpublished(article_id)
    return [NewEvent("article.unpublished", {"article_id": article_id})]


def note_promotion(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Record that an article went to another environment; ``article_id``, ``into``."""
    if f"article:{params['article_id']}" not in state:
        raise ArticleNotFound(params["article_id"])
    return [NewEvent("article.promoted", params)]


@articles.applicator("article.published")
def article_published(state: MutableMapping[str, Any], event: Event) -> None:
    """Keep the article, and a short entry that makes the list of published ones cheap."""
    article_id, title = event.payload["article_id"], event.payload["title"]
    state[f"article:{article_id}"] = {**event.payload, "promoted_into": []}
    state[f"published:{article_id}"] = {"title": title, "published_at": event.timestamp}


@articles.applicator("article.unpublished")
def article_unpublished(state: MutableMapping[str, Any], event: Event) -> None:
    """Drop the entry; the article stays."""
    del state[f"published:{event.payload['article_id']}"]


@articles.applicator("article.promoted")
def article_promoted(state: MutableMapping[str, Any], event: Event) -> None:
    """Remember where the article went."""
    state[event.entity_id]["promoted_into"].append(event.payload["into"])


# -- The application ------------------------------------------------------------------------------


async def open_environment(db: Database, name: str) -> ContentStore:
    """Open the space of an environment."""
    return await db.content_store(f"cms_{name}", articles)


async def list_published(environment: ContentStore) -> list[str]:
    """Return the titles of what is published, the newest first."""
    found = [entry async for _, entry in environment.pstate.scan("published:")]
    return [entry["title"] for entry in sorted(found, key=itemgetter("published_at"), reverse=True)]


async def promote(
    db: Database, source: ContentStore, target: ContentStore, article_id: str
) -> None:
    """Publish an article of one environment in another.

    One transaction covers both spaces: if the target says no, the source has no note of it either.
    """
    async with db.transaction(source, target) as tx:
        article = await tx.at(source).pstate.get(f"article:{article_id}")
        if article is None:
            raise ArticleNotFound(article_id)
        del article["promoted_into"]
        await tx.at(target).execute(publish_article, article)
        note = {"article_id": article_id, "into": target.space.space_name}
        await tx.at(source).execute(note_promotion, note)


async def follow(db: Database, source: ContentStore, target: ContentStore, article_id: str) -> int:
    """Take over what happened to an article since it was last taken over; say how much that was.

    The events of the source are recorded again in the target, so an article that was taken off is
    taken off there as well. If the target has changed it meanwhile, that is a `MergeConflictError`.
    """
    done = await db.spaces.promote(source, target, [f"article:{article_id}"])
    return done.copied


# -- The demonstration ----------------------------------------------------------------------------

HELLO = {"article_id": "hello", "title": "Hello", "body": "The first one."}
NEWS = {"article_id": "news", "title": "News", "body": "Not ready yet."}


async def attempt(what: str, work: Awaitable[object]) -> None:
    """Print what became of a piece of work, which may be a no."""
    try:
        await work
    except Rejected as no:
        print(f"   {what}: no, {type(no).__name__}")
    else:
        print(f"   {what}: done")


async def demonstrate(database: str | None) -> None:
    """Write in staging, promote to production."""
    async with ramax.connect(database) as db:
        staging = await open_environment(db, "staging")
        production = await open_environment(db, "production")
        print("Two articles in staging, one of them goes to production:")
        await attempt("publish hello", staging.execute(publish_article, HELLO))
        await attempt("publish news", staging.execute(publish_article, NEWS))
        await attempt("promote hello", promote(db, staging, production, "hello"))
        await attempt("promote hello again", promote(db, staging, production, "hello"))

        print("\nWhat is taken off can be published again:")
        await attempt("unpublish news", staging.execute(unpublish_article, NEWS))
        await attempt("unpublish news again", staging.execute(unpublish_article, NEWS))
        await attempt("publish news", staging.execute(publish_article, NEWS))

        print("\nWhat happened to an article goes to production as it is, and once:")
        for _ in range(2):
            print(f"   follow news: {await follow(db, staging, production, 'news')} events")

        print("\nPublished, the newest first:")
        for environment in (staging, production):
            titles = ", ".join(await list_published(environment))
            print(f"   {environment.space.space_name:<14} {titles}")


def main() -> None:
    """Run the demonstration on the database that the command line names."""
    parser = argparse.ArgumentParser(description="Staging and production in one database.")
    parser.add_argument("database", nargs="?", help="a path or URL; default: in memory")
    asyncio.run(demonstrate(parser.parse_args().database))


if __name__ == "__main__":
    main()
