"""How long jobs take in so many places, each after those that it waits for."""

from workflow.planning.makespan import Job, makespan


def test_places_are_filled_and_a_chain_is_waited_for():
    chain = {"a": Job(3), "b": Job(2, ("a",)), "c": Job(2), "d": Job(1)}
    assert [makespan(chain, n) for n in (1, 2, 3)] == [8, 5, 5]
    assert makespan({}, 2) == 0


def test_the_long_chain_goes_first():
    assert makespan({"short": Job(2), "also": Job(2), "long": Job(1), "after": Job(4, ("long",))}, 2) == 5
