from ramax.legacy import BadRow


def test_a_bad_row_says_where_it_is():
    assert BadRow("events", (7,), "").where == "events 7"
    assert BadRow("pstate_entities", (2, b"card:\xff"), "").where == "pstate_entities 2 card:\\xff"
    assert BadRow("pstate_entities", (None,), "").where == "pstate_entities (without an id)"


def test_a_bad_row_can_be_looked_up():
    twice = [BadRow("events", (7,), "x"), BadRow("events", (7,), "x")]
    assert len(set(twice)) == 1
