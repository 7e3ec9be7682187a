"""What people deploy with says only what the service knows: commands, settings, ports, files, times."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from aura_analytics.app import SHUTDOWN_S
from aura_analytics.cli import cli
from aura_analytics.settings import Settings, describe, load

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
NGINX = ROOT / "deploy" / "nginx"
NAME = "aura-analytics"
# Names that belong to others: the interpreter, libpq, the images of the database and of the proxy.
FOREIGN = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PGPASSWORD"}
OURS = ["migrate", "server-1", "server-2", "evaluator-1", "evaluator-2"]
SERVERS = ["server-1", "server-2"]

# Any, throughout: what YAML can hold.
Service = dict[str, Any]


# Reading


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, each on one line."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line)]


def last(name: str) -> str:
    """What the image's last stage says."""
    return [rest for given, rest in instructions() if given == name][-1]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(last("ENV")))


def compose() -> dict[str, Any]:
    """The file with its variables as they are by default; one that has to be given is “given”."""
    text = (ROOT / "compose.yaml").read_text("utf-8")
    text = re.sub(r"\$\{\w+:\?[^}]*\}", "given", text)
    found: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return found


def services() -> dict[str, Service]:
    found: dict[str, Service] = compose()["services"]
    return found


def unit(path: Path) -> list[tuple[str, str]]:
    """The settings of a unit, in their order; one may stand there several times."""
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [(key, value) for key, _, value in (line.partition("=") for line in lines if line and line[0] not in "#[")]


def units() -> list[Path]:
    return sorted(UNITS.glob("*.service"))


def common() -> dict[str, str]:
    return dict(unit(UNITS / "aura-analytics-.service.d" / "10-common.conf"))


def settings_file(path: Path) -> dict[str, str]:
    """A file of settings, with those that are commented out."""
    lines = re.findall(r"^#?([A-Z_]+)=(.*)$", path.read_text("utf-8"), flags=re.MULTILINE)
    return dict(lines)


def upstreams(path: Path) -> dict[str, list[str]]:
    blocks = re.findall(r"upstream (\w+) \{(.*?)\}", path.read_text("utf-8"), flags=re.DOTALL)
    return {name: re.findall(r"^\s*server (\S+)", block, flags=re.MULTILINE) for name, block in blocks}


def seconds(value: str) -> int:
    return int(value.removesuffix("s"))


def commands() -> Iterator[list[str]]:
    """Every command line that something here starts."""
    yield json.loads(last("CMD"))
    yield from (service["command"] for name, service in services().items() if name in OURS)
    for path in units():
        for key, value in unit(path):
            if key == "ExecStart":
                program, *arguments = shlex.split(value.replace("%i", "8787"))
                assert program == f"/opt/{NAME}/bin/{NAME}"
                yield arguments


def settings_given() -> Iterator[Mapping[str, str]]:
    """Every set of settings that something here gives the service."""
    yield image_environment()
    yield from ({**image_environment(), **services()[name].get("environment", {})} for name in OURS)
    yield settings_file(UNITS / "environment.example")
    for path in units():
        yield dict(value.split("=", 1) for key, value in unit(path) if key == "Environment")


# Commands and settings


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_each_command_line_is_one_that_the_command_takes(arguments: list[str]) -> None:
    group = typer.main.get_command(cli)
    with group.make_context(NAME, list(arguments)) as context:
        name, command, rest = group.resolve_command(context, list(arguments))  # type: ignore[attr-defined]
        assert name == arguments[0]
        command.make_context(name, rest, parent=context).close()


@pytest.mark.parametrize("given", list(settings_given()))
def test_each_setting_is_one_and_its_value_is_possible(given: Mapping[str, str], tmp_path: Path) -> None:
    known = {setting.name for setting in describe()}
    assert set(given) - known - FOREIGN == set()
    assert isinstance(load({name: value.replace("%i", "1") for name, value in given.items()}, tmp_path), Settings)


def test_what_compose_asks_for_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text("utf-8")))
    assert set(settings_file(ROOT / "deploy" / "compose.env.example")) <= asked
    ours = {setting.name for setting in describe()} - {"GEMINI_API_KEY", "LOG_LEVEL"}
    assert not asked & ours, "a name in that file must not change what a command beside it does"


# The image


def test_the_image_runs_as_a_fixed_number_and_hears_signals_itself() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last("USER"))
    assert json.loads(last("ENTRYPOINT")) == [NAME]
    assert last("STOPSIGNAL") == "SIGTERM"


