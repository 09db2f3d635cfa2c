"""What conversations and run records cost: `python -m tests.bench.bench_storage [messages] [runs]`."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import insert

from inference_chat.database import open_database
from inference_chat.records import Records, Run
from inference_chat.registry.registry import ModelRecord
from inference_chat.schema import now
from inference_chat.service import Service
from inference_chat.sessions.messages import messages, to_row
from inference_chat.sessions.store import Sessions
from inference_chat.sessions.tree import empty_reply
from tests.server import settings

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
    """Runs of 50 models over the last 30 days."""
    step, moment = timedelta(days=30) / count, now()
    for start in range(0, count, 20_000):
        rows = [
            Run(
                model=name_of(number % 50),
                task="text-generation",
                started_at=moment - step * (count - number),
                total_ms=number % 997,
                completion_tokens=100,
                decode_ms=50,
            ).model_dump()
            for number in range(start, min(start + 20_000, count))
        ]
        records._store(rows)


def name_of(number: int) -> str:
    return f"model-{number:05}@1.0.0"


def lists(service: Service, count: int) -> dict[str, Callable[[], object]]:
    """What the doors ask of many models; each of the three keeps the figures it was told."""
    names = (name_of(number).split("@")[0] for number in range(count))
    service.registry.put_all(ModelRecord(name=name, tasks=("text-generation",)) for name in names)
    loop = asyncio.new_event_loop()
    return {
        f"list 100 of {count:,} models": lambda: loop.run_until_complete(service.models.list(limit=100)),
        "search models": lambda: loop.run_until_complete(service.models.search("model-0004")),
        "everything of the service": lambda: loop.run_until_complete(service.stats()),
    }


def reopen(url: str) -> None:
    open_database(url).close()


def main(message_count: int, run_count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:{Path(folder) / 'bench.db'}"
        database = open_database(url)
        service = Service(settings(Path(folder), database_url=url))
        sessions, records = service.sessions, service.records
        session_id = fill(sessions, message_count)
        record(records, run_count)
        head = sessions.get(session_id, "me").head_id
        reply = sessions.add_reply(session_id, parent_id=str(head), model="m@1")
        own: dict[str, Callable[[], object]] = {
            "open and close": partial(reopen, url),
            "add a turn": lambda: sessions.add_turn(session_id, "hello", parent_id=head, model="m@1"),
            "checkpoint of 4,000 characters": lambda: sessions.write(reply.id, "word " * 800),
            "path of 100 messages": lambda: sessions.path(session_id, head),
            "list": lambda: sessions.list("me"),
            "search a word of all": lambda: sessions.list("me", query="lorem"),
            "search a word of none": lambda: sessions.list("me", query="zebra"),
            "add a run": lambda: records.add(Run(model=name_of(0), task="text-generation", started_at=now())),
            "figures of all models": records.stats,
            "figures of the last hour": lambda: records.stats(timedelta(hours=1)),
            "figures of the last week": lambda: records.stats(timedelta(days=7)),
            "a week in 56 steps": lambda: records.series(timedelta(days=7), 56),
            "figures of one model": lambda: records.metrics(name_of(3)),
        }
        actions = own | lists(service, 10_000)
        rows = []
        for name, action in actions.items():
            first, _ = timed(action, 1)
            median, worst = timed(action)
            rows.append(f"| {name} | {first:.1f} | {median:.1f} | {worst:.1f} |")
        database.close()
    head = f"{message_count:,} messages and {run_count:,} runs in SQLite; milliseconds.\n\n"
    head += "| | first | median of 9 | worst |\n|---|---|---|---|\n"
    section("Conversations and run records", head + "\n".join(rows))


if __name__ == "__main__":
    main(*(int(given) for given in [*sys.argv[1:], *["100000", "1000000"][len(sys.argv) - 1 :]]))
