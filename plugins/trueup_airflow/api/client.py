"""`python -m trueup_airflow.api.client FOLDER` writes a Python client of the API, generated from its description."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .app import app, description

PACKAGE = "trueup_client"


def generate(folder: Path) -> Path:
    """Write a project with the package `trueup_client` into the folder, over what was generated there before; gives the
    folder. Raises `RuntimeError`, with what the generator said, where it left anything out."""
    # tools of those who develop: an API server needs none of it
    from openapi_python_client import generate as write
    from openapi_python_client.config import Config, ConfigFile, MetaType

    folder.mkdir(parents=True, exist_ok=True)
    document = folder.parent / f"{folder.name}.openapi.json"
    document.write_text(json.dumps(description(app), indent=1), encoding="utf-8")
    chosen = ConfigFile(project_name_override="trueup-client", package_name_override=PACKAGE, post_hooks=[])
    config = Config.from_sources(
        chosen, MetaType.SETUP, document, file_encoding="utf-8", overwrite=True, output_path=folder
    )
    if problems := write(config=config):
        raise RuntimeError("; ".join(f"{each.header}: {each.detail}" for each in problems))
    return folder


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