def test_all_that_the_image_writes_is_on_its_volume() -> None:
    volume = last("VOLUME")
    assert last("WORKDIR") == volume
    given = image_environment()
    assert given["AURA_DATABASE_URL"].startswith(f"sqlite:///{volume}/")
    assert given["AURA_COLUMNS_PATH"].startswith(f"{volume}/")


def test_the_builder_gets_what_it_copies_and_nothing_else() -> None:
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    assert sorted(copied) == sorted(let_in)
    assert all((ROOT / source).exists() for source in copied)
    assert not any(fnmatch(".env", rule) for rule in let_in)


def test_nothing_is_installed_but_by_its_hash() -> None:
    installs = [
        part for name, rest in instructions() if name == "RUN" for part in rest.split("&&") if " install " in part
    ]
    pip = [part for part in installs if "pip" in part]
    assert len(pip) == 3
    assert all("--require-hashes" in part or "--no-index" in part for part in pip)
    for lock in ("requirements-postgres.lock", "deploy/requirements-build.lock"):
        assert "--hash=sha256:" in (ROOT / lock).read_text("utf-8")


def test_what_builds_the_wheel_is_pinned() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    lock = (ROOT / "deploy" / "requirements-build.lock").read_text("utf-8")
    for requirement in needed:
        name = re.split(r"[^\w-]", requirement)[0]
        assert re.search(rf"^{name}==", lock, flags=re.MULTILINE)


# Ports and times


def test_the_ports_agree() -> None:
    port = last("EXPOSE")
    assert image_environment()["PORT"] == port
    for servers in upstreams(NGINX / "upstreams-compose.conf").values():
        assert servers == [f"{name}:{port}" for name in SERVERS]
    for servers in upstreams(NGINX / "upstreams-machine.conf").values():
        assert servers[0] == f"127.0.0.1:{port}"


def test_the_proxy_listens_where_compose_says() -> None:
    conf = (NGINX / "aura-analytics.conf").read_text("utf-8")
    listens = re.findall(r"listen (\d+);", conf)
    proxy = services()["proxy"]
    assert [mapping.rpartition(":")[2] for mapping in proxy["ports"]] == listens
    assert all(mapping.startswith("127.0.0.1:") for mapping in proxy["ports"]), "nothing is encrypted"
    address = next(part for part in proxy["healthcheck"]["test"] if part.startswith("http"))
    _, _, path = address.partition(f":{listens[0]}")
    assert f"location = {path} " in conf


def test_the_proxy_asks_the_servers_that_there_are() -> None:
    asked = set(re.findall(r"proxy_pass http://(\w+);", (NGINX / "aura-analytics.conf").read_text("utf-8")))
    files = sorted(NGINX.glob("upstreams-*.conf"))
    assert len(files) == 2
    assert all(set(upstreams(path)) == asked for path in files)


def test_the_proxy_takes_the_bodies_that_the_servers_take() -> None:
    size = re.search(r"client_max_body_size (\d+)m;", (NGINX / "aura-analytics.conf").read_text("utf-8"))
    assert size is not None
    assert int(size[1]) << 20 == Settings().ingest_max_batch_bytes


def test_nothing_is_killed_while_it_still_finishes() -> None:
    graces = [seconds(services()[name]["stop_grace_period"]) for name in [*OURS, "proxy"]]
    assert min([*graces, int(common()["TimeoutStopSec"])]) > SHUTDOWN_S
    assert common()["KillMode"] == "mixed", "the process of the columns ends with the main one, not before"


# Compose


@pytest.mark.parametrize("name", list(services()))
def test_no_container_can_do_more_than_it_must(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"memory", "cpus", "pids"}
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert name in OURS or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])


def test_everything_waits_for_the_migration() -> None:
    after = {"condition": "service_completed_successfully"}
    assert all(services()[name]["depends_on"]["migrate"] == after for name in OURS if name != "migrate")
    assert services()["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services()["migrate"]["command"] == ["migrate"]


def test_each_server_has_columns_of_its_own() -> None:
    volumes = [services()[name]["volumes"] for name in SERVERS]
    assert len({volume for mounted in volumes for volume in mounted}) == len(SERVERS)
    assert all(mounted[0].endswith(f":{last('VOLUME')}") for mounted in volumes)


def test_only_servers_are_asked_for_their_health() -> None:
    assert not any("healthcheck" in services()[name] for name in SERVERS), "the image's own"
    assert all(services()[name]["healthcheck"] == {"disable": True} for name in OURS if name not in SERVERS)


def test_the_password_of_the_database_has_no_default() -> None:
    text = (ROOT / "compose.yaml").read_text("utf-8")
    assert re.findall(r"PASSWORD: (.)\{DATABASE_PASSWORD(..)", text) == [("$", ":?"), ("$", ":?")]
    assert settings_file(ROOT / "deploy" / "compose.env.example")["DATABASE_PASSWORD"] == ""
    assert "compose.env" in (ROOT / "deploy" / ".gitignore").read_text("utf-8").splitlines()


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in services().items() if "ports" in service] == ["proxy"]
    networks = compose()["networks"]
    assert networks["rows"]["internal"] is networks["web"]["internal"] is True
    assert services()["database"]["networks"] == ["rows"]
    assert all("outside" not in services()[name]["networks"] for name in SERVERS)


