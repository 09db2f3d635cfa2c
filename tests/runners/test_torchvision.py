"""Models that want torchvision, where `make torchvision` has put it over the app's own packages.

The app and all other tests do without.
"""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THERE = ROOT / ".venv-torchvision" / "bin" / "python"
PLUGINS = ("-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist", "-p", "tests.torchvision_ops")


@pytest.mark.skipif(not THERE.exists(), reason="torchvision is not installed: `make torchvision` does it")
def test_models_that_want_torchvision():
    command = [str(THERE), "-m", "pytest", "-q", *PLUGINS, "tests/runners/with_torchvision.py"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
