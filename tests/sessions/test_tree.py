"""Whatever people do to a conversation, its tree stays whole and nothing is lost except by `clear`."""

import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from inference_chat.errors import SessionNotFound
from inference_chat.schema import JSON
from inference_chat.sessions.store import ChatMessage, Sessions

TEXTS = st.text(max_size=12).map(lambda text: text.replace("\0", ""))


def shape(data: JSON) -> tuple[JSON, list[JSON]]:
    """An export without what an import makes anew: ids become positions."""
    positions = {message["id"]: place for place, message in enumerate(data["messages"])} | {None: None}
    messages = [
        message | {"id": positions[message["id"]], "parent_id": positions[message["parent_id"]]}
        for message in data["messages"]
    ]
    return data["session"] | {"head_id": positions[data["session"]["head_id"]]}, messages


class Conversation(RuleBasedStateMachine):
    """One conversation, next to a plain picture of it: every message with its parent and its text."""

    known = Bundle("known")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.sessions = Sessions(f"sqlite:{Path(self.folder.name) / 'chat.db'}")
        self.session = self.sessions.create("me")
        self.parents: dict[str, str | None] = {}
        self.texts: dict[str, str] = {}
        self.head: str | None = None

    def teardown(self) -> None:
        self.sessions.close()
        self.folder.cleanup()

    def keep(self, *messages: ChatMessage) -> None:
        for message in messages:
            self.parents[message.id] = message.parent_id
            self.texts[message.id] = message.text
            self.head = message.id

    @rule(target=known, text=TEXTS)
    def begin(self, text: str):
        turn = self.sessions.add_turn(self.session.id, text, parent_id=None, model="m")
        self.keep(*turn)
        return multiple(*(message.id for message in turn))

    @rule(target=known, text=TEXTS, at=known)
    def say(self, text: str, at: str):
        if at not in self.parents:
            return multiple()
        turn = self.sessions.add_turn(self.session.id, text, parent_id=at, model="m")
        self.keep(*turn)
        return multiple(*(message.id for message in turn))

    @rule(target=known, at=known)
    def ask_again(self, at: str):
        if at not in self.parents:
            return multiple()
        reply = self.sessions.add_reply(self.session.id, parent_id=at, model="m")
        self.keep(reply)
        return reply.id

    @rule(at=known, text=TEXTS, status=st.sampled_from(["complete", "cancelled", "failed"]))
    def finish(self, at: str, text: str, status):
        if at in self.parents:
            self.sessions.finish(at, status=status, text=text)
            self.texts[at] = text

    @rule(at=known)
    def browse(self, at: str):
        if at in self.parents:
            self.head = self.sessions.select(self.session.id, at).head_id
            assert at in [message.id for message in self.sessions.path(self.session.id)]
            assert self.head not in self.parents.values()

    @rule()
    def clear(self):
        self.sessions.clear(self.session.id)
        self.parents, self.texts, self.head = {}, {}, None

    @rule()
    def delete_and_restore(self):
        self.sessions.delete(self.session.id)
        assert self.sessions.purge(timedelta(hours=1)) == 0
        with suppress(SessionNotFound):
            self.sessions.add_turn(self.session.id, "lost?", parent_id=None, model=None)
            raise AssertionError("a deleted conversation took a turn")
        self.sessions.restore(self.session.id)

    @rule()
    def restart(self):
        self.sessions.close()
        self.sessions = Sessions(f"sqlite:{Path(self.folder.name) / 'chat.db'}")
        self.sessions.mark_interrupted()

    @rule()
    def export_and_import(self):
        self.sessions.mark_interrupted()
        data = self.sessions.export(self.session.id)
        copy = self.sessions.load("you", data)
        assert shape(self.sessions.export(copy.id)) == shape(data)

    @invariant()
    def nothing_is_lost(self):
        stored = self.sessions.export(self.session.id)["messages"]
        assert {message["id"]: message["parent_id"] for message in stored} == self.parents
        assert {message["id"]: message["content"] for message in stored} == self.texts

    @invariant()
    def the_path_is_connected_and_siblings_keep_their_order(self):
        path = self.sessions.path(self.session.id)
        assert [message.parent_id for message in path] == [None, *(message.id for message in path)][
            : len(path)
        ]
        assert (path[-1].id if path else None) == self.head
        for message in path:
            family = [id for id, parent in self.parents.items() if parent == message.parent_id]
            assert list(message.siblings) == family


Conversation.TestCase.settings = settings(max_examples=15, stateful_step_count=25)
TestConversation = Conversation.TestCase
