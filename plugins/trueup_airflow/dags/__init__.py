"""What a DAG file builds with, and what its tasks ask Airflow: forms, approvals, the run at hand, the end of a run.

DAG files call it through the modules next to this folder (`dag`, `cutover`, `schema_dag`, `comparison`).
"""
