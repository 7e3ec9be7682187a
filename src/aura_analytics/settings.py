"""All settings, frozen: from the environment, then `.env`, then `.dev.vars` in the working directory.

The name of a setting in the environment is its field's name in capitals. A name that isn't known, or a value that is
impossible, stops the start with one line. The table in docs/settings.md is made from this class, and a test holds it
there. All of them stand in this one file, so that it is long: whoever looks for one looks here.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

from aura_analytics.errors import SettingsError

FILES = (".env", ".dev.vars")
# Names in the environment that are surely meant for us; in our own files every unknown name is a mistake.
OUR_PREFIXES = (
    "AURA_",
    "EVAL_",
    "INGEST_",
    "RATE_",
    "REDACT",
    "SERVE_",
    "STATS_",
    "ALERTS",
    "WEBHOOK_",
    "ARCHIVE_",
    "RETENTION_",
)
SECRETS = frozenset(
    {
        "aura_api_key",
        "gemini_api_key",
        "openai_api_key",
        "anthropic_api_key",
        "eval_api_key",
        "webhook_secret",
        "webhook_urls",
        "otel_exporter_otlp_headers",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
    }
)
CASELESS = frozenset(
    {
        "log_level",
        "log_format",
        "aura_evaluate",
        "aura_statistics",
        "auth",
        "client_address_header",
        "rate_store",
        "eval_budget_spent",
        "otel_traces_sampler",
        "retention_keep_totals",
    }
)

# What can be taken out of texts.
REDACTED = ("email", "phone", "card", "iban", "ip")

# What libpq reads as a URI, whole, so that a slip is told here, where no password is shown. A name and a password go up
# to the first “@”; there may be several hosts, or none (a socket's folder then stands among the parameters).
_HOST = r"(?:\[[^\s\[\]/?@]+\]|[^\s\[\]/?@:,]*)(?::\d*)?"
POSTGRES = rf"postgres(?:ql)?://(?!\S*%(?![0-9A-Fa-f]{{2}}))(?:[^\s/@]*@)?{_HOST}(?:,{_HOST})*(?:/[^\s/?@]*)?(?:\?\S*)?"


def _whole(least: int, most: int, what: str) -> Meta:
    return Meta(ge=least, le=most, description=what, extra={"takes": f"a whole number from {least} to {most}"})


def _seconds(least: float, most: float, what: str) -> Meta:
    return Meta(ge=least, le=most, description=what, extra={"takes": f"seconds, from {least:g} to {most:g}"})


def _rate(what: str) -> Meta:
    return Meta(ge=0, le=1e9, description=what, extra={"takes": "a number from 0 on"})


def _number(least: float, most: float, what: str) -> Meta:
    return Meta(ge=least, le=most, description=what, extra={"takes": f"a number from {least:g} to {most:g}"})


def _text(what: str, takes: str, pattern: str | None = None) -> Meta:
    return Meta(pattern=pattern, description=what, extra={"takes": takes})


def _choice(what: str, *values: str) -> Meta:
    return Meta(description=what, extra={"takes": "one of " + ", ".join(values)})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set, its defaults, and what it takes."""

    aura_database_url: Annotated[
        str,
        _text(
            "the row database",
            "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME",
            rf"^(sqlite:///.+|{POSTGRES}\Z)",
        ),
    ] = "sqlite:///data/aura.db"
    aura_pool_connections: Annotated[
        int, _whole(2, 1_000, "connections that one process keeps to PostgreSQL, at most")
    ] = 8
    aura_columns_path: Annotated[
        str,
        _text(
            "the columnar projection; by default beside the row database, or in `data/` where that is no file",
            "the path of a file",
        ),
    ] = ""
    aura_evaluate: Annotated[
        Literal["on", "off"], _choice("whether a server labels interactions itself", "on", "off")
    ] = "on"
    aura_statistics: Annotated[
        Literal["on", "off"], _choice("whether a server keeps statistics and answers with them", "on", "off")
    ] = "on"
    host: Annotated[str, _text("address to serve on", "a host name or address", r"^\S+$")] = "127.0.0.1"
    port: Annotated[int, _whole(0, 65_535, "port to serve on; 0 takes a free one")] = 8787
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _choice(
            "least severe log line that is written; commands but `serve` and `evaluate --watch` begin at warning",
            "debug",
            "info",
            "warning",
            "error",
        ),
    ] = "info"
    log_format: Annotated[
        Literal["auto", "console", "json"],
        _choice("form of the log; auto: for people on a terminal, JSON lines else", "auto", "console", "json"),
    ] = "auto"

    auth: Annotated[
        Literal["on", "off"],
        _choice("whether keys are asked for; off: everybody who reaches the address may do everything", "on", "off"),
    ] = "on"
    aura_api_key: Annotated[str, _text("the key that commands show to a server", "a key")] = ""
    trusted_proxies: Annotated[
        str, _text("proxies that are believed when they say whose request it is", "addresses and networks")
    ] = ""
    client_address_header: Annotated[
        Literal["x-forwarded-for", "cf-connecting-ip", "x-real-ip", "true-client-ip"],
        _choice("in which header they say it", "x-forwarded-for", "cf-connecting-ip", "x-real-ip", "true-client-ip"),
    ] = "x-forwarded-for"
    cors_allow_origins: Annotated[
        str, _text("other pages that may ask from a browser", "origins such as https://shop.example")
    ] = ""
    rate_requests_per_second: Annotated[
        float, _rate("requests that one key, or one address without a key, may send on average; 0: no limit")
    ] = 0
    rate_requests_burst: Annotated[int, _whole(0, 1_000_000_000, "and at once; 0: ten seconds' worth")] = 0
    rate_events_per_second: Annotated[float, _rate("events that one key may send on average; 0: no limit")] = 0
    rate_events_burst: Annotated[int, _whole(0, 1_000_000_000, "and at once; 0: ten seconds' worth")] = 0
    rate_store: Annotated[
        Literal["memory", "database"],
        _choice("who counts: each server for itself, or the PostgreSQL for all of them", "memory", "database"),
    ] = "memory"
    redact: Annotated[
        str,
        _text(
            "what is taken out of texts before they are stored",
            "email, phone, card, iban, ip, several of them, or nothing",
            r"^((email|phone|card|iban|ip)([, ]+(email|phone|card|iban|ip))*)?$",
        ),
    ] = ""
    redact_stores: Annotated[
        str,
        _text(
            "the same for single stores, in place of REDACT",
            "stores and what is taken out, such as shop-1=email,phone;shop-2=all, or JSON",
        ),
    ] = ""
    redact_phone_regions: Annotated[
        str,
        _text(
            "where telephone numbers without a country may be from",
            "ISO 3166 codes, such as US, DE",
            r"^([A-Z]{2}([, ]+[A-Z]{2})*)?$",
        ),
    ] = "US, GB, DE, FR, AT, CH, ES, IT, NL"

    gemini_api_key: Annotated[
        str, _text("key of the judge's model at Google; without any key the rules judge alone", "a key")
    ] = ""
    openai_api_key: Annotated[str, _text("key of the judge's model at OpenAI", "a key")] = ""
    anthropic_api_key: Annotated[str, _text("key of the judge's model at Anthropic", "a key")] = ""
    eval_api_key: Annotated[
        str, _text("key of the judge's model anywhere else; a server of one's own may need none", "a key")
    ] = ""
    eval_rules: Annotated[
        str, _text("the rules that label before a judge; by default those of the package", "the path of a TOML file")
    ] = ""
    eval_rubric: Annotated[
        str, _text("the judge's instructions; by default those of the package", "the path of a Markdown file")
    ] = ""
    eval_model: Annotated[
        str,
        _text(
            "the judge's model; a second one, after a comma, is asked where the first isn't sure",
            "provider:model, such as google:gemini-2.5-flash-lite, or two with a comma between",
            r"^[^:,\s]+:[^,\s]+(,[^:,\s]+:[^,\s]+)?$",
        ),
    ] = "google:gemini-2.5-flash-lite"
    eval_base_url: Annotated[
        str,
        _text(
            "where the judge's API answers, if not at the provider's; for two models two, with a comma between",
            "an http:// or https:// URL",
            r"^(https?://[^\s,]+(,(https?://[^\s,]+)?)?)?$",
        ),
    ] = ""
    eval_cascade_below: Annotated[
        float, _number(0, 1, "under this confidence of the first model the second one is asked")
    ] = 0.7
    eval_session_turns: Annotated[int, _whole(0, 20, "turns before it in its session that the judge is shown")] = 3
    eval_sample_rate: Annotated[
        float, _number(0, 1, "share that the judge is asked about of what the rules leave open; failures always are")
    ] = 1.0
    eval_daily_budget_usd: Annotated[
        float, _number(0, 1e6, "what the judge may cost in a day (UTC), in US dollars; 0: no limit")
    ] = 0.0
    eval_budget_spent: Annotated[
        Literal["wait", "leave"],
        _choice("what becomes of the rest when the day's money is spent: it waits, or is REVIEW", "wait", "leave"),
    ] = "wait"
    eval_price: Annotated[
        str,
        _text(
            "what the judge's model costs where that isn't known; for two models two, with a comma between",
            "US dollars for a million tokens of prompt and of answer, such as 0.10/0.40",
            r"^(\d+(\.\d+)?/\d+(\.\d+)?(,(\d+(\.\d+)?/\d+(\.\d+)?)?)?)?$",
        ),
    ] = ""
    eval_rpm: Annotated[
        int, _whole(0, 1_000_000, "requests a minute that all evaluators together make of a model; 0: no limit")
    ] = 0
    eval_tpm: Annotated[
        int, _whole(0, 1_000_000_000, "tokens a minute that all evaluators together make of a model; 0: no limit")
    ] = 0
    eval_batch_size: Annotated[int, _whole(1, 10_000, "interactions that are claimed at once")] = 50
    eval_concurrency: Annotated[int, _whole(1, 1_000, "calls of the judge in flight at once")] = 16
    eval_interval_seconds: Annotated[float, _seconds(0.05, 86_400, "pause between two looks for due interactions")] = 60
    eval_grace_seconds: Annotated[float, _seconds(0, 604_800, "how long a query waits for its outcome")] = 120
    eval_lease_seconds: Annotated[float, _seconds(1, 86_400, "after this a claim that wasn't kept is open again")] = 300
    eval_timeout_seconds: Annotated[float, _seconds(0.05, 600, "longest call of the judge")] = 30
    eval_retry_seconds: Annotated[
        float, _seconds(0, 86_400, "pause before an interaction is asked about again, doubled with each failure")
    ] = 30
    eval_max_attempts: Annotated[
        int, _whole(1, 100, "tries before an interaction rests in the list of failed ones")
    ] = 5

    ingest_max_event_bytes: Annotated[int, _whole(1_024, 1 << 30, "largest event")] = 1 << 20
    ingest_max_batch_bytes: Annotated[int, _whole(1_024, 1 << 30, "largest body, unpacked")] = 16 << 20
    ingest_max_events: Annotated[int, _whole(1, 1_000_000, "most events in one body")] = 10_000
    ingest_max_extra_bytes: Annotated[int, _whole(0, 1 << 30, "most JSON of the caller's own fields in one event")] = (
        8 << 10
    )
    ingest_queue_events: Annotated[
        int, _whole(1, 10_000_000, "events that may wait for the disk; beyond it the answer is 503")
    ] = 50_000
    ingest_queue_bytes: Annotated[
        int, _whole(1_024, 1 << 40, "bytes of bodies that may be in the process; beyond it the answer is 503")
    ] = 256 << 20

    serve_max_connections: Annotated[
        int, _whole(1, 1_000_000, "connections that a server has at once; beyond it the answer is 503")
    ] = 2_000
    serve_max_connections_per_address: Annotated[
        int, _whole(1, 1_000_000, "connections of one address that is no trusted proxy; beyond it the answer is 503")
    ] = 500
    serve_max_listeners_per_key: Annotated[
        int, _whole(1, 1_000_000, "listeners to `/stats/live` with one key; beyond it the answer is 429")
    ] = 50
    serve_max_url_bytes: Annotated[int, _whole(256, 1 << 20, "longest path with its query string")] = 8 << 10
    serve_max_headers: Annotated[int, _whole(10, 10_000, "most headers of a request")] = 100
    serve_max_header_bytes: Annotated[int, _whole(1_024, 1 << 20, "most bytes of all headers together")] = 32 << 10
    serve_head_seconds: Annotated[
        float, _seconds(0.1, 3_600, "how long a request line and headers may take to come")
    ] = 10
    serve_body_seconds: Annotated[
        float, _seconds(0.1, 3_600, "how long a body may take to come, beside what its size earns it")
    ] = 20
    serve_answer_seconds: Annotated[
        float, _seconds(0.1, 3_600, "how long a caller may take to read, beside what it has read earns it")
    ] = 60
    serve_min_bytes_per_second: Annotated[
        int, _whole(1, 1 << 30, "a body that comes, or an answer that is read, earns a second more by so many bytes")
    ] = 8 << 10

    stats_max_staleness_ms: Annotated[
        int, _whole(0, 86_400_000, "how old the statistics may be; 0: they hold all that was acknowledged before")
    ] = 0
    stats_conversion_window_hours: Annotated[
        float,
        Meta(
            gt=0,
            le=8_760,
            description="how long before a conversion the interaction may lie that it is owed to",
            extra={"takes": "hours, up to 8760"},
        ),
    ] = 24
    stats_memory_mb: Annotated[int, _whole(64, 1_048_576, "memory that the columns may take, in MiB")] = 320
    stats_threads: Annotated[int, _whole(1, 1_024, "threads that one statistic may use")] = 2

    archive_url: Annotated[
        str,
        _text(
            "where the archive's files lie; by default a folder beside the row database, or in `data/`",
            "a folder, file:///PATH or s3://BUCKET/PREFIX",
            r"^([^:]*|file:///.*|s3://[^\s/]+(/\S*)?)$",
        ),
    ] = ""
    archive_after_days: Annotated[
        int, _whole(0, 36_500, "whole days (UTC) older than so many are archived, once a day by a server; 0: never")
    ] = 0
    retention_days: Annotated[
        int, _whole(0, 36_500, "what is older than so many days is deleted, also from the archive; 0: nothing is")
    ] = 0
    retention_keep_totals: Annotated[
        Literal["on", "off"],
        _choice("whether the hourly totals (`voice_stats_hourly`) of what is deleted so are kept", "on", "off"),
    ] = "on"

    alerts: Annotated[
        str,
        _text("what is watched; by default what the package watches, if somebody is told", "the path of a TOML file"),
    ] = ""
    alerts_interval_seconds: Annotated[float, _seconds(0.05, 86_400, "pause between two looks at what is watched")] = 30
    webhook_urls: Annotated[
        str,
        _text(
            "who is told of alerts",
            "http:// or https:// URLs, with a comma or a space between",
            r"^(https?://[^\s,]+([, ]+https?://[^\s,]+)*)?$",
        ),
    ] = ""
    webhook_secret: Annotated[
        str,
        _text("what such messages are signed with", "whsec_ and base64", r"^(whsec_[A-Za-z0-9+/]{16,}={0,2})?$"),
    ] = ""

    otel_exporter_otlp_endpoint: Annotated[
        str,
        _text(
            "where traces go, by OTLP over HTTP; without it nothing is traced",
            "an http:// or https:// URL, which `/v1/traces` is put behind",
            r"^(https?://[^\s?#]+)?$",
        ),
    ] = ""
    otel_exporter_otlp_headers: Annotated[
        str,
        _text("headers that go with them", "NAME=VALUE, several with a comma between", r"^([^=,\s]+=[^,]*(,|$))*$"),
    ] = ""
    otel_service_name: Annotated[str, _text("what traces call this service", "a name without spaces", r"^\S+$")] = (
        "aura-analytics"
    )
    otel_traces_sampler: Annotated[
        Literal[
            "always_on",
            "always_off",
            "traceidratio",
            "parentbased_always_on",
            "parentbased_always_off",
            "parentbased_traceidratio",
        ],
        _choice(
            "what is traced; parentbased: of requests with a trace of their caller's what the caller traces",
            "always_on",
            "always_off",
            "traceidratio",
            "parentbased_always_on",
            "parentbased_always_off",
            "parentbased_traceidratio",
        ),
    ] = "parentbased_always_on"
    otel_traces_sampler_arg: Annotated[float, _number(0, 1, "share that traceidratio traces")] = 1.0
    # Other programs have these, too: what is wrong with them is said by the archive, and stops nobody who has none.
    aws_endpoint_url: Annotated[
        str, _text("where the object store of an archive answers, if not at AWS", "an http:// or https:// URL")
    ] = ""
    aws_region: Annotated[str, _text("its region", "a name, such as eu-central-1")] = ""
    aws_access_key_id: Annotated[
        str, _text("its key; by default what the machine's role at AWS is given", "a key's id")
    ] = ""
    aws_secret_access_key: Annotated[str, _text("the key's secret", "a secret")] = ""
    aws_session_token: Annotated[str, _text("what goes with a key that is lent for a time", "a token")] = ""

    analytics_worker_url: Annotated[str, _text("the caller's: where this service answers; not read here", "a URL")] = ""

    def __repr__(self) -> str:
        """Show no key and no password, wherever this is printed."""
        values = {name: _shown(str(getattr(self, name))) for name in self.__struct_fields__ if name not in SECRETS}
        return f"Settings({', '.join(f'{name}={value}' for name, value in values.items())})"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, as the documentation and the error messages show it."""

    name: str
    default: str
    description: str
    takes: str


def describe() -> list[Setting]:
    """List every setting in the order of the class."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    return [
        Setting(
            name=name.upper(),
            default=str(fields[name].default),
            description=meta.description or "",
            takes=(meta.extra or {})["takes"],
        )
        for name, meta in ((name, _meta(field.type)) for name, field in fields.items())
    ]


