-- Beside Airflow's own database: the ledger's. PostgreSQL's image runs this once, on an empty volume.
CREATE DATABASE trueup;
