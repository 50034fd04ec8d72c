from ramax.cli.event_tree import tree_document, tree_lines
from ramax.runtime.event_tree import EventNode
from ramax.values import EPOCH, Event


def node(number: int, *effects: EventNode, cut: bool = False) -> EventNode:
    event = Event(number, 1, number, "e", "t", {"n": number}, EPOCH)
    return EventNode(event, effects, cut)


TREE = node(1, node(2, node(4)), node(3, node(5), node(6, cut=True)), cut=True)


def test_a_tree_is_drawn_with_a_star_at_what_was_asked_for():
    assert list(tree_lines(TREE, 6)) == [
        '1  t  e  {"n": 1}',
        '├─ 2  t  e  {"n": 2}',
        '│  └─ 4  t  e  {"n": 4}',
        '├─ 3  t  e  {"n": 3}',
        '│  ├─ 5  t  e  {"n": 5}',
        '│  └─ 6  t  e  {"n": 6} *',
        "│     └─ and more",
        "└─ and more",
    ]


def test_a_tree_is_a_document_of_documents():
    document = tree_document(TREE, "s")
    assert (document["event_id"], document["cut"], document["space_name"]) == (1, True, "s")
    assert [each["event_id"] for each in document["effects"]] == [2, 3]
    assert [each["event_id"] for each in document["effects"][1]["effects"]] == [5, 6]


def test_a_long_chain_is_drawn_without_recursion():
    chain = node(5000)
    for number in range(4999, 0, -1):
        chain = node(number, chain)
    assert len(list(tree_lines(chain, 1))) == 5000
    assert tree_document(chain, "s")["effects"][0]["event_id"] == 2
