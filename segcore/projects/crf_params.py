"""Parameters of the dense CRF that were found for a project, kept beside its models. No torch.

``models/crf.json`` holds them by what they are for: the digest of a model, because they fit its
probabilities and no other's, or ``labels``. A model that was trained anew begins without any.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from segcore.base import BadFile, MaskwrightError
from segcore.base.whole import write_whole
from segcore.refine import AUTHORS, CrfParams

FILE = "crf.json"
LABELS = "labels"
"""The key for what is made of labels and their confidence."""


def kept_params(models_dir: Path, key: str) -> CrfParams | None:
    """What was found for a model (its digest) or for `LABELS`; None if nothing was.

    Raises
    ------
    BadFile : the file cannot be read.
    """
    row = _read(models_dir).get(key)
    return None if row is None else CrfParams.from_json(row["params"])


def default_params(models_dir: Path, key: str) -> CrfParams:
    """What is used unless somebody says otherwise: what was found, else the authors'."""
    return kept_params(models_dir, key) or AUTHORS


def keep_params(models_dir: Path, key: str, params: CrfParams, facts: dict[str, Any]) -> None:
    """Use these from now on.

    Parameters
    ----------
    facts : how they were found and what they gain, as JSON values; for whoever reads the file.
    """
    rows = _read(models_dir) | {key: {"params": params.to_json(), **facts}}
    try:
        models_dir.mkdir(exist_ok=True)
        write_whole(models_dir / FILE, json.dumps(rows, indent=1, ensure_ascii=False))
    except OSError as error:
        raise MaskwrightError(
            f"The parameters of the dense CRF cannot be kept: {error.strerror or error}.",
            "Check that the project's folder can be written to.",
        ) from error


def _read(models_dir: Path) -> dict[str, Any]:
    path = models_dir / FILE
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {str(k): dict(v) for k, v in rows.items() if isinstance(v["params"], dict)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadFile(f"{path} cannot be read.", "Delete it and tune again.") from error
