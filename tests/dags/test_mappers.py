"""Before a run in one process has a second thread, nothing of Airflow's models is left to be imported or mapped."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CODE = """
from types import SimpleNamespace
from trueup_airflow.process import one_run

found = []

def left():
    from airflow.models.base import Base
    found.append((len(list(Base.registry.mappers)), all(mapper.configured for mapper in Base.registry.mappers)))

class Thread:
    def __init__(self, **_):
        pass
    start = join = staticmethod(left)

one_run.threading = SimpleNamespace(Thread=Thread, Event=one_run.threading.Event)
try:
    one_run._run(SimpleNamespace(test=lambda **_: (_ for _ in ()).throw(KeyError)), {}, None)
except KeyError:
    pass
from airflow.models import import_all_models
import_all_models()
left()
print(found)
"""


def test_a_run_has_all_mappers_before_it_has_a_second_thread(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/none.db",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    before, _, after = ast.literal_eval(done.stdout.splitlines()[-1])
    assert before == after
    assert before[1]
    assert before[0] > 40
