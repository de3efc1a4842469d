"""DynamoDB tables: describing them, and making them from a declaration."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from ...declare.migration import Index, Table, Type
from ...errors import StoreRejectedError, StoreUnavailableError
from .. import Catalogue, Description, Known
from .items import TAGS
from .wire import RejectedError, Wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef, TableDescriptionTypeDef
    from pydantic import JsonValue

logger = logging.getLogger(__name__)

ACTIVE_SECONDS = 900.0
"""How long a new table and its indexes may take until they can be used."""
RECOVERY_PAUSE_SECONDS = 2.0
LOOKED_AT = 500
"""Items that are looked at to learn what attributes a table has."""
_UNKNOWN = ("UnknownOperation", "UnsupportedOperation", "NotImplemented")


def describe(wire: Wire, table: Table) -> Description | None:
    """The table as it is, compared with its declaration; None if there is none."""
    answer = _describe(wire, table)
    return None if answer is None else _description(table, answer)


def catalogue(wire: Wire, name: str) -> Catalogue | None:
    """The table: its key, and the attributes of the first items of a scan, each with its most frequent type and the share
    of items that have it. An attribute of a type that a declaration has no word for (lists, sets) has none."""
    table = Table(name=name, connection="", key=("id",), columns={"id": Type.TEXT})
    answer = _describe(wire, table)
    if answer is None:
        return None
    items = _call(wire, "Scan", table, {"Limit": LOOKED_AT})["Items"]
    seen: dict[str, Counter[str]] = {}
    for item in items:
        for attribute, value in item.items():
            seen.setdefault(attribute, Counter())[next(iter(value))] += 1
    types = {tag: type_ for type_, tag in TAGS.items()}
    defined = {each["AttributeName"]: each["AttributeType"] for each in answer["AttributeDefinitions"]}
    key = _key_of(answer["KeySchema"])
    known = []
    for attribute in dict.fromkeys((*key, *sorted(seen))):
        tags = seen.get(attribute, Counter({defined.get(attribute, "S"): 1}))
        tag = next((tag for tag, _ in tags.most_common() if tag != "NULL"), "S")
        share = sum(tags.values()) / len(items) if items else 1.0
        exact = " or ".join(sorted(tags))
        known.append(Known(name=attribute, type=types.get(tag), exact=exact, not_null=attribute in key, share=share))
    return Catalogue(name=name, key=key, columns=tuple(known), looked_at=len(items), place=(name,), empty=not items)


def names(wire: Wire) -> list[str]:
    """The names of all tables, sorted."""
    listed: list[str] = []
    request: dict[str, JsonValue] = {}
    while True:
        answer = wire.call("ListTables", "", orjson.dumps(request))
        listed += answer["TableNames"]
        if (last := answer.get("LastEvaluatedTableName")) is None:
            return sorted(listed)
        request = {"ExclusiveStartTableName": last}


def create(wire: Wire, table: Table) -> bool:
    """Make the table and its indexes, on demand and protected from deletion, and wait until they can be used.

    Point-in-time recovery is turned on where the endpoint has it; a warning is logged where not. False if a table
    that fits the declaration was there already; it gets the indexes that it lacks and that are declared so (`Index.add`).
    Raises `StoreRejectedError` if one is there that does not fit.
    """
    try:
        _call(wire, "CreateTable", table, _definition(table))
        created = True
    except RejectedError as error:
        if error.code != "ResourceInUse":
            raise
        created = False
    answer = _wait_until_active(wire, table)
    if differences := _description(table, answer).differences:
        raise StoreRejectedError(
            f"table {table.name!r} exists, but not as declared: {'; '.join(differences)}. Change the table or "
            "the declaration; of a table that it did not create Trueup adds declared indexes (Index.add), and alters nothing."
        )
    if created:
        _turn_on_recovery(wire, table)
    else:
        for index in table.indexes:
            if index.add and index.name not in _description(table, answer).indexes:
                answer = _add_index(wire, table, index, answer)
        _warn_without_recovery(wire, table)
    return created


def _add_index(wire: Wire, table: Table, index: Index, answer: TableDescriptionTypeDef) -> TableDescriptionTypeDef:
    """Give a table that is there an index, and wait until it can be used; DynamoDB's description of the table then."""
    create: dict[str, JsonValue] = _index(index)
    if (answer.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED") == "PROVISIONED":
        paid = answer.get("ProvisionedThroughput") or {}
        reads, writes = paid.get("ReadCapacityUnits"), paid.get("WriteCapacityUnits")
        if reads and writes:  # an index of a table whose capacity is provisioned has its own
            create["ProvisionedThroughput"] = {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}
    request: dict[str, JsonValue] = {
        "AttributeDefinitions": [
            {"AttributeName": column, "AttributeType": TAGS[table.columns[column]]}
            for column in dict.fromkeys((*table.key, *index.key))
        ],
        "GlobalSecondaryIndexUpdates": [{"Create": create}],
    }
    try:
        _call(wire, "UpdateTable", table, request)
    except RejectedError as error:
        # an earlier try, or somebody else, is making it
        if error.code not in ("ResourceInUse", "LimitExceeded", "Validation"):
            raise
        described = _describe(wire, table)
        if described is None or index.name not in _description(table, described).indexes:
            raise
    return _wait_until_active(wire, table)


def _definition(table: Table) -> dict[str, JsonValue]:
    """The `CreateTable` request for a declaration."""
    key_columns = dict.fromkeys([*table.key, *(column for index in table.indexes for column in index.key)])
    definition: dict[str, JsonValue] = {
        "KeySchema": _key_schema(table.key),
        "AttributeDefinitions": [
            {"AttributeName": column, "AttributeType": TAGS[table.columns[column]]} for column in key_columns
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
    }
    if table.indexes:
        definition["GlobalSecondaryIndexes"] = [_index(index) for index in table.indexes]
    return definition


def _index(index: Index) -> dict[str, JsonValue]:
    return {"IndexName": index.name, "KeySchema": _key_schema(index.key), "Projection": {"ProjectionType": "ALL"}}


def _key_schema(key: tuple[str, ...]) -> list[JsonValue]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(key, ("HASH", "RANGE"), strict=False)]


def _call(wire: Wire, operation: str, table: Table, request: Mapping[str, JsonValue]) -> dict[str, Any]:
    return wire.call(operation, table.name, orjson.dumps({"TableName": table.name, **request}))


def _describe(wire: Wire, table: Table) -> TableDescriptionTypeDef | None:
    """DynamoDB's own description, or None if there is no such table."""
    try:
        answer: TableDescriptionTypeDef = _call(wire, "DescribeTable", table, {})["Table"]
        return answer
    except RejectedError as error:
        if error.code == "ResourceNotFound":
            return None
        raise


def _description(table: Table, answer: TableDescriptionTypeDef) -> Description:
    types = {each["AttributeName"]: each["AttributeType"] for each in answer["AttributeDefinitions"]}
    key = _key_of(answer["KeySchema"])
    indexes = {
        index["IndexName"]: _key_of(index["KeySchema"])
        for index in [*(answer.get("GlobalSecondaryIndexes") or []), *(answer.get("LocalSecondaryIndexes") or [])]
    }
    differences = []
    if key != table.key:
        differences.append(f"its key is {key}, declared is {table.key}")
    for index in table.indexes:
        if index.name not in indexes:
            if index.add:
                continue
            differences.append(f"it has no index {index.name!r}")
        elif indexes[index.name] != index.key:
            differences.append(f"the key of index {index.name!r} is {indexes[index.name]}, declared is {index.key}")
    for column, type_ in types.items():
        if column in table.columns and type_ != TAGS[table.columns[column]]:
            differences.append(f"key attribute {column!r} is of type {type_}, declared is {table.columns[column]}")
    return Description(
        name=table.name,
        key=key,
        indexes=tuple(sorted(indexes)),
        estimated_rows=answer.get("ItemCount"),
        differences=tuple(differences),
        identity=answer.get("TableId") or f"{answer.get('TableArn')} {answer.get('CreationDateTime')}",
    )


def _key_of(schema: Sequence[KeySchemaElementTypeDef]) -> tuple[str, ...]:
    """Hash, then range column of a table or an index as `DescribeTable` shows it."""
    return tuple(each["AttributeName"] for each in sorted(schema, key=lambda each: each["KeyType"]))


def _wait_until_active(wire: Wire, table: Table) -> TableDescriptionTypeDef:
    """DynamoDB's description of the table once it and all its indexes are active."""
    deadline = wire.effects.monotonic() + ACTIVE_SECONDS
    pause = 0.1
    while True:
        answer = _describe(wire, table)
        states = {} if answer is None else {table.name: answer["TableStatus"]}
        for index in (answer.get("GlobalSecondaryIndexes") or []) if answer is not None else []:
            states[index["IndexName"]] = index.get("IndexStatus", "ACTIVE")
        # UPDATING can be read and written; DELETING must not be, and None may be a table not yet visible
        if answer is not None and set(states.values()) <= {"ACTIVE", "UPDATING"}:
            return answer
        if wire.effects.monotonic() > deadline:
            raise StoreUnavailableError(
                f"table {table.name!r} could not be used {ACTIVE_SECONDS:.0f} s after its creation was "
                f"requested: {states or 'not there'}. Look at it in the DynamoDB console, then run the step "
                "again."
            )
        wire.effects.sleep(pause)
        pause = min(5.0, pause * 1.5)


def _turn_on_recovery(wire: Wire, table: Table) -> None:
    """Turn point-in-time recovery on, or log a warning where the endpoint has none."""
    deadline = wire.effects.monotonic() + ACTIVE_SECONDS
    request: dict[str, JsonValue] = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    while True:
        try:
            _call(wire, "UpdateContinuousBackups", table, request)
            return
        except RejectedError as error:
            if error.code in _UNKNOWN:
                logger.warning("table %r is without point-in-time recovery: this endpoint has none", table.name)
                return
            # for some time after a table was made its backups are still being set up
            if error.code != "ContinuousBackupsUnavailable" or wire.effects.monotonic() > deadline:
                raise
        wire.effects.sleep(RECOVERY_PAUSE_SECONDS)


def _warn_without_recovery(wire: Wire, table: Table) -> None:
    """Say so if a table that was there already cannot be restored to a point in time; leave the setting to its owner."""
    try:
        answer = _call(wire, "DescribeContinuousBackups", table, {})["ContinuousBackupsDescription"]
    except RejectedError as error:
        level = logging.INFO if error.code in _UNKNOWN else logging.WARNING
        logger.log(level, "cannot tell whether table %r has point-in-time recovery: %s", table.name, error)
        return
    status = (answer.get("PointInTimeRecoveryDescription") or {}).get("PointInTimeRecoveryStatus")
    if status != "ENABLED":
        logger.warning("table %r, which was there already, is without point-in-time recovery", table.name)
