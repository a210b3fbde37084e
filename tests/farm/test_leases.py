"""The rules of leases, with any sequence of requests, returns, lost boards and boards of other processes."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pynq_async.errors import InvalidArgument
from pynq_async.farm.leases import Leases, Request, Want

MODELS = {"a": "Pynq-Z2", "b": "Pynq-Z2", "c": "ZCU104", "d": "ZCU104", "e": "ZCU104"}
TAGS = {"a": {"camera"}, "c": {"camera"}, "d": {"fast"}}


def five() -> Leases:
    leases = Leases()

    for name, model in MODELS.items():
        leases.add(name, TAGS.get(name, ()), model, "zynqmp" if model == "ZCU104" else "zynq7000")

    return leases


wants = st.builds(
    Want,
    count=st.integers(1, 3),
    model=st.sampled_from([None, "ZCU104", "Pynq-Z2"]),
    tags=st.sampled_from([frozenset(), frozenset({"camera"})]),
    priority=st.sampled_from([0, 0, 0, 1, -1]),
)


class Rules(RuleBasedStateMachine):
    requests: Bundle[Request] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.leases = five()
        self.alive: list[Request] = []
        self.before: tuple[Request, ...] = ()

    @rule(target=requests, want=wants)
    def ask(self, want: Want) -> Request:
        self.before = self.leases.waiting

        try:
            request = self.leases.request(want)
        except InvalidArgument:
            assert sum(_fits(want, name) for name in MODELS) < want.count
            return Request(want, 0)

        assert sum(_fits(want, name) for name in MODELS) >= want.count
        self.alive.append(request)
        self.check_fair([request] if request.boards else [])
        return request

    @rule(request=consumes(requests))
    def end(self, request: Request) -> None:
        self.before = self.leases.waiting
        self.check_fair(self.leases.end(request))
        assert not self.leases.end(request)

        if request in self.alive:
            self.alive.remove(request)

    @rule(request=requests, data=st.data())
    def refuse(self, request: Request, data: Any) -> None:
        if request.boards and request in self.alive:
            self.leases.refuse(request, data.draw(st.lists(st.sampled_from(request.boards), min_size=1, unique=True)))

    @rule(name=st.sampled_from(sorted(MODELS)))
    def lose(self, name: str) -> None:
        self.leases.set_aside(name)

    @rule(name=st.sampled_from(sorted(MODELS)))
    def find(self, name: str) -> None:
        self.before = self.leases.waiting
        self.check_fair(self.leases.take_back(name))
        self.before = self.leases.waiting
        self.check_fair(self.leases.here_again(name))

    def check_fair(self, granted: list[Request]) -> None:
        """Nobody was given a board that somebody before them waits for."""
        for request in granted:
            for other in self.leases.waiting:
                if (-other.want.priority, other.order) < (-request.want.priority, request.order):
                    assert not other.fitting & set(request.boards)

    @invariant()
    def no_board_is_held_twice(self) -> None:
        held = [name for request in self.alive for name in request.boards]
        assert len(held) == len(set(held))
        assert {name for name in MODELS if self.leases.holder(name)} == set(held)

    @invariant()
    def what_is_granted_is_what_was_asked_for(self) -> None:
        for request in self.alive:
            assert (request in self.leases.waiting) == (not request.boards)

            if request.boards:
                assert len(request.boards) == request.want.count
                assert all(_fits(request.want, name) for name in request.boards)

    @invariant()
    def the_first_in_the_queue_does_not_wait_for_nothing(self) -> None:
        for first in self.leases.waiting[:1]:
            assert sum(self.leases.is_free(name) for name in first.fitting) < first.want.count

    def teardown(self) -> None:
        """Nobody starves: when boards come back and answer, everybody has had theirs."""
        for name in MODELS:
            self.leases.take_back(name)
            self.leases.here_again(name)

        while self.alive:
            served = [request for request in self.alive if request.boards]
            assert served

            for request in served:
                self.alive.remove(request)
                self.leases.end(request)

        assert not self.leases.waiting and all(map(self.leases.is_free, MODELS))


def _fits(want: Want, name: str) -> bool:
    return want.model in (None, MODELS[name]) and want.tags <= TAGS.get(name, set())


TestRules = Rules.TestCase
TestRules.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_lease_of_several_boards_is_not_overtaken_by_leases_of_one() -> None:
    leases = five()
    first = leases.request(Want(model="ZCU104", count=2))
    big = leases.request(Want(model="ZCU104", count=3))
    small = leases.request(Want(model="ZCU104"))
    other = leases.request(Want(model="Pynq-Z2"))
    assert not big.boards and not small.boards and other.boards
    assert leases.end(first) == [big]
    assert leases.end(big) == [small]


def test_a_higher_priority_is_served_first_and_equal_ones_in_order() -> None:
    leases = five()
    held = leases.request(Want(tags=frozenset({"fast"})))
    first, second, urgent = [leases.request(Want(names=frozenset("d"), priority=priority)) for priority in (0, 0, 5)]
    assert leases.end(held) == [urgent]
    assert leases.end(urgent) == [first]
    assert leases.end(first) == [second]


def test_what_others_wait_for_is_given_last_and_what_has_rested_longest_first() -> None:
    leases = five()
    assert leases.request(Want()).boards == ("a",)
    assert not leases.request(Want(count=2, model="Pynq-Z2")).boards
    assert leases.request(Want()).boards == ("c",)


@pytest.mark.parametrize(
    ("want", "sentence"),
    [
        (Want(count=0), "at least one board, not 0"),
        (Want(count=6), r"a lease of 6 boards can never be met: 5 of the farm's 5 would do; it has a \(Pynq-Z2\)"),
        (Want(model="ZCU111"), r"1 board with model ZCU111 can never be met: none of the farm's 5 would do"),
        (Want(model="Pynq-Z2", tags=frozenset({"fast"})), "1 board with model Pynq-Z2, tag fast can never be met"),
        (Want(tags=frozenset({"slow"})), "no board with the tag 'slow'; it has camera, fast"),
        (Want(names=frozenset({"z"})), "no board called 'z'; it has a, b, c, d, e"),
    ],
)
def test_what_can_never_be_met_is_said_at_once(want: Want, sentence: str) -> None:
    with pytest.raises(InvalidArgument, match=sentence):
        five().request(want)


def test_a_board_that_was_never_reached_may_be_what_is_asked_for_until_it_is_known() -> None:
    leases = five()
    leases.add("x", ["camera"])
    request = leases.request(Want(model="ZCU111"))
    assert not request.boards
    assert not leases.add("x", ["camera"], "ZCU111", "zynqmp")
    assert leases.take_back("x") == [request]


def test_whoever_waits_for_a_board_that_turns_out_to_be_another_one_is_told() -> None:
    leases = five()
    leases.add("x")
    request = leases.request(Want(model="ZCU111"))
    assert leases.add("x", (), "ZCU102", "zynqmp") == [request]
    assert not leases.end(request) and not leases.waiting
