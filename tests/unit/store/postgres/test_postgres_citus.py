"""Spreading the tables over a cluster. The extension is one of ours that notes what it is asked, as Citus is heavy."""

from collections.abc import Iterator

import pytest

from aura_analytics.store.postgres import migrate
from aura_analytics.store.postgres.citus import DISTRIBUTED
from own_postgres import OwnPostgres

CONTROL = "default_version = '1.0'\nrelocatable = false\nschema = pg_catalog\n"
# As Citus has them: the function with its names and order, and the table as far as it is looked at.
EXTENSION = """
CREATE TYPE distribution_type AS ENUM ('hash', 'range', 'append');
CREATE TABLE public.pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char" NOT NULL, partkey text);
CREATE TABLE public.asked (n serial, table_name text, distribution_column text, colocate_with text);
CREATE FUNCTION public.create_distributed_table(
    table_name regclass, distribution_column text, distribution_type distribution_type DEFAULT 'hash',
    colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM public.pg_dist_partition WHERE logicalrelid = table_name) THEN
        RAISE EXCEPTION 'table "%" is already distributed', table_name USING ERRCODE = '42P16';
    END IF;
    IF colocate_with NOT IN ('default', 'none') AND NOT EXISTS (
        SELECT 1 FROM public.pg_dist_partition WHERE logicalrelid = CAST(colocate_with AS regclass)
    ) THEN
        RAISE EXCEPTION 'relation % is not distributed', colocate_with USING ERRCODE = '42P16';
    END IF;
    IF current_setting('fake.breaks_at', true) = CAST(table_name AS text) THEN
        RAISE EXCEPTION 'a node is away' USING ERRCODE = '08006';
    END IF;
    INSERT INTO public.pg_dist_partition VALUES (table_name, 'h', distribution_column);
    INSERT INTO public.asked (table_name, distribution_column, colocate_with)
    VALUES (CAST(table_name AS text), distribution_column, colocate_with);
END $$;
GRANT ALL ON public.pg_dist_partition, public.asked, public.asked_n_seq TO PUBLIC;
"""
TOLD = [(table, column, "none" if table == "voice_queries" else "voice_queries") for table, column in DISTRIBUTED]


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnPostgres]:
    """A server that has the extension to offer."""
    with OwnPostgres() as server:
        folder = server.home / "more" / "extension"
        folder.mkdir(parents=True)
        (folder / "citus.control").write_text(CONTROL, "utf-8")
        (folder / "citus--1.0.sql").write_text(EXTENSION, "utf-8")
        server.set("extension_control_path", f"$system:{folder.parent}")
        yield server


@pytest.fixture
def url(cluster: OwnPostgres) -> Iterator[str]:
    yield cluster.create("spread")
    cluster.execute("DROP DATABASE spread WITH (FORCE)")


@pytest.fixture
def _is_a_cluster(cluster: OwnPostgres, url: str) -> None:  # noqa: ARG001 (made first)
    cluster.execute("CREATE EXTENSION citus", "spread")


def asked(cluster: OwnPostgres) -> list[tuple[str, str, str]]:
    return cluster.execute("SELECT table_name, distribution_column, colocate_with FROM asked ORDER BY n", "spread")


@pytest.mark.usefixtures("_is_a_cluster")
def test_the_tables_of_an_interaction_are_spread_once_and_lie_together(cluster: OwnPostgres, url: str) -> None:
    migrate(url)
    assert asked(cluster) == TOLD
    assert migrate(url) == []
    assert asked(cluster) == TOLD


@pytest.mark.usefixtures("_is_a_cluster")
def test_spreading_that_broke_off_is_taken_up_again(cluster: OwnPostgres, url: str) -> None:
    cluster.execute("ALTER DATABASE spread SET fake.breaks_at = 'voice_evaluations'")
    with pytest.raises(Exception, match="can't be reached"):
        migrate(url)
    assert asked(cluster) == TOLD[:2]
    cluster.execute("ALTER DATABASE spread RESET fake.breaks_at")
    assert migrate(url) == [], "the migrations themselves were through"
    assert asked(cluster) == TOLD


def test_a_database_that_became_a_cluster_is_spread_afterwards(cluster: OwnPostgres, url: str) -> None:
    migrate(url)
    cluster.execute("CREATE EXTENSION citus", "spread")
    assert migrate(url) == []
    assert asked(cluster) == TOLD


def test_elsewhere_nothing_of_it_happens(cluster: OwnPostgres, url: str) -> None:
    migrate(url)
    assert cluster.execute("SELECT to_regclass('pg_dist_partition')", "spread") == [(None,)]


@pytest.mark.usefixtures("_is_a_cluster")
def test_what_everybody_locks_stays_on_the_coordinator(cluster: OwnPostgres, url: str) -> None:
    migrate(url)
    spread = {table for table, _, _ in asked(cluster)}
    [(tables,)] = cluster.execute("SELECT array_agg(relname) FROM pg_class WHERE relname LIKE 'judge_%'", "spread")
    assert {"judge_calls", "judge_allowance", "judge_batches"} <= set(tables)
    assert spread.isdisjoint({*tables, "review_leases", "evaluation_queue"})
