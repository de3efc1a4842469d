"""The versioned API over what the migrations moved: a FastAPI application behind Airflow's auth manager.

`app.py` makes it, `mount.py` puts into it the routes that the migrations bring (`include/migrations/<id>/routes.py`),
`access.py` is who may call them; trueup_plugin.py mounts it at /trueup/api.
"""