def test_servers_ask_for_keys_and_believe_the_proxy_s_network_alone() -> None:
    [declared] = compose()["networks"]["web"]["ipam"]["config"]
    assert services()["proxy"]["networks"][0] == "web"
    for name in SERVERS:
        given = services()[name]["environment"]
        assert given["AUTH"] == "on"
        assert given["TRUSTED_PROXIES"] == declared["subnet"]
    assert "proxy_set_header X-Forwarded-For " in (NGINX / "aura-analytics.conf").read_text("utf-8")
    assert Settings().client_address_header == "x-forwarded-for"


def told_key_commands() -> Iterator[list[str]]:
    """Every command about keys that the guides tell."""
    for guide in ("deployment.md", "security.md"):
        for line in re.findall(
            r"\bkeys (?:create|list|rotate|revoke)\b[^\n`]*", (ROOT / "docs" / guide).read_text("utf-8")
        ):
            yield shlex.split(line)


@pytest.mark.parametrize("arguments", list(told_key_commands()), ids=" ".join)
def test_each_command_about_keys_is_one(arguments: list[str]) -> None:
    command: Any = typer.main.get_command(cli)  # Any: a group, and then what is in it
    context = command.make_context(NAME, ["keys"])
    for name in arguments[:2]:
        command = command.get_command(context, name)
    command.make_context(NAME, arguments[2:], parent=context).close()


def test_every_name_in_compose_is_declared() -> None:
    whole = compose()
    for service in whole["services"].values():
        assert set(service["networks"]) <= set(whole["networks"])
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in whole["volumes"]


# systemd


def test_all_units_share_what_hardens_them() -> None:
    prefix = (UNITS / "aura-analytics-.service.d").name.removesuffix(".service.d")
    assert len(units()) == 3
    assert all(path.name.startswith(prefix) for path in units())
    given = common()
    assert given["NoNewPrivileges"] == "yes"
    assert given["ProtectSystem"] == "strict"
    assert given["CapabilityBoundingSet"] == ""


def test_what_the_units_write_lies_in_their_own_folder() -> None:
    folder = f"/var/lib/{common()['StateDirectory']}"
    assert common()["WorkingDirectory"] == folder
    server = dict(unit(UNITS / "aura-analytics-server@.service"))
    assert server["Environment"] == f"AURA_COLUMNS_PATH={folder}/columns-%i.duckdb"
    example = settings_file(UNITS / "environment.example")
    assert "AURA_COLUMNS_PATH" not in example, "all servers would have the same"
    assert f"sqlite:///{folder}/aura.db" in (UNITS / "environment.example").read_text("utf-8")


def test_the_target_starts_and_stops_what_runs_on() -> None:
    for path in units():
        if "@" in path.name:
            assert ("PartOf", "aura-analytics.target") in unit(path)
            assert ("WantedBy", "aura-analytics.target") in unit(path)
            assert ("Restart", "on-failure") in unit(path)


# What is told


def test_the_guide_names_only_what_is_there() -> None:
    guide = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    named = set(re.findall(r"\b(?:deploy/[\w./*-]*\w|requirements[\w-]*\.lock)", guide)) - {"deploy/compose.env"}
    assert named
    assert all(any(ROOT.glob(path)) for path in named)
    drop_in = UNITS / "aura-analytics-.service.d" / "10-common.conf"
    assert "`aura-analytics-.service.d/10-common.conf`" in guide
    assert drop_in.is_file()


def test_the_guide_says_how_long_a_server_may_take_to_stop() -> None:
    assert f"for {SHUTDOWN_S} s" in (ROOT / "docs" / "deployment.md").read_text("utf-8")


def test_an_audit_that_could_look_nothing_up_fails() -> None:
    """Without `--strict` it says that nothing was found, and ends well, where no package could be looked up."""
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\naudit:")[2].partition("\n\n")[0]
    assert "pip-audit --strict" in recipe
    assert "|| exit 1" in recipe
