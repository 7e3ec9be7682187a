"""The settings: where each comes from, in which order, and what a wrong one says."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from aura_analytics import settings
from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings, describe, load

Write = Callable[[str, str], None]

# Every setting: a value as it is written, and what is made of it. Any: numbers and texts.
GIVEN: dict[str, tuple[str, Any]] = {
    "AURA_DATABASE_URL": ("sqlite:///elsewhere.db", "sqlite:///elsewhere.db"),
    "AURA_POOL_CONNECTIONS": ("3", 3),
    "AURA_COLUMNS_PATH": ("columns.duckdb", "columns.duckdb"),
    "AURA_EVALUATE": ("off", "off"),
    "AURA_STATISTICS": ("off", "off"),
    "HOST": ("0.0.0.0", "0.0.0.0"),
    "PORT": ("9000", 9000),
    "LOG_LEVEL": ("warning", "warning"),
    "LOG_FORMAT": ("json", "json"),
    "AUTH": ("off", "off"),
    "AURA_API_KEY": ("aura_sk_key", "aura_sk_key"),
    "TRUSTED_PROXIES": ("10.0.0.0/8", "10.0.0.0/8"),
    "CLIENT_ADDRESS_HEADER": ("cf-connecting-ip", "cf-connecting-ip"),
    "CORS_ALLOW_ORIGINS": ("https://shop.example", "https://shop.example"),
    "RATE_REQUESTS_PER_SECOND": ("2.5", 2.5),
    "RATE_REQUESTS_BURST": ("50", 50),
    "RATE_EVENTS_PER_SECOND": ("1000.5", 1000.5),
    "RATE_EVENTS_BURST": ("5000", 5_000),
    "RATE_STORE": ("database", "database"),
    "REDACT": ("email, phone", "email, phone"),
    "REDACT_STORES": ("shop-1=email;shop-2=all", "shop-1=email;shop-2=all"),
    "REDACT_PHONE_REGIONS": ("JP", "JP"),
    "GEMINI_API_KEY": ("AIza-key", "AIza-key"),
    "OPENAI_API_KEY": ("sk-key", "sk-key"),
    "ANTHROPIC_API_KEY": ("sk-ant-key", "sk-ant-key"),
    "EVAL_API_KEY": ("any-key", "any-key"),
    "EVAL_RULES": ("rules.toml", "rules.toml"),
    "EVAL_RUBRIC": ("ours.md", "ours.md"),
    "EVAL_MODEL": ("google:gemini-2.5-pro", "google:gemini-2.5-pro"),
    "EVAL_BASE_URL": ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1"),
    "EVAL_CASCADE_BELOW": ("0.9", 0.9),
    "EVAL_SESSION_TURNS": ("0", 0),
    "EVAL_SAMPLE_RATE": ("0.25", 0.25),
    "EVAL_DAILY_BUDGET_USD": ("2.5", 2.5),
    "EVAL_BUDGET_SPENT": ("leave", "leave"),
    "EVAL_PRICE": ("0.10/0.40,1.25/10", "0.10/0.40,1.25/10"),
    "EVAL_RPM": ("60", 60),
    "EVAL_TPM": ("100000", 100_000),
    "EVAL_BATCH_SIZE": ("7", 7),
    "EVAL_CONCURRENCY": ("8", 8),
    "EVAL_INTERVAL_SECONDS": ("0.5", 0.5),
    "EVAL_GRACE_SECONDS": ("90", 90.0),
    "EVAL_LEASE_SECONDS": ("61.5", 61.5),
    "EVAL_TIMEOUT_SECONDS": ("3", 3.0),
    "EVAL_RETRY_SECONDS": ("5", 5.0),
    "EVAL_MAX_ATTEMPTS": ("2", 2),
    "INGEST_MAX_EVENT_BYTES": ("2048", 2048),
    "INGEST_MAX_BATCH_BYTES": ("4096", 4096),
    "INGEST_MAX_EVENTS": ("3", 3),
    "INGEST_MAX_EXTRA_BYTES": ("0", 0),
    "INGEST_QUEUE_EVENTS": ("10", 10),
    "INGEST_QUEUE_BYTES": ("2048", 2048),
    "SERVE_MAX_CONNECTIONS": ("10", 10),
    "SERVE_MAX_CONNECTIONS_PER_ADDRESS": ("5", 5),
    "SERVE_MAX_LISTENERS_PER_KEY": ("2", 2),
    "SERVE_MAX_URL_BYTES": ("512", 512),
    "SERVE_MAX_HEADERS": ("20", 20),
    "SERVE_MAX_HEADER_BYTES": ("2048", 2048),
    "SERVE_HEAD_SECONDS": ("1.5", 1.5),
    "SERVE_BODY_SECONDS": ("2.5", 2.5),
    "SERVE_ANSWER_SECONDS": ("3.5", 3.5),
    "SERVE_MIN_BYTES_PER_SECOND": ("100", 100),
    "STATS_MAX_STALENESS_MS": ("1500", 1500),
    "STATS_CONVERSION_WINDOW_HOURS": ("0.5", 0.5),
    "STATS_MEMORY_MB": ("64", 64),
    "STATS_THREADS": ("1", 1),
    "ARCHIVE_URL": ("file:///srv/archive", "file:///srv/archive"),
    "ARCHIVE_AFTER_DAYS": ("30", 30),
    "RETENTION_DAYS": ("400", 400),
    "RETENTION_KEEP_TOTALS": ("off", "off"),
    "ALERTS": ("alerts.toml", "alerts.toml"),
    "ALERTS_INTERVAL_SECONDS": ("5", 5.0),
    "WEBHOOK_URLS": ("https://a.example/x, https://b.example", "https://a.example/x, https://b.example"),
    "WEBHOOK_SECRET": ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
    "OTEL_EXPORTER_OTLP_HEADERS": ("x-key=a%20b,c=d", "x-key=a%20b,c=d"),
    "OTEL_SERVICE_NAME": ("shop", "shop"),
    "OTEL_TRACES_SAMPLER": ("Parentbased_TraceIdRatio", "parentbased_traceidratio"),
    "OTEL_TRACES_SAMPLER_ARG": ("0.1", 0.1),
    "AWS_ENDPOINT_URL": ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    "AWS_REGION": ("eu-central-1", "eu-central-1"),
    "AWS_ACCESS_KEY_ID": ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    "AWS_SECRET_ACCESS_KEY": ("a secret", "a secret"),
    "AWS_SESSION_TOKEN": ("a token", "a token"),
    "ANALYTICS_WORKER_URL": ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
}
IMPOSSIBLE = (
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318", "an http:// or https:// URL, which `/v1/traces` is put behind"),
    ("OTEL_SERVICE_NAME", "two words", "a name without spaces"),
    (
        "OTEL_TRACES_SAMPLER",
        "jaeger_remote",
        "one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio",
    ),
    ("OTEL_TRACES_SAMPLER_ARG", "2", "a number from 0 to 1"),
    ("AURA_DATABASE_URL", "data/aura.db", "sqlite:///PATH"),
    ("AURA_DATABASE_URL", "sqlite:///", "sqlite:///PATH"),
    ("AURA_DATABASE_URL", "postgresql:db/aura", "sqlite:///PATH or postgresql://"),
    ("AURA_DATABASE_URL", "postgresql://two words/aura", "sqlite:///PATH or postgresql://"),
    ("AURA_DATABASE_URL", "postgresql://db/au%ra", "sqlite:///PATH or postgresql://"),
    ("AURA_DATABASE_URL", "mysql://db/aura", "sqlite:///PATH or postgresql://"),
    ("AURA_POOL_CONNECTIONS", "1", "a whole number from 2 to 1000"),
    ("AURA_EVALUATE", "yes", "one of on, off"),
    ("AURA_STATISTICS", "0", "one of on, off"),
    ("AUTH", "no", "one of on, off"),
    ("CLIENT_ADDRESS_HEADER", "forwarded", "one of x-forwarded-for, cf-connecting-ip"),
    ("RATE_REQUESTS_PER_SECOND", "-1", "a number from 0 on"),
    ("RATE_REQUESTS_PER_SECOND", "nan", "a number from 0 on"),
    ("RATE_REQUESTS_BURST", "1.5", "a whole number from 0"),
    ("RATE_EVENTS_PER_SECOND", "many", "a number from 0 on"),
    ("RATE_EVENTS_BURST", "-1", "a whole number from 0"),
    ("RATE_STORE", "redis", "one of memory, database"),
    ("REDACT", "names", "email, phone, card, iban, ip"),
    ("REDACT", "email,", "email, phone, card, iban, ip"),
    ("REDACT_PHONE_REGIONS", "Germany", "ISO 3166 codes"),
    ("HOST", "two words", "a host name or address"),
    ("PORT", "-1", "a whole number from 0 to 65535"),
    ("PORT", "65536", "a whole number from 0 to 65535"),
    ("PORT", "http", "a whole number from 0 to 65535"),
    ("PORT", "80.5", "a whole number from 0 to 65535"),
    ("PORT", "null", "a whole number from 0 to 65535"),
    ("PORT", "true", "a whole number from 0 to 65535"),
    ("PORT", "9" * 5_000, "a whole number from 0 to 65535"),
    ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
    ("LOG_LEVEL", "critical", "one of debug, info, warning, error"),
    ("LOG_FORMAT", "xml", "one of auto, console, json"),
    ("EVAL_MODEL", "gemini", "provider:model"),
    ("EVAL_MODEL", "google:", "provider:model"),
    ("EVAL_MODEL", "google:a,b", "provider:model"),
    ("EVAL_MODEL", "google:a,google:b,google:c", "provider:model"),
    ("EVAL_PRICE", "0.10", "US dollars for a million tokens"),
    ("EVAL_PRICE", "a/b", "US dollars for a million tokens"),
    ("EVAL_CASCADE_BELOW", "1.1", "a number from 0 to 1"),
    ("EVAL_SAMPLE_RATE", "nan", "a number from 0 to 1"),
    ("EVAL_DAILY_BUDGET_USD", "-1", "a number from 0 to 1e+06"),
    ("EVAL_SESSION_TURNS", "21", "a whole number from 0 to 20"),
    ("EVAL_RPM", "-1", "a whole number from 0 to 1000000"),
    ("EVAL_TPM", "many", "a whole number from 0 to 1000000000"),
    ("EVAL_RETRY_SECONDS", "-1", "seconds, from"),
    ("EVAL_BUDGET_SPENT", "stop", "one of wait, leave"),
    ("EVAL_BASE_URL", "127.0.0.1:80", "an http:// or https:// URL"),
    ("EVAL_BASE_URL", "ftp://127.0.0.1", "an http:// or https:// URL"),
    ("EVAL_BATCH_SIZE", "0", "a whole number from 1 to 10000"),
    ("EVAL_BATCH_SIZE", "10001", "a whole number from 1 to 10000"),
    ("EVAL_CONCURRENCY", "0", "a whole number from 1 to 1000"),
    ("EVAL_INTERVAL_SECONDS", "0", "seconds, from 0.05 to 86400"),
    ("EVAL_INTERVAL_SECONDS", "nan", "seconds, from 0.05 to 86400"),
    ("EVAL_INTERVAL_SECONDS", "inf", "seconds, from 0.05 to 86400"),
    ("EVAL_INTERVAL_SECONDS", "1m", "seconds, from 0.05 to 86400"),
    ("EVAL_GRACE_SECONDS", "-1", "seconds, from 0 to 604800"),
    ("EVAL_LEASE_SECONDS", "0.9", "seconds, from 1 to 86400"),
    ("EVAL_TIMEOUT_SECONDS", "601", "seconds, from 0.05 to 600"),
    ("EVAL_MAX_ATTEMPTS", "0", "a whole number from 1 to 100"),
    ("INGEST_MAX_EVENT_BYTES", "1023", "a whole number from 1024"),
    ("INGEST_MAX_EVENT_BYTES", "1MB", "a whole number from 1024"),
    ("INGEST_MAX_BATCH_BYTES", "0", "a whole number from 1024"),
    ("INGEST_MAX_EVENTS", "0", "a whole number from 1"),
    ("INGEST_MAX_EXTRA_BYTES", "-1", "a whole number from 0"),
    ("INGEST_QUEUE_EVENTS", "0", "a whole number from 1"),
    ("INGEST_QUEUE_BYTES", "1", "a whole number from 1024"),
    ("SERVE_MAX_CONNECTIONS", "0", "a whole number from 1"),
    ("SERVE_MAX_CONNECTIONS_PER_ADDRESS", "0", "a whole number from 1"),
    ("SERVE_MAX_LISTENERS_PER_KEY", "0", "a whole number from 1"),
    ("SERVE_MAX_URL_BYTES", "1", "a whole number from 256"),
    ("SERVE_MAX_HEADERS", "1", "a whole number from 10"),
    ("SERVE_MAX_HEADER_BYTES", "1", "a whole number from 1024"),
    ("SERVE_HEAD_SECONDS", "0", "seconds, from 0.1"),
    ("SERVE_BODY_SECONDS", "0", "seconds, from 0.1"),
    ("SERVE_ANSWER_SECONDS", "0", "seconds, from 0.1"),
    ("SERVE_MIN_BYTES_PER_SECOND", "0", "a whole number from 1"),
    ("STATS_MAX_STALENESS_MS", "-1", "a whole number from 0 to 86400000"),
    ("STATS_CONVERSION_WINDOW_HOURS", "0", "hours, up to 8760"),
    ("STATS_MEMORY_MB", "63", "a whole number from 64 to 1048576"),
    ("STATS_THREADS", "0", "a whole number from 1 to 1024"),
    ("ARCHIVE_URL", "ftp://host/archive", "a folder, file:///PATH or s3://BUCKET/PREFIX"),
    ("ARCHIVE_AFTER_DAYS", "-1", "a whole number from 0 to 36500"),
    ("RETENTION_DAYS", "soon", "a whole number from 0 to 36500"),
    ("RETENTION_KEEP_TOTALS", "yes", "one of on, off"),
    ("ALERTS_INTERVAL_SECONDS", "0", "seconds, from 0.05 to 86400"),
)
SOURCES = ("environment", ".env", ".dev.vars")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of settings."""

    def write(name: str, text: str) -> None:
        (tmp_path / name).write_text(text, encoding="utf-8")

    return write


