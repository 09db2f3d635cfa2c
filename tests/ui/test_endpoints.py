"""Gradio's own client at the public endpoints, over a real socket."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from inference_chat.sessions.messages import ChatMessage
from inference_chat.sessions.store import Sessions
from inference_chat.ui import choosing_endpoints, media_endpoints
from inference_chat.ui import endpoints as texts
from tests.server import Server

PUBLIC = (*texts.PUBLIC, *media_endpoints.PUBLIC, *choosing_endpoints.PUBLIC)
SHORT = {"max_tokens": 8, "temperature": 0}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    connected = Client(server.url, verbose=False)
    yield connected
    connected.close()


def endpoints(client: Client) -> dict[str, Any]:
    return dict(client.view_api(return_format="dict", print_info=False)["named_endpoints"])


def test_these_endpoints_are_public_and_no_others(client: Client):
    api = client.view_api(return_format="dict", print_info=False)
    assert set(api["named_endpoints"]) == {f"/{name}" for name in PUBLIC}
    assert api["unnamed_endpoints"] == {}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_endpoint_is_described(client: Client, name: str):
    assert endpoints(client)[f"/{name}"]["description"]


def test_parameters_have_types_and_defaults(client: Client):
    first, second, *_ = endpoints(client)["/chat"]["parameters"]
    assert (first["parameter_name"], first["parameter_has_default"]) == ("message", False)
    assert (second["parameter_name"], second["parameter_default"]) == ("session_id", None)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_argument_and_value_says_what_it_is(client: Client, name: str):
    endpoint = endpoints(client)[f"/{name}"]
    for argument in endpoint["parameters"]:
        assert argument["python_type"]["description"], argument["parameter_name"]
    assert not {value["label"] for value in endpoint["returns"]} & {"1st", "2nd"}


def test_what_is_read_by_people_has_it_too(client: Client):
    shown = client.view_api(print_info=False, return_format="str")
    assert "message: str (required)  (What to say.)" in shown
    assert "temperature" in shown
    assert "-> (reply, session_id)" in shown


def test_a_conversation_goes_on(client: Client):
    text, session = client.predict("Hello", parameters=SHORT, api_name="/chat")
    assert text
    again, same = client.predict("And now?", session_id=session, api_name="/chat")
    assert same == session
    assert again


def test_the_last_of_a_stream_is_the_whole_reply(client: Client, server: Server):
    job = client.submit("Hello", parameters={"max_tokens": 60, "temperature": 0}, api_name="/chat")
    *_, (text, session) = job
    with server.http() as http:
        stored = http.get(f"/chat/{session}/history").json()
    assert stored["messages"][-1]["content"] == text


@pytest.mark.parametrize(
    ("message", "end"), [("Hello", "complete"), ("Hello " * 2000, "failed")], ids=["answered", "failed"]
)
def test_a_reply_is_stored_when_its_stream_ends(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch, message: str, end: str
):
    finish = Sessions.finish

    def slowly(*arguments: Any, **named: Any) -> ChatMessage:
        time.sleep(0.5)
        return finish(*arguments, **named)

    monkeypatch.setattr(Sessions, "finish", slowly)
    _, session = client.predict("Hello", parameters=SHORT, api_name="/chat")
    with suppress(AppError):
        client.predict(message, session_id=session, parameters=SHORT, api_name="/chat")
    with server.http() as http:
        stored = http.get(f"/chat/{session}/history").json()["messages"][-1]
    assert (stored["role"], stored["status"]) == ("assistant", end)


def test_generates_from_a_prompt(client: Client):
    first = client.predict("Once", parameters=SHORT, api_name="/generate")
    assert first == client.predict("Once", parameters=SHORT, api_name="/generate")


def test_models_are_listed_loaded_and_unloaded(client: Client):
    listed = client.predict(api_name="/list_models")
    assert [item["name"] for item in listed["items"]] == ["tiny-llama"]
    assert client.predict("tiny-llama", api_name="/unload_model")["status"] == "available"
    assert client.predict("tiny-llama", api_name="/load_model")["status"] == "loaded"


def test_the_cache_tells_its_figures(client: Client):
    assert {"hits", "misses", "size"} <= client.predict(api_name="/cache_stats").keys()


@pytest.mark.parametrize(
    ("endpoint", "arguments", "said"),
    [
        ("/chat", {"message": "  "}, "message is empty"),
        ("/chat", {"message": 3}, "must be text"),
        ("/chat", {"message": "x", "parameters": "hot"}, "given as an object"),
        ("/chat", {"message": "x", "parameters": {"temperature": 9}}, "temperature"),
        ("/chat", {"message": "x", "session_id": "none"}, "conversation"),
        ("/generate", {"prompt": "x", "model": "nobody"}, "nobody"),
        ("/load_model", {"model": "nobody"}, "nobody"),
        ("/list_models", {"limit": -1}, "at least 0"),
        ("/register_model", {"model": {"name": "x", "file_path": "/nowhere"}}, "folder"),
    ],
)
def test_a_refusal_is_one_sentence(client: Client, endpoint: str, arguments: dict[str, Any], said: str):
    with pytest.raises(AppError, match=said) as caught:
        client.predict(**arguments, api_name=endpoint)
    assert "Traceback" not in str(caught.value)


def test_models_are_compared_and_a_bad_one_keeps_to_its_row(client: Client):
    answer = client.predict(["tiny-llama", "nobody"], "Hello", parameters=SHORT, api_name="/compare")
    assert answer["table"][0]["tokens_per_second"] > 0
    assert answer["results"][1]["error"]["code"] == "model_not_found"
    with pytest.raises(AppError, match="2 to 6"):
        client.predict(["tiny-llama"], "Hello", api_name="/compare")


def test_a_model_is_recommended(client: Client):
    found = client.predict("write me a poem", api_name="/recommend")
    assert [one["model"] for one in found["recommendations"]] == ["tiny-llama@1.0.0"]
    with pytest.raises(AppError, match="max_memory_mb"):
        client.predict("write me a poem", max_memory_mb=-1, api_name="/recommend")
