"""The question: what a model is sent beside the record, and how its answer is read."""

from pydantic_ai import exceptions
from pydantic_ai.messages import InstructionPart, ModelResponse, ToolReturnPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from aura_analytics.evaluation.reply import DESCRIPTION, NAME, Reply, read_reply
from aura_analytics.evaluation.rubric import Rubric

_MAX_TOKENS = 8_192  # an answer takes 60, a model that thinks first some thousands; more is a model that runs away

SETTINGS = ModelSettings(temperature=0.0, seed=0, max_tokens=_MAX_TOKENS)


def settings_of(model: Model) -> ModelSettings:
    """Give what a model can be told about how to answer: as repeatably as it can. Some that think take no temperature."""
    profile = model.profile
    thinks = profile.get("openai_supports_reasoning") and profile.get("thinking_enabled_by_default")
    if thinks or profile.get("anthropic_disallows_sampling_settings"):
        return ModelSettings(seed=0, max_tokens=_MAX_TOKENS)
    return SETTINGS


def parameters_of(model: Model, rubric: Rubric) -> ModelRequestParameters:
    """Give what a request says beside its messages: the instructions, and the schema.

    That is the model's own structured output where it has one; a tool call works with every other.
    """
    schema = Reply.model_json_schema()
    instructions = [InstructionPart(content=rubric.instructions)]
    if model.profile.get("supports_json_schema_output", False):
        wanted = OutputObjectDefinition(schema, name=NAME, description=DESCRIPTION, strict=True)
        return ModelRequestParameters(output_mode="native", output_object=wanted, instruction_parts=instructions)
    tool = ToolDefinition(name=NAME, parameters_json_schema=schema, description=DESCRIPTION, kind="output")
    return ModelRequestParameters(
        output_mode="tool", output_tools=[tool], allow_text_output=False, instruction_parts=instructions
    )


def read_response(response: ModelResponse) -> Reply | str:
    """Read what came back: the reply, or what is wrong with it.

    Raises:
        AgentRunError: it was cut off or blocked, and won't be better when it is asked for again.
    """
    if response.finish_reason == "length":
        raise exceptions.OutputTokenLimitExceeded("cut off")
    if response.finish_reason == "content_filter":
        raise exceptions.ContentFilterError("blocked")
    called = response.tool_calls
    return read_reply(called[0].args_as_json_str() if called else response.text or "")


def what_was_wrong(response: ModelResponse, fault: str) -> UserPromptPart | ToolReturnPart:
    """Give what a model is told about an answer that is outside of the schema."""
    words = f"That isn't an answer: {fault}. Answer again, with one JSON object as the schema wants it."
    if called := response.tool_calls:
        return ToolReturnPart(tool_name=called[0].tool_name, content=words, tool_call_id=called[0].tool_call_id)
    return UserPromptPart(words)
