"""Airflow DAG for include/migrations/knowledge_embeddings."""

from include.migrations.knowledge_embeddings.migration import migration
from trueup_airflow.dag import build_dag

dag = build_dag(migration)
