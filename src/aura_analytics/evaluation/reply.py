"""The reply: what a model has to answer with, as a schema, and how it is read."""

import re

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aura_analytics.evaluation.evidence import clean
from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.evaluation.rubric import MAX_EXPLANATION, Reason
from aura_analytics.events.records import Label

NAME = "verdict"
DESCRIPTION = "The verdict on the interaction."

# Some models put their JSON into a block of Markdown, whatever they are told.
_FENCED = re.compile(r"```\w*\s*(\{.*\})\s*```", re.DOTALL)


class Reply(BaseModel):
    """The verdict on the interaction."""

    model_config = ConfigDict(frozen=True)

    label: Label
    reason: Reason
    confidence: float = Field(ge=0, le=1, allow_inf_nan=False)
    # Not limited by the schema: that a sentence runs on is no reason to lose the verdict.
    explanation: str | None = Field(default=None, description="One sentence of at most 200 characters")

    def judgement(self, model: str, rubric: str) -> Judgement:
        """Give it as the judgement of a model by a rubric."""
        explanation = clean(self.explanation or "", MAX_EXPLANATION)
        return Judgement(self.label, self.reason, self.confidence, explanation or None, model, rubric)


def read_reply(text: str) -> Reply | str:
    """Read a model's answer; where it is outside of the schema, say what is wrong, in words that quote nothing of it."""
    fenced = _FENCED.fullmatch(text.strip())
    try:
        return Reply.model_validate_json(fenced[1] if fenced else text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the answer'}: {one['msg']}" for one in found)
