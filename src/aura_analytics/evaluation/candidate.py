"""The candidates: the models that the settings name as judges, each with its address, its key and its price.

Apart from the model's SDK, so that who has no judge doesn't load it.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings

# Which setting holds the key of a provider. EVAL_API_KEY is that of every other one, and of these where theirs is empty.
_KEYS = {"google": "gemini_api_key", "openai": "openai_api_key", "anthropic": "anthropic_api_key"}
_ANY_KEY = "eval_api_key"
# Those that have no servers but their own; any other API may be spoken by a server of one's own, which needs no key.
_OWN_SERVERS = frozenset({"google", "anthropic"})
_NO_KEY = "none"
_OLD_GOOGLE = "google-gla:"


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A model that may be a judge, such as `google:gemini-2.5-flash-lite`. Empty texts are what wasn't said."""

    model: str
    api_key: str
    base_url: str = ""
    price: str = ""


def candidates(settings: Settings) -> tuple[Candidate, ...]:
    """List whom the settings name, in the order in which they are asked; nobody where there is no key.

    Raises:
        SettingsError: a key can't be one, a model that is named has none though another has, or an address or a price isn't clear.
    """
    models = [_model(name) for name in settings.eval_model.split(",")]
    urls = _base_urls(settings.eval_base_url, models)
    _check(urls)
    prices = _each("EVAL_PRICE", settings.eval_price, models)
    keys = [_key(settings, model, url) for model, url in zip(models, urls, strict=True)]
    if not keys[0] and not _is_wanted(settings):
        return ()
    for model, key in zip(models, keys, strict=True):
        if not key:
            setting = _KEYS.get(_family(model), _ANY_KEY).upper()
            raise SettingsError(f"EVAL_MODEL names {model}, which needs {setting}")
    return tuple(
        Candidate(model=model, api_key=key, base_url=url, price=price)
        for model, key, url, price in zip(models, keys, urls, prices, strict=True)
    )


def _is_wanted(settings: Settings) -> bool:
    """Whether a model is named on purpose and some key is there: then it is a mistake that it isn't the model's."""
    has_key = any(getattr(settings, name) for name in (*_KEYS.values(), _ANY_KEY))
    return has_key and settings.eval_model != Settings().eval_model


def _model(name: str) -> str:
    return f"google:{name.removeprefix(_OLD_GOOGLE)}" if name.startswith(_OLD_GOOGLE) else name


def _family(model: str) -> str:
    """Whose key it takes: `openai-chat` and `openai-responses` are two APIs of one provider."""
    return model.partition(":")[0].partition("-")[0]


def _each(setting: str, said: str, models: list[str]) -> list[str]:
    """Give to each model its own of what stands between commas."""
    values = said.split(",")
    if len(values) > len(models):
        raise SettingsError(f"{setting} holds {len(values)} values, EVAL_MODEL {len(models)} model")
    return values + [""] * (len(models) - len(values))


def _base_urls(said: str, models: list[str]) -> list[str]:
    if said and "," not in said and len(models) > 1:
        if len({_family(model) for model in models}) > 1:
            # Neither a key nor what was said goes to an address that may be meant for somebody else.
            raise SettingsError("EVAL_BASE_URL takes two with a comma between, as EVAL_MODEL does; one may be empty")
        return [said] * len(models)
    return _each("EVAL_BASE_URL", said, models)


def _check(urls: Sequence[str]) -> None:
    """See that each leads somewhere: a request that can't even be made is taken for one whose answer can't be read."""
    for url in urls:
        try:
            parts = urlsplit(url)
            leads = not url or (parts.hostname and parts.port != 0)
        except ValueError:
            leads = False
        if not leads:
            # Not shown, since it may hold a password.
            raise SettingsError("EVAL_BASE_URL takes addresses with a host, and a port from 1 to 65535 if any")


def _key(settings: Settings, model: str, base_url: str) -> str:
    own = _KEYS.get(_family(model), _ANY_KEY)
    setting = own if getattr(settings, own) else _ANY_KEY
    key: str = getattr(settings, setting)
    if not key.isascii() or (key and not key.isprintable()) or " " in key:
        # Said here, since the HTTP client would quote the key that it can't send.
        raise SettingsError(f"{setting.upper()} takes the provider's key: printable ASCII without spaces")
    keyless = base_url and _family(model) not in _OWN_SERVERS
    return key or (_NO_KEY if keyless else "")
