"""A DynamoDB in memory: its tables, and its answers to the requests that the store sends. Each is one whole step."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .document_items import Item, RefusedRequestError, Said, checked, checked_key, failed, inserted, invalid

Request = dict[str, Any]
Answer = dict[str, Any]
TRANSACTION = 100
"""Actions of a transaction at most: AWS's limit."""


@dataclass(kw_only=True)
class Held:
    """A table that is there. `key`: its attributes with their types. `past`: items as they were before they were last written
    (None: not there), which a read may still see that is not consistent."""

    described: dict[str, Any]
    key: dict[str, str]
    items: dict[bytes, Item] = field(default_factory=dict)
    past: dict[bytes, Item | None] = field(default_factory=dict)
    recovery: bool = False

    def put(self, item: Item) -> None:
        """Put an item past every condition, as another program would."""
        self._set(checked_key(self.key, item), item)

    def take(self, key: Item) -> None:
        """Delete the item of a key, past every condition."""
        self._set(checked_key(self.key, key), None)

    def _set(self, key: bytes, item: Item | None) -> None:
        self.past[key] = self.items.get(key)
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item

    def seen(self, *, stale: bool) -> dict[bytes, Item]:
        """The items, as they are or as they were."""
        if not stale:
            return self.items
        return {key: item for key, item in {**self.items, **self.past}.items() if item is not None}


