"""Processes that Trueup starts in place of Airflow's own: the scheduler with its libraries loaded, and one run in the
foreground (`make run`, `make demo`). No DAG file and no page calls them."""
