#!/bin/sh
# Before Airflow starts: the tables of its database, the file with the admin's password, and libpq's with the database's, for
# connections that name it (`passfile`).
set -eu
umask 077
python -c 'import json, os; print(json.dumps({"admin": os.environ["TRUEUP_ADMIN_PASSWORD"]}))' > /opt/airflow/state/passwords.json
printf 'postgres:5432:*:airflow:%s\n' "$POSTGRES_PASSWORD" > /opt/airflow/state/pgpass
exec airflow db migrate
