import pytest

from examples.cms import (
    AlreadyPublished,
    AlreadyUnpublished,
    ArticleNotFound,
    articles,
    follow,
    list_published,
    note_promotion,
    open_environment,
    promote,
    publish_article,
    unpublish_article,
)
from ramax import MergeConflictError, NewEvent
from ramax.testing import given
from tests.examples.program import run

HELLO = {"article_id": "hello", "title": "Hello", "body": "…"}
NEWS = {"article_id": "news", "title": "News", "body": "…"}
PUBLISHED = NewEvent("article.published", HELLO)
UNPUBLISHED = NewEvent("article.unpublished", {"article_id": "hello"})


def test_publishing_is_one_event():
    assert publish_article({}, HELLO) == [PUBLISHED]


def test_what_is_published_cannot_be_published():
    with pytest.raises(AlreadyPublished):
        publish_article(given(articles, PUBLISHED), HELLO)


def test_what_was_unpublished_can_be_published_again():
    assert publish_article(given(articles, PUBLISHED, UNPUBLISHED), HELLO) == [PUBLISHED]


def test_only_what_is_published_can_be_unpublished():
    assert unpublish_article(given(articles, PUBLISHED), HELLO) == [UNPUBLISHED]
    with pytest.raises(ArticleNotFound):
        unpublish_article({}, HELLO)
    with pytest.raises(AlreadyUnpublished):
        unpublish_article(given(articles, PUBLISHED, UNPUBLISHED), HELLO)


def test_only_what_exists_can_be_promoted():
    with pytest.raises(ArticleNotFound):
        note_promotion({}, {"article_id": "hello", "into": "cms_production"})


async def test_published_articles_are_listed_newest_first(db):
    staging = await open_environment(db, "staging")
    await staging.execute(publish_article, HELLO)
    await staging.execute(publish_article, NEWS)
    assert await list_published(staging) == ["News", "Hello"]

    await staging.execute(unpublish_article, HELLO)
    assert await list_published(staging) == ["News"]

    await staging.execute(publish_article, HELLO)
    assert await list_published(staging) == ["Hello", "News"]


async def test_a_promotion_publishes_there_and_is_noted_here(db):
    staging, production = [await open_environment(db, name) for name in ("staging", "production")]
    await staging.execute(publish_article, HELLO)

    await promote(db, staging, production, "hello")

    assert await list_published(production) == ["Hello"]
    article = await staging.pstate.fetch("article:hello")
    assert article["promoted_into"] == ["cms_production"]


async def test_what_happened_to_an_article_is_followed_once(db):
    staging, production = [await open_environment(db, name) for name in ("staging", "production")]
    await staging.execute(publish_article, HELLO)
    await staging.execute(publish_article, NEWS)
    assert await follow(db, staging, production, "hello") == 1
    assert await list_published(production) == ["Hello"]
    await staging.execute(unpublish_article, HELLO)
    assert await follow(db, staging, production, "hello") == 1
    assert await list_published(production) == []
    assert await follow(db, staging, production, "hello") == 0


async def test_what_production_has_changed_is_not_overwritten(db):
    staging, production = [await open_environment(db, name) for name in ("staging", "production")]
    await staging.execute(publish_article, HELLO)
    await follow(db, staging, production, "hello")
    for environment in (staging, production):
        await environment.execute(unpublish_article, HELLO)
    with pytest.raises(MergeConflictError):
        await follow(db, staging, production, "hello")


async def test_a_promotion_that_is_refused_leaves_no_trace(db):
    staging, production = [await open_environment(db, name) for name in ("staging", "production")]
    await staging.execute(publish_article, HELLO)
    await promote(db, staging, production, "hello")

    with pytest.raises(AlreadyPublished):
        await promote(db, staging, production, "hello")
    with pytest.raises(ArticleNotFound):
        await promote(db, staging, production, "news")

    assert await staging.events.get_space_latest_sequence() == 2
    assert await production.events.get_space_latest_sequence() == 1


def test_the_program_runs(durable_url: str):
    shown = run("examples/cms.py", durable_url)

    assert "promote hello: done\n   promote hello again: no, AlreadyPublished\n" in shown
    assert shown.endswith("   cms_staging    News, Hello\n   cms_production News, Hello\n")


def test_the_program_runs_in_memory_by_default():
    assert "promote hello: done" in run("examples/cms.py")
