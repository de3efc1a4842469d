"""Airflow DAGs for include/migrations/knowledge_embeddings."""

from include.migrations.knowledge_embeddings.migration import migration
from trueup_airflow.dag import build_dag, build_rollback

dag = build_dag(migration)
rollback = build_rollback(migration)
