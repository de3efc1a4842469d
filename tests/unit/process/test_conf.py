"""A conf that does not fit is answered field by field, with what is allowed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk.definitions.param import ParamsDict

from include.trueup.errors import OptionsError
from trueup_airflow.dags.params import params
from trueup_airflow.process.conf import check_conf

DAG: Any = cast("Any", SimpleNamespace(dag_id="people", params=ParamsDict(params())))


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        ({"mode": "pln"}, "mode is \"pln\"; did you mean 'plan'? There are: apply, plan, verify"),
        ({"mode": 1}, 'mode is 1; it is one of "apply", "plan", "verify"'),
        ({"mod": "plan"}, "there is no param 'mod'; did you mean 'mode'? There are: "),
        ({"approval": "no"}, 'approval is "no"; it is true or false'),
        ({"max_reject_share": 5}, "max_reject_share is 5; it is a number from 0 to 1"),
        ({"max_rejects": -1}, "max_rejects is -1; it is a whole number from 0 or null"),
        ({"window_start": "soon"}, 'window_start is "soon"; it is a date and time, as 2025-01-31T00:00:00Z or null'),
        ({"cascade_to": [1]}, "cascade_to is [1]; it is a list, […] of which each is a text"),
    ],
)
def test_the_one_wrong_field_is_named(conf: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionsError) as error:
        check_conf(DAG, {"approval": False, **conf})
    assert str(error.value).startswith(f"CONF does not fit people: {told}")
    assert "\n" not in str(error.value)


def test_each_wrong_field_has_a_line_and_what_fits_has_none() -> None:
    with pytest.raises(OptionsError) as error:
        check_conf(DAG, {"mode": "x", "extra": "y"})
    assert [line.split(": ")[1].split()[0] for line in str(error.value).splitlines()] == ["mode", "extra"]
    check_conf(DAG, {"mode": "plan", "window_start": "2025-01-31T00:00:00Z", "window_end": None})
