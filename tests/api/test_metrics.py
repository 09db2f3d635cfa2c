"""What Prometheus reads, and the dashboard for Grafana that is shipped."""

import json
import re
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from inference_chat.api.metrics import MOST_MODELS, exposition
from inference_chat.schema import JSON
from inference_chat.service import Service
from tests.server import settings

GRAFANA = Path(__file__).parents[2] / "examples" / "grafana" / "inference-chat.json"
WORDS = re.compile(r"\b(?:inference|process)_\w+")


def samples(page: str) -> set[str]:
    return {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}


def test_the_grafana_dashboard_names_only_what_there_is(http: httpx.Client):
    for seed in range(5):  # one answer may end with its first token, and then has no speed
        wanted = {"max_tokens": 4, "seed": seed}
        http.post("/inference/text", json={"prompt": "the", "parameters": wanted}).raise_for_status()
    queries = [
        target["expr"] for panel in json.loads(GRAFANA.read_text())["panels"] for target in panel["targets"]
    ]
    named = {name for query in queries for name in WORDS.findall(query)}
    assert len(named) >= 12
    assert not named - samples(http.get("/metrics").text)


async def test_labels_are_bounded(tmp_path: Path):
    service = Service(settings(tmp_path))
    stats = await service.stats()
    one: JSON = {"requests": 1, "errors": 0, "tokens_per_second": 1.0, "latency_ms_p50": 1.0}
    page = exposition({**stats, "models": {f"m{number}@1": one for number in range(10_000)}}).decode()
    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert len(families["inference_requests"].samples) == MOST_MODELS
    assert len(page.splitlines()) < 1000
    await service.stop()
