"""No secret is in the repository: keys and tokens by the shape that their makers give them. (The
detectors of detect-secrets know the same shapes, and take minutes for what this reads in a
second.)"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHAPES = {
    "private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*\n?[A-Za-z0-9+/]{20}",
    "AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})\b",
    "GitLab": r"\bglpat-[A-Za-z0-9_-]{20}\b",
    "Slack": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "Stripe": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "Google": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "npm": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI": r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20,}",
    "OpenAI or Anthropic": r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}",
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{15,}",
    "Azure storage": r"AccountKey=[A-Za-z0-9+/]{60,}",
    "password in an address": r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}<>$]+:[^\s/:@'\"{}<>$]{8,}@[\w-]",
}
EITHER = re.compile("|".join(f"(?P<s{n}>{shape})" for n, shape in enumerate(SHAPES.values())))


def secrets_in(text: str) -> list[str]:
    names = list(SHAPES)
    return [
        names[int(str(found.lastgroup)[1:])]
        for found in EITHER.finditer(text)
        if not found[0].endswith("EXAMPLE")  # as AWS's own documentation has them
    ]


def test_there_is_no_secret_in_any_file() -> None:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix not in (".png", ".gz", ".sqlite"):
            text = path.read_text("utf-8", "replace")
            found += [(name, kind) for kind in secrets_in(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # In parts, or this file would have them.
        ("key = 'AKIA" + "IOSFODNN7EXAMPLQ'", "AWS"),
        ("-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEowIBAAKCAQEA0123456789", "private key"),
        ("ghp_" + "a1B2" * 9, "GitHub"),
        ("postgres://chorus:" + "correct-horse@db.example.org/x", "password in an address"),
    ],
)
def test_one_would_be_found(text: str, kind: str) -> None:
    assert secrets_in(text) == [kind]
