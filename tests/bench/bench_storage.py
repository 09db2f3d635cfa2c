"""What conversations and run records cost: `python -m tests.bench.bench_storage [messages] [runs]`."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from inference_chat.database import open_database
from inference_chat.messages import messages, to_row
from inference_chat.records import Records, Run, runs
from inference_chat.schema import now
from inference_chat.sessions import Sessions
from inference_chat.tree import empty_reply

from .report import section


def timed(action: Callable[[], object], times: int = 9) -> tuple[float, float]:
    """Median and worst duration in milliseconds."""
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        durations.append((time.perf_counter() - start) * 1000)
    return statistics.median(durations), max(durations)


def fill(sessions: Sessions, count: int, per_session: int = 100) -> str:
    """Conversations of `per_session` messages in one branch; the id of the last one."""
    session_id = ""
    for start in range(0, count, per_session):
        session_id, parent, rows = sessions.create("me", title=f"talk {start}").id, None, []
        for number in range(per_session):
            message = empty_reply(session_id, "", "m@1").model_copy(
                update={"parent_id": parent, "content": f"message {number}. " + "lorem ipsum dolor " * 30}
            )
            parent = message.id
            rows.append(to_row(message))
        with sessions._database.write() as connection:
            connection.execute(insert(messages), rows)
        sessions.select(session_id, str(parent))
    return session_id


def record(records: Records, count: int) -> None:
    moment = now()
    rows = [
        Run(
            model=f"m{number % 7}@1",
            task="text-generation",
            started_at=moment - timedelta(seconds=count - number),
            total_ms=number % 997,
            completion_tokens=100,
            decode_ms=50,
        ).model_dump()
        for number in range(count)
    ]
    with records._database.write() as connection:
        connection.execute(insert(runs), rows)


def main(message_count: int, run_count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:{Path(folder) / 'bench.db'}"
        database = open_database(url)
        sessions, records = Sessions(database), Records(database)
        session_id = fill(sessions, message_count)
        record(records, run_count)
        head = sessions.get(session_id, "me").head_id
        reply = sessions.add_reply(session_id, parent_id=str(head), model="m@1")
        actions: dict[str, Callable[[], object]] = {
            "open and close": lambda: open_database(url).close(),
            "add a turn": lambda: sessions.add_turn(session_id, "hello", parent_id=head, model="m@1"),
            "checkpoint of 4,000 characters": lambda: sessions.write(reply.id, "word " * 800),
            "path of 100 messages": lambda: sessions.path(session_id, head),
            "list": lambda: sessions.list("me"),
            "search a word of all": lambda: sessions.list("me", query="lorem"),
            "search a word of none": lambda: sessions.list("me", query="zebra"),
            "add a run": lambda: records.add(Run(model="m0@1", task="text-generation", started_at=now())),
            "figures of all models": lambda: records.stats(),
            "figures of one model": lambda: records.metrics("m3@1"),
        }
        rows = []
        for name, action in actions.items():
            median, worst = timed(action)
            rows.append(f"| {name} | {median:.1f} | {worst:.1f} |")
        database.close()
    head = f"{message_count:,} messages and {run_count:,} runs in SQLite; milliseconds.\n\n"
    head += "| | median of 9 | worst |\n|---|---|---|\n"
    section("Conversations and run records", head + "\n".join(rows))


if __name__ == "__main__":
    main(*(int(given) for given in [*sys.argv[1:], *["100000", "100000"][len(sys.argv) - 1 :]]))
