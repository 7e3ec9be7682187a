"""The words of a shop: hints for the speech recogniser, and what shoppers call things that the catalogue calls otherwise."""

import asyncio

import msgspec

from aura_analytics.projection import Question
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.topics import KeyTerm, Said, SynonymCandidate, key_terms, synonym_candidates

# Texts that are looked at, the most frequent ones.
MOST_TEXTS = 50_000

# What was said, how often, and how often without an answer; what was heard badly is among these once it is labelled.
TEXTS = f"""
SELECT query_text, sum(queries)::BIGINT AS queries, sum(missed)::BIGINT FROM {{texts}}
GROUP BY query_text ORDER BY queries DESC, query_text LIMIT {MOST_TEXTS}
"""


class Heard(msgspec.Struct, frozen=True):
    """Texts: those that weren't answered, those that were, and all; a text may be in each."""

    unanswered: list[Said]
    answered: list[Said]
    everything: list[Said]


async def terms(reader: Reader, scope: Scope, *, limit: int) -> list[KeyTerm]:
    """List the words, alone and in twos, that stand out in what wasn't answered, the surest first."""
    heard = await _heard(reader, scope)
    return (await asyncio.to_thread(key_terms, heard.unanswered, heard.everything))[:limit]


async def synonyms(reader: Reader, scope: Scope, *, limit: int) -> list[SynonymCandidate]:
    """List words that shoppers say where answered queries have another, those in the most texts first."""
    heard = await _heard(reader, scope)
    return (await asyncio.to_thread(synonym_candidates, heard.unanswered, heard.answered))[:limit]


async def _heard(reader: Reader, scope: Scope) -> Heard:
    rows = await reader.ask(Question(sql=TEXTS, about=scope, answered_until=reader.answered_until))
    return Heard(
        unanswered=[Said(text, missed) for text, _, missed in rows if missed],
        answered=[Said(text, queries - missed) for text, queries, missed in rows if queries > missed],
        everything=[Said(text, queries) for text, queries, _ in rows],
    )
