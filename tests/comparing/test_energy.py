"""Energy by the processor's counters, or by a power that is assumed where there are none."""

from pathlib import Path

import pytest

from inference_chat.comparing.energy import Meter


def counter(folder: Path, microjoules: int, number: int = 0) -> Path:
    domain = folder / f"intel-rapl:{number}"
    domain.mkdir(exist_ok=True)
    (domain / "energy_uj").write_text(f"{microjoules}\n")
    (domain / "max_energy_range_uj").write_text("10000000\n")
    return domain


def test_counters_of_all_processors_are_shared_by_work(tmp_path: Path):
    for number in (0, 1):
        counter(tmp_path, 1_000_000, number)
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of the first one, which it counts already
    meter = Meter(10, tmp_path)
    before = meter.read()
    for number in (0, 1):
        counter(tmp_path, 4_000_000, number)
    assert meter.shares(before, [100.0, 200.0]) == [(2.0, "measured"), (4.0, "measured")]


def test_a_counter_begins_anew_at_its_end(tmp_path: Path):
    counter(tmp_path, 9_000_000)
    meter = Meter(10, tmp_path)
    before = meter.read()
    counter(tmp_path, 500_000)
    assert meter.shares(before, [1.0])[0].joules == pytest.approx(1.5)


def test_without_counters_power_is_assumed(tmp_path: Path):
    meter = Meter(20, tmp_path)
    assert meter.read() is None
    assert meter.shares(None, [500.0]) == [(10.0, "assumed")]
    counter(tmp_path, 1).joinpath("energy_uj").unlink()
    assert Meter(20, tmp_path).read() is None
