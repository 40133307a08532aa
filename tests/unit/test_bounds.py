"""Settings out of their bounds are refused where they are declared."""

from __future__ import annotations

import numpy as np
import pytest

from netdissect.config import Settings
from netdissect.errors import SettingsError

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"seed": -1}, "--seed must be at least 0, not -1"),
        ({"seed": 2**32}, "--seed must be at most 4,294,967,295, not 4,294,967,296"),
        ({"threads": 0}, "--threads must be at least 1, not 0"),
        ({"threads": 1_000_000}, "--threads must be at most 1,024, not 1,000,000"),
        ({"resolution": 0}, "--resolution must be at least 8, not 0"),
        ({"resolution": 1_000_000}, "--resolution must be at most 4,096, not 1,000,000"),
        ({"device": "mps"}, "--device must be auto, cpu, cuda or cuda:N, not 'mps'"),
        ({"device": "cuda:-1"}, "--device must be auto, cpu, cuda or cuda:N, not 'cuda:-1'"),
        ({"device": None}, "--device must be auto, cpu, cuda or cuda:N, not 'None'"),
        ({"quantile": 0}, "--quantile must lie between 0 and 1 (the paper's is 0.005), not 0.0"),
        ({"quantile": 1}, "--quantile must lie between 0 and 1 (the paper's is 0.005), not 1.0"),
        ({"quantile": NAN}, "--quantile must lie between 0 and 1 (the paper's is 0.005), not nan"),
        ({"quantile": "0.005"}, "--quantile must lie between 0 and 1 (the paper's is 0.005), not '0.005'"),
        ({"threshold": NAN}, "--threshold must lie between 0 and 1 (the paper's is 0.04), not nan"),
        ({"threshold": INFINITE}, "--threshold must lie between 0 and 1 (the paper's is 0.04), not inf"),
        ({"threshold": -0.1}, "--threshold must lie between 0 and 1 (the paper's is 0.04), not -0.1"),
        ({"batch_size": 0}, "--batch-size must be at least 1, not 0"),
        ({"batch_size": 10**9}, "--batch-size must be at most 65,536, not 1,000,000,000"),
        ({"workers": 0}, "--workers must be at least 1, not 0"),
        ({"workers": None}, "--workers must be a whole number, not None"),
        ({"workers": 100_000}, "--workers must be at most 4,096, not 100,000"),
        ({"images_per_unit": -1}, "--images-per-unit must be at least 0, not -1"),
        ({"images_per_unit": 10**6}, "--images-per-unit must be at most 10,000, not 1,000,000"),
        ({"limit": 0}, "--limit must be at least 1, not 0"),
        ({"limit": -1}, "--limit must be at least 1, not -1"),
        ({"limit": 2.5}, "--limit must be a whole number, not 2.5"),
        ({"limit": True}, "--limit must be a whole number, not True"),
        ({"memory": -1}, "--memory must be at least 0, not -1"),
        ({"shard_size": 0}, "--shard-size must be at least 1, not 0"),
        ({"geometry": "round"}, "--geometry must be receptive-field or grid, not 'round'"),
        ({"runtime": "slurm"}, "--runtime must be local or ray, not 'slurm'"),
        ({"pictures": "no"}, "pictures must be True or False, not 'no'"),
        ({"split": ""}, "--split must be a word, not ''"),
        (
            {"memory": 1, "workers": 2},
            "--memory applies to a single process only: workers keep intermediate results on disk; leave it out",
        ),
        ({"address": "10.0.0.1:6379"}, "--address names a Ray cluster: add --runtime ray, or leave --address out"),
    ],
    ids=str,
)
def test_a_setting_out_of_its_bounds_is_refused(setting, sentence):
    with pytest.raises(SettingsError) as refused:
        Settings(**setting)
    assert str(refused.value) == sentence


def test_a_refused_value_is_shown_in_one_short_line():
    with pytest.raises(SettingsError) as refused:
        Settings(geometry="\x1b[2J\n" + "x" * 500)
    said = str(refused.value)
    assert "\x1b" not in said and "\n" not in said and len(said) < 200


def test_numpy_numbers_become_python_numbers():
    settings = Settings(quantile=np.float32(0.25), limit=np.int64(3), threshold=0)
    assert [type(value) for value in (settings.quantile, settings.limit, settings.threshold)] == [float, int, float]
    assert settings.exact_quantile == 0.25
