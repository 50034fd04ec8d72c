import pytest

from tests._domains import counter
from tests.cli.command import fail, on, read, run, succeed


@pytest.fixture
def followed(durable_url):
    """acme: `mailer` has parked 1 and 2, `stuck` stopped at 1; `search` over all is at the end."""

    async def fill(db):
        store = await db.content_store("acme", counter())
        for entity in ("a", "a", "b"):
            await store.events.append(entity, "t", {})

        async def fails(event):
            if event.entity_id == "a":
                raise RuntimeError("no")

        async with store.subscribe("mailer", follow=False) as s:
            await s.run(fails, on_error="park", attempts=1)
        async with db.subscribe_all("search", follow=False) as s:
            await s.run(fails, on_error="park", attempts=1)
        async with store.subscribe("stuck", follow=False) as s:
            with pytest.raises(Exception, match="paused"):
                await s.run(fails, attempts=1)

    on(durable_url, fill)
    return durable_url


def test_the_list_shows_how_far_each_is(followed):
    listed = succeed("subscriptions", "list", "--url", followed).splitlines()
    assert listed[0].split() == [
        "space",
        "subscription",
        "position",
        "end",
        "lag",
        "parked",
        "state",
        "owner",
    ]
    assert [line.split()[:7] for line in listed[1:3]] == [
        ["all", "search", "3", "3", "0", "2", "at"],
        ["acme", "mailer", "3", "3", "0", "2", "at"],
    ]
    assert "paused: event 1 (t): RuntimeError('no')" in listed[3]
    found = read("subscriptions", "list", "--space", "acme", "--url", followed)
    assert [(x["name"], x["space_name"], x["stopped_at"], x["lag"]) for x in found] == [
        ("mailer", "acme", None, 0),
        ("stuck", "acme", 1, 3),
    ]


def test_parked_events_are_listed_retried_and_skipped(followed):
    here = ("--space", "acme", "--url", followed)
    (_, first, second) = succeed("subscriptions", "parked", "mailer", *here).splitlines()
    assert first.split() == ["1", "1", "0", "a", "failed", "1", "RuntimeError('no')"]
    assert second.split() == ["1", "2", "0", "a", "waiting", "0", "-"]
    assert "1 parked events of 'mailer'" in succeed("subscriptions", "retry", "mailer", *here)
    assert read("subscriptions", "parked", "mailer", *here)[0]["state"] == "retry"
    succeed("subscriptions", "skip", "mailer", "--event", "1", *here)
    assert [e["space_sequence"] for e in read("subscriptions", "parked", "mailer", *here)] == [2]
    assert "has parked no event 1 of acme" in fail(
        "subscriptions", "skip", "mailer", "--event", "1", *here
    )


def test_of_a_reader_of_all_spaces_the_event_has_to_be_named_with_its_space(followed):
    there = ("--url", followed)
    done = run("subscriptions", "retry", "search", "--event", "1", *there)
    assert (done.exit_code, "--of" in done.stderr) == (2, True)
    succeed("subscriptions", "retry", "search", "--event", "1", "--of", "acme", *there)
    assert read("subscriptions", "parked", "search", *there)[0]["state"] == "retry"


def test_what_stopped_is_resumed_or_goes_on_behind_its_event(followed):
    here = ("--space", "acme", "--url", followed)

    def stuck():
        return read("subscriptions", "list", *here)[1]

    succeed("subscriptions", "resume", "stuck", *here)
    assert (stuck()["paused_at"], stuck()["position"]) == (None, 0)
    succeed("subscriptions", "pause", "stuck", "--reason", "a look", *here)
    assert stuck()["reason"] == "a look"
    assert "not stopped at an event" in fail("subscriptions", "skip", "stuck", *here)


def test_skipping_where_it_stopped(followed):
    here = ("--space", "acme", "--url", followed)
    succeed("subscriptions", "skip", "stuck", *here)
    stuck = read("subscriptions", "list", *here)[1]
    assert (stuck["paused_at"], stuck["position"]) == (None, 1)


def test_a_name_that_nobody_opened_is_one_line(followed):
    assert "'nobody' was never opened" in fail(
        "subscriptions", "pause", "nobody", "--url", followed
    )
