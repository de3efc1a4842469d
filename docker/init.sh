#!/bin/sh
# Before Airflow starts: the tables of its database, and the file with the admin's password.
set -eu
umask 077
python -c 'import json, os; print(json.dumps({"admin": os.environ["TRUEUP_ADMIN_PASSWORD"]}))' > /opt/airflow/state/passwords.json
exec airflow db migrate
