from pathlib import Path

import pytest

from inference_chat.errors import InvalidRequest, ModelNotFound, RateLimited
from inference_chat.service import Service
from tests import tiny
from tests.fakes import ANNE, BERT, running
from tests.server import one_model, settings


async def test_two_services_one_after_another(tmp_path: Path, tiny_llama: Path):
    models = one_model(tmp_path / "models", tiny_llama)
    for _ in range(2):
        async with running(tmp_path, models) as service:
            assert service.ready()[0]
            assert service.notices == ()


async def test_without_a_model_it_is_not_ready(tmp_path: Path):
    async with running(tmp_path) as service:
        assert not service.ready()[0]
        with pytest.raises(ModelNotFound):
            await service.infer(ANNE, prompt="hi")


def test_the_rate_is_counted_for_each(tmp_path: Path):
    service = Service(settings(tmp_path, rate_limit="2/hour"))
    for _ in range(2):
        service.admit(ANNE)
    with pytest.raises(RateLimited) as error:
        service.admit(ANNE)
    assert 1 <= error.value.retry_after <= 3600
    service.admit(BERT)


async def test_a_card_with_unknown_parameters_is_told_and_left_out(tmp_path: Path):
    folder = tiny.build(tmp_path / "models" / "odd")
    tiny.card(folder, "odd", inference_chat={"parameters": {"colour": 1}})
    async with running(tmp_path, tmp_path / "models") as service:
        assert "colour" in service.notices[0]
        assert (await service.models.list())[1] == 0


@pytest.mark.parametrize("bad", [{"limit": -1}, {"offset": -1}, {"status": "tired"}, {"sort": "size"}])
async def test_lists_refuse_what_they_cannot_do(tmp_path: Path, bad: dict):
    async with running(tmp_path) as service:
        with pytest.raises(InvalidRequest):
            await service.models.list(**bad)
