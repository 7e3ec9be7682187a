"""What the settings make of the door."""

from aura_analytics.guard.policy import make_policy
from aura_analytics.settings import Settings


def test_a_rate_without_a_burst_allows_ten_seconds_at_once() -> None:
    policy = make_policy(Settings(rate_requests_per_second=2.5, rate_events_per_second=100, rate_events_burst=7))
    assert policy.requests is not None
    assert policy.events is not None
    assert (policy.requests.burst, policy.events.burst) == (25, 7)
    assert make_policy(Settings(rate_requests_per_second=0.01)).requests.burst == 1  # type: ignore[union-attr]  # there is one


def test_without_rates_there_is_no_limit_and_without_a_word_the_door_is_closed() -> None:
    policy = make_policy(Settings())
    assert (policy.requests, policy.events, policy.closed, policy.trusted) == (None, None, True, ())
    assert not make_policy(Settings(auth="off")).closed
