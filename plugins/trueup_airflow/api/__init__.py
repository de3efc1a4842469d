"""The versioned API over what the migrations moved: a FastAPI application behind Airflow's auth manager.

`app.py` makes it, `v1.py` and `v2.py` are its two versions; trueup_plugin.py mounts it at /trueup/api.
"""
