"""DynamoDB as a store: DynamoDB itself, or an engine that speaks its API."""

from .store import DynamoDBStore, client

__all__ = ["DynamoDBStore", "client"]