class DocumentServer:
    """Tables by name, in one account and region. `port` tells it from others in this process."""

    def __init__(self, port: int = 1) -> None:
        self.port = port
        self.tables: dict[str, Held] = {}
        self.made = 0
        self._does: dict[str, Callable[[Request], Answer]] = {
            "ListTables": lambda _: {"TableNames": sorted(self.tables)},
            "DescribeTable": lambda request: {"Table": self._described(self._table(request["TableName"]))},
            "CreateTable": self._create,
            "UpdateTable": self._update_table,
            "DescribeContinuousBackups": self._backups,
            "UpdateContinuousBackups": self._backups,
            "PutItem": lambda request: self._one("Put", request),
            "UpdateItem": lambda request: self._one("Update", request),
            "DeleteItem": lambda request: self._one("Delete", request),
            "TransactWriteItems": self._transact,
            "BatchExecuteStatement": self._statements,
            "ExecuteTransaction": self._probe,
        }

    def answer(self, operation: str, request: Request, *, first: int | None = None, stale: bool = False) -> Answer:
        """The answer to a request. `first`: so many of a batch are processed; `stale`: reads that are not consistent see the
        past. Raises `RefusedRequestError`."""
        if operation == "Scan":
            return self._scan(request, stale)
        if operation == "BatchGetItem":
            return self._get(request, first, stale)
        if operation == "BatchExecuteStatement" and first is not None:
            return self._statements(request, first)
        if operation not in self._does:
            raise RefusedRequestError("UnknownOperationException", operation)
        return self._does[operation](request)

    def _table(self, name: str) -> Held:
        if name not in self.tables:
            raise RefusedRequestError(
                "ResourceNotFoundException", f"Requested resource not found: Table: {name} not found"
            )
        return self.tables[name]

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _create(self, request: Request) -> Answer:
        name = request["TableName"]
        if name in self.tables:
            raise RefusedRequestError("ResourceInUseException", f"Table already exists: {name}")
        self.made += 1
        types = {each["AttributeName"]: each["AttributeType"] for each in request["AttributeDefinitions"]}
        arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}"
        described = {**request, "TableStatus": "ACTIVE", "TableArn": arn, "TableId": f"table-{self.made}"}
        key = {each["AttributeName"]: types[each["AttributeName"]] for each in request["KeySchema"]}
        self.tables[name] = Held(described=described, key=key)
        return {"TableDescription": described}

    def _described(self, held: Held) -> Answer:
        return {**held.described, "ItemCount": len(held.items)}

    def _update_table(self, request: Request) -> Answer:
        held = self._table(request["TableName"])
        indexes = [*held.described.get("GlobalSecondaryIndexes", ())]
        indexes += [{**each["Create"], "IndexStatus": "ACTIVE"} for each in request["GlobalSecondaryIndexUpdates"]]
        known = {each["AttributeName"] for each in request["AttributeDefinitions"]}
        kept = [each for each in held.described["AttributeDefinitions"] if each["AttributeName"] not in known]
        held.described |= {
            "GlobalSecondaryIndexes": indexes, "AttributeDefinitions": [*kept, *request["AttributeDefinitions"]]
        }  # fmt: skip
        return {"TableDescription": held.described}

    def _backups(self, request: Request) -> Answer:
        held = self._table(request["TableName"])
        asked = request.get("PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": held.recovery})
        held.recovery = asked["PointInTimeRecoveryEnabled"]
        status = {"PointInTimeRecoveryStatus": "ENABLED" if held.recovery else "DISABLED"}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": status}}

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _scan(self, request: Request, stale: bool) -> Answer:
        held = self._table(request["TableName"])
        stale = stale and not request.get("ConsistentRead")
        of, segments = request.get("Segment", 0), request.get("TotalSegments", 1)
        mine = sorted((k, i) for k, i in held.seen(stale=stale).items() if zlib.crc32(k) % segments == of)
        after = request.get("ExclusiveStartKey")
        if after is not None:
            mine = [(key, item) for key, item in mine if key > checked_key(held.key, after)]
        page = mine[: request.get("Limit", len(mine) + 1)]
        answer: Answer = {"Items": [item for _, item in page], "Count": len(page)}
        if len(page) < len(mine):
            answer["LastEvaluatedKey"] = {name: page[-1][1][name] for name in held.key}
        return answer

    def _get(self, request: Request, first: int | None, stale: bool) -> Answer:
        ((name, asked),) = request["RequestItems"].items()
        held = self._table(name)
        seen = held.seen(stale=stale and not asked.get("ConsistentRead"))
        keys = asked["Keys"] if first is None else asked["Keys"][:first]
        items = [seen[key] for given in keys if (key := checked_key(held.key, given)) in seen]
        left = asked["Keys"][len(keys) :]
        return {"Responses": {name: items}, "UnprocessedKeys": {name: {**asked, "Keys": left}} if left else {}}

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _one(self, action: str, request: Request) -> Answer:
        held, key, new = self._changed(action, request)
        held._set(key, new)
        return {}

    def _changed(self, action: str, request: Request) -> tuple[Held, bytes, Item | None]:
        """What an action makes of an item, which is not written yet."""
        held, said = self._table(request["TableName"]), Said(request)
        key = checked_key(held.key, request["Item"] if action == "Put" else request["Key"])
        now = held.items.get(key)
        if not said.holds(now):
            raise failed()
        match action:
            case "Put":
                new = request["Item"]
            case "Update":
                new = said.updated(now or request["Key"])
            case "Delete":
                new = None
            case _:
                new = now
        if new is not None:
            checked(new)
            self._check_indexes(held, new)
        return held, key, new

    def _check_indexes(self, held: Held, item: Item) -> None:
        types = {each["AttributeName"]: each["AttributeType"] for each in held.described["AttributeDefinitions"]}
        for name, tag in types.items():
            value = item.get(name)
            if value is not None and (tag not in value or value[tag] == ""):
                raise invalid(f"One or more parameter values were invalid: index key attribute {name}")

    def _transact(self, request: Request) -> Answer:
        actions = [next(iter(action.items())) for action in request["TransactItems"]]
        if len(actions) > TRANSACTION:
            raise invalid(f"Member must have length less than or equal to {TRANSACTION}")
        changed, reasons = [], []
        for name, action in actions:
            try:
                changed.append(self._changed(name, action))
                reasons.append("None")
            except RefusedRequestError as refused:
                reasons.append(refused.code.removesuffix("Exception").replace("Validation", "ValidationError"))
        self._cancel(reasons)
        for held, key, new in changed:
            held._set(key, new)
        return {}

    def _cancel(self, reasons: list[str]) -> None:
        if any(reason != "None" for reason in reasons):
            said = f"Transaction cancelled, please refer cancellation reasons for specific reasons {reasons}"
            raise RefusedRequestError("TransactionCanceledException", said, tuple(reasons))

    def _statements(self, request: Request, first: int | None = None) -> Answer:
        responses: list[Answer] = []
        for n, statement in enumerate(request["Statements"]):
            if first is not None and n >= first:
                error = {
                    "Code": "ProvisionedThroughputExceeded",
                    "Message": "The level of configured throughput was exceeded",
                }
                responses.append({"Error": error})
                continue
            try:
                self._insert(statement)
                responses.append({})
            except RefusedRequestError as refused:
                code = refused.code.removesuffix("Exception").replace("Validation", "ValidationError")
                responses.append({"Error": {"Code": code, "Message": str(refused)}})
        return {"Responses": responses}

    def _insert(self, statement: Request) -> None:
        name, item = inserted(statement)
        held = self._table(name)
        key = checked_key(held.key, item)
        if key in held.items:
            raise RefusedRequestError("DuplicateItemException", "Duplicate primary key exists in table")
        checked(item)
        self._check_indexes(held, item)
        held._set(key, item)

    def _probe(self, request: Request) -> Answer:
        """A transaction of an INSERT and an UPDATE of an item that is not there: it is always cancelled."""
        name, item = inserted(request["TransactStatements"][0])
        held = self._table(name)
        there = checked_key(held.key, item) in held.items
        self._cancel(["DuplicateItem" if there else "None", "ConditionalCheckFailed"])
        return {}
