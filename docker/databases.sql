-- Beside Airflow's own database: the ledger's, and one for each connection of dags/ to PostgreSQL. The image runs this once,
-- on an empty volume.
CREATE DATABASE trueup;
CREATE DATABASE scoring;
CREATE DATABASE survey;
CREATE DATABASE socrates_auth;
CREATE DATABASE socrates_specs;
