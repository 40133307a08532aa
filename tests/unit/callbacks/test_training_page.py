import re
from pathlib import Path

import pytest
from tests import small_probe_set

PAGE = Path(__file__).resolve().parents[3] / "docs/training.md"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")  # of Lightning and transformers
def test_every_block_of_the_page_runs(tmp_path, monkeypatch):
    for library in ("lightning", "transformers", "accelerate", "tensorboard"):
        pytest.importorskip(library)
    small_probe_set.write_probe_set(tmp_path / "dataset/broden1_224", images=24, size=(64, 64), labels=(32, 32))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        exec(compile(block, "docs/training.md", "exec"), names)
    for name, runs in {"training": "loop", "lightning": "lightning", "trainer": "trainer"}.items():
        assert (tmp_path / f"{name}.svg").is_file()
        assert len(list((tmp_path / "runs" / runs).glob("*/run.json"))) == 3
    assert list((tmp_path / "runs/board").glob("events.*"))
