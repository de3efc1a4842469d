"""The pages of Trueup inside Airflow: one FastAPI app, which Airflow shows in frames (docs/decisions/0013)."""
