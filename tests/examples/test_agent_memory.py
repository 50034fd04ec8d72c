from examples.agent_memory import WORDS, embed
from tests.examples.program import run


def test_a_text_is_counted():
    assert dict(zip(WORDS, embed("Paris, Paris by train"), strict=True)) == {
        "paris": 2.0,
        "train": 1.0,
        "hotel": 0.0,
        "weather": 0.0,
        "budget": 0.0,
    }


def test_the_program_remembers(durable_url: str):
    shown = run("examples/agent_memory.py", durable_url)

    assert "  user: Find a hotel in Paris, the budget is 100\n  assistant: Hotel du Nord" in shown
    assert "by train: ['I want to take the train to Paris']" in shown
    found = "['conversations log 1', 'tool-results json 3:0']"
    assert f"Paris stands in: {found}\nthe weather tool said: [11]" in shown
    assert "likes: ['train', 'cheap hotels']" in shown
    assert "nothing was written: conflict.patch_test\nentries: 6\n" in shown
    assert "entries before the hotel: 4\nthe chain holds: True" in shown
    assert "['conversations', 'default', 'preferences', 'tool-results']" in shown.replace(
        "['default', 'conversations', 'tool-results', 'preferences']",
        "['conversations', 'default', 'preferences', 'tool-results']",
    )


def test_the_program_goes_on_where_it_was(durable_url: str):
    run("examples/agent_memory.py", durable_url)
    assert "entries: 12\n" in run("examples/agent_memory.py", durable_url)


def test_the_program_runs_in_memory_by_default():
    assert "entries: 6" in run("examples/agent_memory.py")
