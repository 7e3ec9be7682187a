"""Who is told of something: whether they can be reached is looked at, and nobody is told anything."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aura_analytics.doctor import listeners, privacy
from aura_analytics.doctor.door import rates
from aura_analytics.doctor.finding import Finding, exit_code
from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings
from collector import Collector

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
RULE = '[[alert]]\nname = "errors"\nmetric = "error_rate"\nabove = 0.1\n'


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setblocking(False)
        yield listening


def shown(found: list[Finding]) -> dict[str, str]:
    assert all(one.advice for one in found if one.state in ("warning", "fail"))
    return {one.name: one.state for one in found}


async def test_without_anybody_there_is_nothing_to_look_at() -> None:
    settings = Settings()
    for look in (listeners.alerts, listeners.traces, privacy.masked, rates):
        found = list(await look(settings))
        assert [one.state for one in found] == ["skipped"]
        assert exit_code(found) == 0


async def test_an_address_is_reached_and_told_nothing(listener: socket.socket) -> None:
    there = f"http://127.0.0.1:{listener.getsockname()[1]}/a-secret"
    found = list(await listeners.alerts(Settings(webhook_urls=there, webhook_secret=SECRET)))
    assert shown(found) == {"alerts": "ok", "webhook 127.0.0.1": "ok"}
    assert "a-secret" not in repr(found)
    connection, _ = listener.accept()
    with closing(connection):
        connection.settimeout(10)
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/a-secret", "https://nowhere.invalid/a-secret", "http://h:99999/a-secret"]
)
async def test_an_address_that_can_t_be_reached_fails(url: str) -> None:
    found = list(await listeners.alerts(Settings(webhook_urls=url, webhook_secret=SECRET)))
    assert [one.state for one in found] == ["ok", "fail"]
    assert exit_code(found) == 2
    assert "a-secret" not in repr(found)


async def test_one_who_speaks_no_tls_is_told_of(listener: socket.socket) -> None:
    listener.close()
    with Collector() as collector:
        url = collector.endpoint.replace("http", "https")
        assert [one.state for one in await listeners.alerts(Settings(webhook_urls=url, webhook_secret=SECRET))][
            1
        ] == "fail"


async def test_rules_without_anybody_to_tell_are_well_and_without_statistics_they_are_not(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULE, "utf-8")
    rules = str(tmp_path / "rules.toml")
    assert shown(list(await listeners.alerts(Settings(alerts=rules)))) == {"alerts": "ok"}
    assert shown(list(await listeners.alerts(Settings(alerts=rules, aura_statistics="off")))) == {"alerts": "warning"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(webhook_urls="http://h/"), "WEBHOOK_SECRET"),
        (Settings(webhook_urls="http://h/", webhook_secret="whsec_AAAAAAAAAAAAAAAAA"), "WEBHOOK_SECRET"),
        (Settings(alerts="nowhere.toml"), "ALERTS"),
    ],
)
async def test_what_is_wrong_with_the_settings_of_alerts_is_named(settings: Settings, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        await listeners.alerts(settings)


async def test_who_listens_to_traces_is_asked_to_take_none() -> None:
    with Collector() as collector:
        settings = Settings(
            otel_exporter_otlp_endpoint=collector.endpoint, otel_exporter_otlp_headers="X-Key=a%20secret,b=2"
        )
        assert shown(list(await listeners.traces(settings))) == {"traces": "ok"}
        assert (collector.headers[0]["x-key"], collector.headers[0]["b"], collector.spans) == ("a secret", "2", [])
        for status in (401, 404):
            collector.status = status
            found = list(await listeners.traces(settings))
            assert shown(found) == {"traces": "fail"}
            assert "a secret" not in repr(found)
    found = list(await listeners.traces(settings))  # it is gone
    assert (shown(found), exit_code(found)) == ({"traces": "warning"}, 1)


async def test_what_is_masked_and_who_counts_is_told() -> None:
    [masked] = await privacy.masked(Settings(redact="email", redact_stores="a=all"))
    assert masked.seen == "email; a: card, email, iban, ip, phone"
    [counted] = await rates(Settings(rate_events_per_second=5))
    assert (counted.state, counted.seen) == ("ok", "5 events a second a key, counted by each server for itself")
    [wrong] = await rates(Settings(rate_store="database"))
    assert wrong.state == "fail"
    with pytest.raises(SettingsError, match="REDACT_STORES"):
        await privacy.masked(Settings(redact_stores="a=everything"))
