import pytest

from inference_chat.access import KEY_COOKIE, VISITOR_COOKIE, Access, new_visitor
from inference_chat.errors import Unauthorized
from inference_chat.settings import Settings


def access(**fields: object) -> Access:
    return Access(Settings.model_validate(fields))


def test_a_shared_history_has_one_owner():
    rules = access(history="shared")
    owners = {rules.identify({}, {VISITOR_COOKIE: name}, name).owner for name in ("a", "b")}
    assert owners == {"everyone"}
    assert not rules.by_visitor


def test_a_private_history_is_by_browser_else_by_address():
    rules = access(history="private")
    assert rules.by_visitor
    assert rules.identify({}, {VISITOR_COOKIE: "v"}, "1.2.3.4") == rules.identify(
        {}, {VISITOR_COOKIE: "v"}, "1.2.3.4"
    )
    owners = {rules.identify({}, {VISITOR_COOKIE: "v"}, "x").owner, rules.identify({}, {}, "v").owner}
    assert owners == {"visitor:v", "address:v"}


def test_every_door_of_a_key_leads_to_the_same_owner():
    rules = access(api_keys="one, two")
    token = rules.sign_in(" one ")
    doors = [
        ({"authorization": "Bearer one"}, {}),
        ({"x-api-key": "one"}, {}),
        ({}, {KEY_COOKIE: str(token)}),
    ]
    assert len({rules.identify(headers, cookies, "x").owner for headers, cookies in doors}) == 1
    assert rules.identify({"x-api-key": "two"}, {}, "x").owner != rules.identify(*doors[0], "x").owner


@pytest.mark.parametrize("key", ["", "on", "onee", "ONE", "ünï"])
def test_a_wrong_key_is_refused(key: str):
    rules = access(api_keys="one")
    assert rules.sign_in(key) is None
    with pytest.raises(Unauthorized):
        rules.identify({"x-api-key": key, "authorization": f"Bearer {key}"}, {KEY_COOKIE: key}, "x")


def test_a_cookie_that_is_no_token_is_refused():
    with pytest.raises(Unauthorized):
        access(api_keys="one").identify({}, {KEY_COOKIE: "ünï"}, "x")


def test_visitors_cannot_be_guessed():
    assert len({new_visitor() for _ in range(100)}) == 100
    assert len(new_visitor()) >= 32