def load(
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    overrides: Mapping[str, str | None] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> Settings:
    """Read the settings.

    Args:
        environment: the process's own by default.
        directory: where `.env` and `.dev.vars` may lie; the working directory by default.
        overrides: values that go before all others, by the names of the environment; None is absence.
        defaults: values that come after all others.

    Raises:
        SettingsError: a name isn't known or a value is impossible.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, str] = dict(defaults or {})
    for file in reversed(FILES):
        values |= _from_file((directory or Path()) / file)
    known = {setting.name for setting in describe()}
    for name in environment:
        if name not in known and name.startswith(OUR_PREFIXES):
            raise _unknown(name, "the environment", known)
    values |= {name: environment[name] for name in known if name in environment}
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    given = {name.lower(): value.strip() for name, value in values.items() if value.strip()}
    return _parse({name: value.lower() if name in CASELESS else value for name, value in given.items()})


def _from_file(path: Path) -> dict[str, str]:
    """Read one file of settings; a missing one holds none."""
    if not path.is_file():
        return {}
    try:
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.name} can't be read: {type(error).__name__}") from error
    known = {setting.name for setting in describe()}
    for name in found:
        if name not in known:
            raise _unknown(name, path.name, known)
    return {name: value for name, value in found.items() if value is not None}


def _unknown(name: str, where: str, known: set[str]) -> SettingsError:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else "see the table in docs/settings.md"
    return SettingsError(f"{name} in {where} is no setting; {hint}")


def _parse(values: Mapping[str, str]) -> Settings:
    """Check the values one by one, so that the error names the setting and not a path into a structure."""
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError:
        for field in msgspec.structs.fields(Settings):
            if field.name not in values:
                continue
            try:
                msgspec.convert(values[field.name], field.type, strict=False)
            except msgspec.ValidationError as error:
                takes = (_meta(field.type).extra or {})["takes"]
                shown = "a value that is not shown" if field.name in SECRETS else f"“{_shown(values[field.name])}”"
                raise SettingsError(f"{field.name.upper()} is {shown}; it takes {takes}") from error
        raise


def _shown(value: str) -> str:
    """Leave names and passwords out of what may be a URL, wherever they stand and however wrong it is."""
    without = re.sub(r"^(\w[\w+.-]*://)?.*@", r"\1…@", value, flags=re.DOTALL)
    without = re.sub(r"(//[^/:@\s]*:)(?!\d+(?:[/?]|$)).*", r"\1…", without, flags=re.DOTALL)  # the host is missing
    return re.sub(r"(password\s*=\s*)('[^']*'?|[^&\s]*)", r"\1…", without, flags=re.IGNORECASE)


def _meta(annotated: Any) -> Meta:  # Any: a type's annotation
    meta: Meta = annotated.__metadata__[0]
    return meta
