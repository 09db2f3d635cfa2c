"""Everything an operator can set, and the only reader of the environment and of `.env`."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .errors import Forbidden, SettingsError

QUOTA_PART = r"\s*\d+\s*(requests|tokens)?\s*(/|per)\s*(\d+\s*)?(second|minute|hour|day|month)s?\s*"
QUOTA = rf"^{QUOTA_PART}(,{QUOTA_PART})*$|^off$"
HOST = re.compile(r"[\w-]+(\.[\w-]+)*")
ORIGIN = re.compile(r"\*|https?://[\w.\[\]:-]+")
ENDPOINT_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*@[\w.:-]+")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


SECRET = frozenset({"api_keys", "database_url"})
"""Fields that hold keys or passwords: what was given for them is never shown."""


class Settings(BaseSettings):
    """One frozen object, made once at the start by `Settings.load()`.

    Each field is set by the variable of its name in capitals, or by one of its aliases.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    port: int = Field(
        7860,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("GRADIO_SERVER_PORT", "INFERENCE_SERVICE_PORT"),
        description="Port everything listens on.",
    )
    host: str = Field(
        "127.0.0.1",
        validation_alias=AliasChoices("GRADIO_SERVER_NAME", "INFERENCE_SERVICE_HOST"),
        description="Address to listen on; 0.0.0.0 for every interface.",
    )
    database_url: str = Field(
        "sqlite:./data/inference.db",
        pattern=r"^(sqlite|postgresql)(\+\w+)?:",
        description="Conversations and run records: `sqlite:PATH` or `postgresql://…`.",
    )
    registry_path: Path = Field(Path("./data/registry.json"), description="The registry of models (TinyDB).")
    model_cards_dir: Path = Field(
        Path(__file__).parent.parent / "model_cards",
        description="Folder whose sub-folders (models and cards) are registered at the start.",
    )
    model_cache_dir: Path | None = Field(
        None, description="Where hub models are kept; unset: Hugging Face's own cache."
    )
    model_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description="Comma-separated folders below which models may be registered from. Unset: every folder "
        "on a loopback address, elsewhere the working folder.",
    )
    max_loaded_models: int = Field(5, ge=1, description="Models in memory at once; idle ones leave first.")
    memory_limit_mb: int = Field(8192, ge=64, description="Memory for all loaded models, in MiB.")
    model_timeout_seconds: float = Field(
        300,
        gt=0,
        description="A model unused for so long gives its memory back, in seconds: it is parked where its "
        "weights are mapped from their files, else unloaded.",
    )
    cache_max_size: int = Field(1000, ge=0, description="Finished results kept; 0 turns the cache off.")
    cache_ttl_hours: float = Field(24, gt=0, description="Age at which a kept result is forgotten, in hours.")
    cache_cleanup_interval: float = Field(
        3600, gt=0, description="Seconds between two removals of forgotten results."
    )
    max_concurrent_inference: int = Field(10, ge=1, description="Requests that run at the same time.")
    max_queued_inference: int = Field(
        256, ge=0, description="Requests that may wait; one more is refused as overloaded."
    )
    inference_timeout_ms: int = Field(
        30_000,
        ge=1,
        description="Longest silence of a running model before its request is ended, in milliseconds.",
    )
    max_prompt_chars: int = Field(
        500_000, ge=1, description="Longest text of one request, in characters; more is too large."
    )
    max_body_mb: int = Field(
        100, ge=1, description="Largest request body and largest uploaded file, in MiB; more is too large."
    )
    max_clip_minutes: float = Field(
        120, gt=0, description="Longest clip, in minutes; a longer one is refused before it is decoded."
    )
    max_listen_minutes: float = Field(
        120, gt=0, description="Longest sound, in minutes; a longer one is refused before it is heard."
    )
    max_record_seconds: float = Field(
        120, gt=0, le=3600, description="Longest recording of the page's microphone and camera, in seconds."
    )
    rate_limit: str = Field(
        "120/minute",
        pattern=r"^\s*\d+\s*(/|per)\s*(\d+\s*)?(second|minute|hour|day)s?\s*$|^off$",
        description="Requests per key, else per client address, as `120/minute`; `off` for none.",
    )
    quota: str = Field(
        "off",
        pattern=QUOTA,
        description="What a key, else a client address, may use: requests to models, tokens, or both, as "
        "`1000/day, 500000 tokens/day`; `off` for no limit. Counted from the start of the server.",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Comma-separated keys; when set, every door asks for one."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Comma-separated origins whose pages may use this server, as `https://example.org`; "
        "`*` for all. Unset: only the page of the server itself.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Comma-separated names of this server, as `chat.example.org`, behind a proxy on the same "
        "machine. Unset: there, and without `API_KEYS`, only local names and addresses.",
    )
    history: Literal["auto", "shared", "private"] = Field(
        "auto",
        description="`shared`: one list of conversations; `private`: one per browser or address. "
        "`auto` shares on a loopback address and is private elsewhere.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where models run.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Number format of loaded weights."
    )
    quantization: Literal["auto", "none", "int8", "int4"] = Field(
        "auto",
        description="Weights of language models, and of the part of others that writes, on a CPU: `auto` "
        "packs bfloat16 and float32, quicker without loss; `int8` and `int4` round them (of models that see "
        "and hear those in bfloat16), smaller and with an error; `none` leaves them as they are.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="CPU threads of a model; unset: one less than there are cores. With all of them, and "
        "other programs on the machine, start with `OMP_WAIT_POLICY=passive` too.",
    )
    power_watts: float = Field(
        10,
        gt=0,
        description="Watts that a model at work is assumed to take where the processor's energy counter "
        "cannot be read.",
    )
    media_dir: Path = Field(Path("./data/media"), description="Pictures, sounds and clips people have sent.")
    media_keep_hours: float = Field(
        24, gt=0, description="A sent file that nobody has asked for is removed after so many hours."
    )
    allow_url_media: bool = Field(
        False,
        description="`http(s)` links to media are fetched, from public addresses only.",
    )
    url_media_ports: Annotated[tuple[int, ...], NoDecode] = Field(
        (80, 443), description="Comma-separated ports that such links may name."
    )
    url_media_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (), description="Comma-separated networks that such links may lead to besides, as `10.1.0.0/16`."
    )
    url_media_seconds: float = Field(20, gt=0, description="Longest time for fetching one link, in seconds.")
    endpoint_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (),
        description="Comma-separated networks in which other servers may run models, as `127.0.0.1/32, "
        "10.0.0.0/8`; unset: public addresses only.",
    )
    endpoint_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Comma-separated names of variables whose value is a key, each with the only host that "
        "it is sent to, as `MY_PROVIDER_KEY@api.example.com`.",
    )
    reader_timeout_seconds: float = Field(
        30, gt=0, description="A client that takes nothing of its answer for so long is dropped, in seconds."
    )
    allow_registration: bool = Field(True, description="Models may be registered and removed at run time.")
    log_level: Literal["critical", "error", "warning", "info", "debug", "trace"] = Field(
        "info", validation_alias=AliasChoices("LOG_LEVEL", "RUST_LOG"), description="How much is logged."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How: lines for people, or one JSON object a line, with a line for every request."
    )
    space_id: str | None = Field(None, description="Set by Hugging Face Spaces.")

    @field_validator(
        "model_roots",
        "api_keys",
        "cors_origins",
        "allowed_hosts",
        "url_media_ports",
        "url_media_networks",
        "endpoint_networks",
        "endpoint_keys",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [origin for origin in value if not ORIGIN.fullmatch(origin)]:
            raise ValueError(
                f"{wrong[0]} is no origin: write scheme, host and port, as https://example.org:8443"
            )
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in value if not HOST.fullmatch(name)]:
            raise ValueError(f"{wrong[0]} is no name: write it alone, as chat.example.org")
        return value

    @field_validator("endpoint_keys")
    @classmethod
    def _keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [one for one in value if not ENDPOINT_KEY.fullmatch(one)]:
            raise ValueError(f"{wrong[0]} is no NAME@host: write MY_PROVIDER_KEY@api.example.com")
        return value

    @field_validator("log_level", "log_format", "device", "dtype", "quantization", "history", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises `SettingsError` with one line for each value that cannot be used: the variable, the
        value and what is allowed.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError("\n".join(_line(cls, item) for item in error.errors())) from None

    def endpoint_key(self, name: str, host: str) -> SecretStr | None:
        """The key in a variable, for the host that the operator has named it for; None where it is empty.

        It is read anew each time, and kept nowhere. Raises `Forbidden` for any other variable or host:
        whoever registers an endpoint could else have every secret of the environment sent to him.
        """
        allowed = (one.partition("@") for one in self.endpoint_keys)
        if not any(own == name and to.lower() == host.lower() for own, _, to in allowed):
            raise Forbidden(
                f"key_env: {name} is not meant for {host}. The operator allows it by "
                f"ENDPOINT_KEYS={name}@{host}, and sets {name}."
            )
        found = os.environ.get(name) or dotenv_values(str(self.model_config["env_file"])).get(name)
        return SecretStr(found.strip()) if found and found.strip() else None

    @property
    def roots(self) -> tuple[Path, ...] | None:
        """Folders below which models may lie, beside `model_cards_dir`; None where that is everywhere."""
        if self.model_roots:
            return self.model_roots
        return None if self.host in LOOPBACK and self.space_id is None else (Path.cwd(),)

    @property
    def private_history(self) -> bool:
        """Whether each browser sees only its own conversations."""
        if self.history == "auto":
            return self.space_id is not None or self.host not in LOOPBACK
        return self.history == "private"

    @property
    def cpu_threads(self) -> int:
        """Threads for torch; one core is left to the server, as a contended one slows all."""
        return self.threads or max(1, (os.cpu_count() or 2) - 1)


def variables(name: str) -> tuple[str, ...]:
    """The environment variables that set field `name`, the strongest first."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (name.upper(),)


def _line(cls: type[Settings], item: object) -> str:
    """One sentence for one of pydantic's findings."""
    assert isinstance(item, dict)
    where = str(item["loc"][0])
    field = next(n for n in cls.model_fields if where.upper() in (n.upper(), *variables(n)))
    names = variables(field)
    given = next((name for name in names if os.environ.get(name)), names[0])
    shown = "its value" if field in SECRET else f"the value {item['input']!r}"
    return f"{given}: {shown} cannot be used: {item['msg']}. ({cls.model_fields[field].description})"
