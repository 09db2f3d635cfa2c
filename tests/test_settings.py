"""Settings of limits and doors, as an operator writes them."""

import pytest
from pydantic import SecretStr

from inference_chat.errors import Forbidden, SettingsError
from inference_chat.settings import Settings


@pytest.mark.parametrize(
    ("variable", "value", "field", "meant"),
    [
        ("QUOTA", "1000/day, 500000 tokens/day", "quota", "1000/day, 500000 tokens/day"),
        ("QUOTA", "off", "quota", "off"),
        (
            "CORS_ORIGINS",
            "https://a.org, http://b.org:81",
            "cors_origins",
            ("https://a.org", "http://b.org:81"),
        ),
        ("ALLOWED_HOSTS", "a.org, b.org", "allowed_hosts", ("a.org", "b.org")),
        ("URL_MEDIA_PORTS", "80,8443", "url_media_ports", (80, 8443)),
        ("LOG_FORMAT", "JSON", "log_format", "json"),
    ],
)
def test_values_that_are_taken(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, meant: object
):
    monkeypatch.setenv(variable, value)
    assert getattr(Settings.load(), field) == meant


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("QUOTA", "lots"),
        ("QUOTA", "5 pictures/day"),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://example.org/path"),
        ("ALLOWED_HOSTS", "https://example.org"),
        ("ALLOWED_HOSTS", "example.org:80"),
        ("URL_MEDIA_NETWORKS", "10.0.0.0/99"),
        ("URL_MEDIA_PORTS", "http"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_values_that_are_refused_name_their_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        Settings.load()


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "mysql://me:hunter2@host/db")
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    assert "hunter2" not in str(refused.value)


def test_a_key_is_for_one_host_under_its_very_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAR_KEY", "secret")
    monkeypatch.setenv("far_key", "another")
    told = Settings(endpoint_keys=("FAR_KEY@api.Example.com",))
    assert told.endpoint_key("FAR_KEY", "API.example.com") == SecretStr("secret")
    for name, host in (("far_key", "api.example.com"), ("FAR_KEY", "example.com")):
        with pytest.raises(Forbidden, match="ENDPOINT_KEYS"):
            told.endpoint_key(name, host)