def message_of(environment: dict[str, str], folder: Path) -> str:
    with pytest.raises(SettingsError) as error:
        load(environment, folder)
    return str(error.value)


class TestSources:
    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize("name", GIVEN)
    def test_every_setting_is_read_from_every_source(
        self, tmp_path: Path, write: Write, source: str, name: str
    ) -> None:
        written, meant = GIVEN[name]
        environment = {name: written} if source == "environment" else {}
        if not environment:
            write(source, f"{name}={written}\n")

        found = load(environment, tmp_path)

        value = getattr(found, name.lower())
        assert (value, type(value)) == (meant, type(meant))
        assert value != getattr(Settings(), name.lower())
        assert msgspec.structs.replace(found, **{name.lower(): getattr(Settings(), name.lower())}) == Settings()

    def test_these_tests_give_every_setting_there_is(self) -> None:
        assert list(GIVEN) == [setting.name for setting in describe()]

    def test_nothing_given_is_the_defaults(self, tmp_path: Path) -> None:
        assert load({}, tmp_path) == Settings()

    @pytest.mark.parametrize(
        ("name", "default"),
        [
            ("aura_database_url", "sqlite:///data/aura.db"),
            ("host", "127.0.0.1"),
            ("port", 8787),
            ("log_level", "info"),
            ("gemini_api_key", ""),
            ("eval_batch_size", 50),
            ("ingest_max_event_bytes", 1024 * 1024),
            ("ingest_max_batch_bytes", 16 * 1024 * 1024),
            ("ingest_max_events", 10_000),
            ("ingest_max_extra_bytes", 8 * 1024),
            ("stats_max_staleness_ms", 0),
            ("stats_conversion_window_hours", 24),
        ],
    )
    def test_the_defaults_are_the_contracts(self, name: str, default: object) -> None:
        assert getattr(Settings(), name) == default

    def test_the_environment_goes_before_env_and_env_before_dev_vars(self, tmp_path: Path, write: Write) -> None:
        write(".dev.vars", "PORT=3\nHOST=dev\nEVAL_BATCH_SIZE=3\n")
        write(".env", "PORT=2\nHOST=env\n")

        found = load({"PORT": "1"}, tmp_path)

        assert (found.port, found.host, found.eval_batch_size) == (1, "env", 3)

    def test_overrides_go_before_all_and_defaults_after_all(self, tmp_path: Path, write: Write) -> None:
        write(".dev.vars", "EVAL_BATCH_SIZE=3\n")

        found = load(
            {"PORT": "1", "HOST": "here"},
            tmp_path,
            overrides={"PORT": "5", "HOST": None},
            defaults={"PORT": "6", "EVAL_BATCH_SIZE": "6", "LOG_LEVEL": "error"},
        )

        assert (found.port, found.host, found.eval_batch_size, found.log_level) == (5, "here", 3, "error")

    def test_the_process_own_environment_and_folder_are_read(
        self, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in GIVEN:
            monkeypatch.delenv(name, raising=False)
        write(".dev.vars", "HOST=from-the-folder")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PORT", "4711")

        found = load()

        assert (found.port, found.host) == (4711, "from-the-folder")
        assert os.environ["PORT"] == "4711"
        assert "HOST" not in os.environ

    @pytest.mark.parametrize(
        "text",
        [
            "PORT=9",
            "export PORT=9",
            "PORT = 9",
            "PORT='9'",
            'PORT="9"',
            "# of the guide\n\nPORT=9 # ours\r\n",
            "PORT=8\nPORT=9",
        ],
    )
    @pytest.mark.parametrize("file", [".env", ".dev.vars"])
    def test_files_are_written_as_people_write_them(self, tmp_path: Path, write: Write, file: str, text: str) -> None:
        write(file, text)

        assert load({}, tmp_path).port == 9

    def test_a_dollar_in_a_file_is_a_dollar(self, tmp_path: Path, write: Write) -> None:
        write(".env", "GEMINI_API_KEY=a${HOME}b$PORT\n")

        assert load({"HOME": "/root"}, tmp_path).gemini_api_key == "a${HOME}b$PORT"

    @pytest.mark.parametrize("empty", ["", " ", "\t"])
    def test_an_empty_value_is_none(self, tmp_path: Path, empty: str) -> None:
        assert load(dict.fromkeys(GIVEN, empty), tmp_path) == Settings()

    def test_space_around_a_value_is_none_of_it(self, tmp_path: Path) -> None:
        assert load({"PORT": " 9 ", "HOST": "here\n"}, tmp_path) == Settings(port=9, host="here")

    @pytest.mark.parametrize("level", ["INFO", "Warning", "debug"])
    def test_the_case_of_a_level_does_not_matter(self, tmp_path: Path, level: str) -> None:
        assert load({"LOG_LEVEL": level, "LOG_FORMAT": "JSON"}, tmp_path).log_level == level.lower()

    def test_the_case_of_a_switch_does_not_matter(self, tmp_path: Path) -> None:
        assert load({"AURA_EVALUATE": "OFF", "AURA_STATISTICS": "On"}, tmp_path).aura_evaluate == "off"

    def test_a_folder_of_that_name_is_no_file_of_settings(self, tmp_path: Path) -> None:
        (tmp_path / ".env").mkdir()

        assert load({}, tmp_path) == Settings()

    def test_settings_can_not_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            Settings().port = 1  # type: ignore[misc]  # that is the point


class TestUnknownNames:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("EVAL_BATCHSIZE", "EVAL_BATCH_SIZE"),
            ("AURA_DATABASE", "AURA_DATABASE_URL"),
            ("STATS_THREAD", "STATS_THREADS"),
            ("INGEST_MAX_EVENT", "INGEST_MAX_EVENTS"),
        ],
    )
    def test_one_in_the_environment_that_is_surely_ours_is_named(self, tmp_path: Path, name: str, meant: str) -> None:
        message = message_of({name: "1"}, tmp_path)

        assert message == f"{name} in the environment is no setting; did you mean {meant}?"

    @pytest.mark.parametrize("file", [".env", ".dev.vars"])
    @pytest.mark.parametrize("name", ["PROT", "GEMINI_KEY", "port", "Port"])
    def test_every_one_in_our_files_is_named_with_its_file(
        self, tmp_path: Path, write: Write, file: str, name: str
    ) -> None:
        write(file, f"{name}=secret-value\n")

        message = message_of({}, tmp_path)

        assert message.startswith(f"{name} in {file} is no setting; ")
        assert "secret-value" not in message

    def test_one_that_is_like_none_of_ours_leads_to_the_table(self, tmp_path: Path, write: Write) -> None:
        write(".env", "XYZZY=1\n")

        assert message_of({}, tmp_path) == "XYZZY in .env is no setting; see the table in docs/settings.md"

    @pytest.mark.parametrize("name", ["PATH", "PORTS", "LOG", "GEMINI", "HOSTNAME", "aura_port", "XEVAL_X"])
    def test_other_peoples_names_in_the_environment_are_theirs(self, tmp_path: Path, name: str) -> None:
        assert load({name: "anything"}, tmp_path) == Settings()

    def test_a_file_that_is_no_text_is_named(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")

        message = message_of({}, tmp_path)

        assert message.startswith(".env can't be read")
        assert str(tmp_path) not in message


class TestImpossibleValues:
    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize(("name", "value", "takes"), IMPOSSIBLE)
    def test_the_message_is_one_line_that_names_the_setting_and_what_it_takes(
        self, *, tmp_path: Path, write: Write, source: str, name: str, value: str, takes: str
    ) -> None:
        if source != "environment":
            write(source, f"{name}={value}\n")

        message = message_of({name: value} if source == "environment" else {}, tmp_path)

        assert message.startswith(f"{name} is “{value}”; it takes {takes}")
        assert "\n" not in message

    def test_every_setting_that_can_be_wrong_is_tried_here(self) -> None:
        # Any text may be a path, a key, or the caller's own affair.
        paths = {"AURA_COLUMNS_PATH", "EVAL_RULES", "EVAL_RUBRIC", "ALERTS"}
        # Read by the guard and the ingest, whose own tests try them.
        guards = {"TRUSTED_PROXIES", "CORS_ALLOW_ORIGINS", "REDACT_STORES"}
        free = (
            paths
            | guards
            | {name.upper() for name in settings.SECRETS}
            | {"ANALYTICS_WORKER_URL", "AWS_ENDPOINT_URL", "AWS_REGION"}
        )

        assert {name for name, _, _ in IMPOSSIBLE} == set(GIVEN) - free

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "0"),
            ("PORT", "65535"),
            ("EVAL_BATCH_SIZE", "1"),
            ("EVAL_BATCH_SIZE", "10000"),
            ("EVAL_INTERVAL_SECONDS", "0.05"),
            ("EVAL_GRACE_SECONDS", "0"),
            ("EVAL_GRACE_SECONDS", "604800"),
            ("INGEST_MAX_EXTRA_BYTES", "0"),
            ("EVAL_BASE_URL", "https://127.0.0.1/v1beta"),
            ("HOST", "::1"),
        ],
    )
    def test_the_bounds_themselves_are_possible(self, tmp_path: Path, name: str, value: str) -> None:
        assert str(getattr(load({name: value}, tmp_path), name.lower())).removesuffix(".0") == value

    def test_a_key_is_never_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Any text is a key today; another setting stands in for the day when that changes.
        monkeypatch.setattr(settings, "SECRETS", frozenset({"port"}))

        message = message_of({"PORT": "AIza-very-secret"}, tmp_path)

        assert message == "PORT is a value that is not shown; it takes a whole number from 0 to 65535"

    def test_the_key_of_the_judge_is_a_secret(self) -> None:
        assert "gemini_api_key" in settings.SECRETS

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("AURA_DATABASE_URL", "mysql://aura:very-secret@db/aura"),
            ("AURA_DATABASE_URL", "postgresql:/aura:very-secret@db/aura"),
            ("AURA_DATABASE_URL", "postgresql://aura:very-secret@db:five/aura"),
            ("AURA_DATABASE_URL", "postgresql://aura:very-secret@[::1/aura"),
            ("AURA_DATABASE_URL", "postgresql://aura:very-secret%zz@db/aura"),
            ("AURA_DATABASE_URL", "postgresql://aura:very/secret very-secret@db/aura"),
            ("AURA_DATABASE_URL", "postgresql://aura:at@very-secret@db/aura"),
            ("AURA_DATABASE_URL", "postgresql://aura:very-secret"),
            ("AURA_DATABASE_URL", "postgresql://aura:very/very-secret"),
            ("AURA_DATABASE_URL", "aura:very-secret@db/aura"),
            ("AURA_DATABASE_URL", "postgresql://db:x/aura?user=aura&password=very-secret"),
            ("AURA_DATABASE_URL", "host=db user=aura password=very-secret"),
            ("AURA_DATABASE_URL", "host=db password = 'not that very-secret'"),
            ("EVAL_BASE_URL", "ftp://aura:very-secret@proxy/"),
        ],
    )
    def test_a_password_in_a_url_is_never_shown(self, tmp_path: Path, name: str, value: str) -> None:
        message = message_of({name: value}, tmp_path)

        assert message.startswith(name)
        assert "very-secret" not in message

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://db/aura",
            "postgres://aura:secret@db:5432/aura?sslmode=require",
            "postgresql://aura:se%2Fcret@[::1]:5432/aura",
            "postgresql://one:5432,two/aura?target_session_attrs=read-write",
            "postgresql:///aura?host=/var/run/postgresql",
            "postgresql://postgres:@/aura?host=/tmp/a%20folder",
            "postgresql://",
        ],
    )
    def test_what_names_a_postgresql_database_is_possible(self, tmp_path: Path, url: str) -> None:
        assert load({"AURA_DATABASE_URL": url}, tmp_path).aura_database_url == url

    def test_printing_all_of_them_shows_neither_key_nor_password(self, tmp_path: Path) -> None:
        url = "postgresql://aura:very-secret@db/aura?password=very-secret"
        found = load({"AURA_DATABASE_URL": url, "GEMINI_API_KEY": "very-secret"}, tmp_path)

        assert "very-secret" not in f"{found} {found!r}"
        assert "db/aura" in repr(found)

    @examples(max_examples=200, deadline=None)
    @given(st.sampled_from(sorted(GIVEN)), st.text(max_size=20))
    def test_any_text_is_a_value_or_an_error_that_names_the_setting(self, name: str, text: str) -> None:
        try:
            load({name: text}, Path("/nowhere"))
        except SettingsError as error:
            assert str(error).startswith(f"{name} is ")  # noqa: PT017 (it need not come at all)
            assert "; it takes " in str(error)  # noqa: PT017 (see above)


class TestDescription:
    def test_every_setting_is_described_in_the_order_of_the_class(self) -> None:
        assert [setting.name for setting in describe()] == [name.upper() for name in Settings.__struct_fields__]

    @pytest.mark.parametrize("setting", describe(), ids=lambda setting: setting.name)
    def test_a_description_says_what_it_is_and_what_it_takes(self, setting: settings.Setting) -> None:
        assert setting.description
        assert setting.takes
        assert setting.default == str(getattr(Settings(), setting.name.lower()))
        assert "\n" not in setting.description + setting.takes

    @pytest.mark.parametrize("setting", describe(), ids=lambda setting: setting.name)
    def test_a_default_is_possible_itself(self, tmp_path: Path, setting: settings.Setting) -> None:
        assert load({setting.name: setting.default}, tmp_path) == Settings()

    def test_no_secret_has_a_default(self) -> None:
        assert all(setting.default == "" for setting in describe() if setting.name.lower() in settings.SECRETS)
