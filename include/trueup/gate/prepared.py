"""What Great Expectations works out of an expectation before it looks at rows: its metrics, those that they rest on, their names.

It depends on the expectation alone, yet Great Expectations works it out for each frame again, which is most of what a small gate
computes. Here it is kept by the content of the expectation, as a pickle, so that no use can change it for the next. The
metrics are computed by its engine, and the verdict is the expectation's own, as in `Validator.graph_validate`; whatever is out
of the ordinary raises `LookupError` here, and is for `graph_validate` itself."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from great_expectations.core import ExpectationValidationResult
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.registry import get_expectation_impl, get_metric_provider
from great_expectations.validator.metric_configuration import MetricConfiguration, MetricConfigurationID
from great_expectations.validator.validation_graph import ValidationGraph

BATCH = "frames-rows"
MOST = 2_000
"""Most expectations that are kept."""
_LONGEST = 65_536
"""Most bytes of an expectation that is kept."""
_THEIRS = "great_expectations."
_STEPS = ("get_validation_dependencies", "metrics_validate", "_build_evr")
_kept: dict[tuple[Any, ...], bytes] = {}


class _Prepared(NamedTuple):
    expectation: Expectation
    result_format: dict[str, str | int]
    needs: dict[str, MetricConfiguration]
    """The metrics that the verdict is made of, by the names that the expectation has for them."""
    metrics: list[MetricConfiguration]
    """These, and those that they rest on, each after what it rests on."""


def validate(
    expectations: Sequence[Expectation], frame: pd.DataFrame, result_format: Mapping[str, str | int]
) -> list[ExpectationValidationResult]:
    """The result of each expectation on the frame. Raises `LookupError` for an expectation of a kind that is not kept, and what
    a metric or an expectation raises."""
    engine = PandasExecutionEngine(caching=False)
    engine.load_batch_data(BATCH, frame)
    try:
        prepared = [_prepared(each, dict(result_format)) for each in expectations]
        values: dict[MetricConfigurationID, Any] = {}
        for each in prepared:
            for metric in each.metrics:
                if metric.id not in values:
                    runtime = {"result_format": dict(result_format)}
                    values |= engine.resolve_metrics([metric], values, runtime)
        return [_judged(each, values, engine) for each in prepared]
    finally:
        engine.load_batch_data(
            BATCH, pd.DataFrame()
        )  # it refers to itself, and would hold the frame until that is found


def _judged(
    prepared: _Prepared, values: Mapping[MetricConfigurationID, Any], engine: PandasExecutionEngine
) -> ExpectationValidationResult:
    """As `Expectation.metrics_validate` does it."""
    raw = prepared.expectation._validate(
        metrics={name: values[metric.id] for name, metric in prepared.needs.items()},
        runtime_configuration={"result_format": prepared.result_format},
        execution_engine=engine,
    )
    return prepared.expectation._build_evr(raw_response=raw)


def content(expectation: Expectation) -> bytes:
    """The values of its fields, as a key: equal for equal ones of the same types. Raises `LookupError` where one is of no module,
    and so has none."""
    try:
        key = pickle.dumps(vars(expectation))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise LookupError("an expectation with a value that is of no module") from error
    if len(key) > _LONGEST:
        raise LookupError("an expectation with values of some length, such as a set of many")
    return key


def _prepared(expectation: Expectation, result_format: dict[str, str | int]) -> _Prepared:
    kind = get_expectation_impl(expectation.expectation_type)  # by which Great Expectations judges, whatever its class
    key = (kind, type(expectation), content(expectation), tuple(result_format.items()))
    if key not in _kept:
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[key] = pickle.dumps(_prepare(expectation, kind, result_format))
    prepared: _Prepared = pickle.loads(_kept[key])  # our own, of this process
    return prepared


def _prepare(
    expectation: Expectation,
    kind: type[Expectation],
    result_format: dict[str, str | int],
) -> _Prepared:
    engine = PandasExecutionEngine(caching=False)  # without a frame: what asks for its types is not kept, and raises
    configuration = expectation.configuration
    if any(not _theirs(getattr(kind, step)) for step in _STEPS) or "$PARAMETER" in str(configuration.kwargs):
        raise LookupError("an expectation that works out by itself what it needs")
    configuration.kwargs["batch_id"] = BATCH
    made = configuration.to_domain_obj()
    runtime = {"result_format": result_format}
    needs = made.get_validation_dependencies(execution_engine=engine, runtime_configuration=runtime)
    graph = ValidationGraph(execution_engine=engine)
    for metric in needs.get_metric_configurations():
        graph.build_metric_dependency_graph(metric_configuration=metric, runtime_configuration=runtime)
    metrics = list(_in_order(needs.get_metric_configurations(), engine, set()))
    return _Prepared(made, needs.result_format, dict(needs.metric_configurations), metrics)


def _in_order(
    metrics: Sequence[MetricConfiguration], engine: PandasExecutionEngine, seen: set[MetricConfigurationID]
) -> Iterator[MetricConfiguration]:
    for metric in metrics:
        if metric.id in seen:
            continue
        seen.add(metric.id)
        provider, _ = get_metric_provider(metric.metric_name, engine)
        if not _theirs(provider.get_evaluation_dependencies) or not _theirs(provider._get_evaluation_dependencies):
            raise LookupError("a metric that works out by itself what it rests on")
        yield from _in_order([*metric.metric_dependencies.values()], engine, seen)
        yield metric


def _theirs(function: Any) -> bool:
    return str(function.__module__).startswith(_THEIRS)
