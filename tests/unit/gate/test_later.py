"""What Great Expectations imports and suites hardly use is loaded when it is used, and works then."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import pandas as pd
from include.trueup.gate import evaluate
import great_expectations.expectations as gxe

def loaded():
    return any(name in sys.modules for name in ("scipy.stats._stats_py", "altair.vegalite"))

def like(*weights):
    parts = {"values": ["x", "y"], "weights": weights}
    return [gxe.ExpectColumnKLDivergenceToBeLessThan(column="a", partition_object=parts, threshold=0.1)]

frame = pd.DataFrame({"_key": ["1", "2"], "a": ["x", "y"]})
assert evaluate(lambda: [gxe.ExpectColumnValuesToNotBeNull(column="a")], [frame], gate="g").passed
assert not loaded()
assert evaluate(lambda: like(0.5, 0.5), [frame], gate="g").passed
assert not evaluate(lambda: like(0.99, 0.01), [frame], gate="g").passed
assert loaded()
"""


def test_scipy_and_altair_are_loaded_when_an_expectation_needs_them() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
