"""What the keys of one part of the configuration say of each other.

On the data as it was written, not on checked values: one wrong value must not hide what is
wrong beside it. So everything here is read defensively.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from rasid.config import parse_duration
from rasid.yamltree import Loc, Tree

# Rule files are FOLDER/LANGUAGE/NAME.yaml; these are near misses, if they are of rules.
_ASTRAY = ("*.yaml", "*.yml", "*/*.yml", "*/*/*.yaml", "*/*/*.yml")
_OF_RULES = re.compile(rb"^(theme|gazetteer|language):", re.MULTILINE)
_CHANNELS = ("slack", "email", "webhook", "push", "terminal")


def check_parts(tree: Tree, data: dict[str, Any]) -> None:
    """Add to the tree's problems."""
    _check_intervals(tree, data.get("collect"))
    _check_rules(tree, data.get("rules"))
    receivers = data.get("receivers")
    for i, part in enumerate(receivers if isinstance(receivers, list) else []):
        if not isinstance(part, dict):
            continue
        loc: Loc = ("receivers", i)
        if sum(part.get(channel) is not None for channel in _CHANNELS) != 1:
            tree.problem(loc, f"needs exactly one of {', '.join(_CHANNELS)}")
        if isinstance(part.get("slack"), dict):
            _check_slack(tree, (*loc, "slack"), part["slack"])


def _check_intervals(tree: Tree, part: Any) -> None:
    if not isinstance(part, dict):
        return
    try:
        shortest = parse_duration(part.get("min_interval", "2m"))
        longest = parse_duration(part.get("max_interval", "1h"))
    except ValueError:
        return  # told where it stands
    if shortest > longest:
        key = "min_interval" if "min_interval" in part else "max_interval"
        tree.problem(("collect", key), "min_interval is longer than max_interval")


def _check_rules(tree: Tree, folders: Any) -> None:
    """Rules that nobody reads would be missed only by what they do not flag."""
    for i, folder in enumerate(folders if isinstance(folders, list) else []):
        root = Path(folder) if isinstance(folder, str) else None
        if root is None or not root.is_dir():
            continue  # told by who reads them
        for path in sorted(path for pattern in _ASTRAY for path in root.glob(pattern)):
            with suppress(OSError):
                if _OF_RULES.search(path.read_bytes()):
                    tree.problem(
                        ("rules", i),
                        f"{path.relative_to(root)} in it would not be read: a file of rules"
                        f" stands in the folder of its language, as ar/{path.stem}.yaml",
                    )


def _check_slack(tree: Tree, loc: Loc, part: dict[str, Any]) -> None:
    has_webhook, has_token = ("webhook_url" in part, "token" in part)
    if has_webhook == has_token:
        tree.problem(loc, "needs either webhook_url, or token and channel")
    elif has_token and not part.get("channel"):
        tree.problem(loc, "token needs a channel")
    elif has_webhook and "channel" in part:
        tree.problem((*loc, "channel"), "stands beside webhook_url, which has a channel of its own")
