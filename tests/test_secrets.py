"""No secret is in the repository; CI runs this with all other tests."""

import random
import string
import subprocess
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[1]

# The keyword detector is left out: it takes every word beside "password" for one, as tests need them.
DETECTORS = [
    {"name": "ArtifactoryDetector"},
    {"name": "AWSKeyDetector"},
    {"name": "AzureStorageKeyDetector"},
    {"name": "BasicAuthDetector"},
    {"name": "GitHubTokenDetector"},
    {"name": "GitLabTokenDetector"},
    {"name": "JwtTokenDetector"},
    {"name": "NpmDetector"},
    {"name": "OpenAIDetector"},
    {"name": "PrivateKeyDetector"},
    {"name": "PypiTokenDetector"},
    {"name": "SlackDetector"},
    {"name": "StripeDetector"},
    {"name": "TwilioKeyDetector"},
    {"name": "Base64HighEntropyString", "limit": 4.5},
    {"name": "HexHighEntropyString", "limit": 3.0},
]
SETTINGS = {"plugins_used": DETECTORS}

# What looks like a secret and is none: file, and detector.
KNOWN = {
    # Commits and fingerprints of devices beside each measurement.
    ("benchmarks/history.jsonl", "Hex High Entropy String"),
    # The password is a variable of the environment, named in the address.
    ("docker-compose.yaml", "Basic Auth Credentials"),
}


@pytest.mark.slow
def test_the_repository_holds_no_secret() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = SecretsCollection(root=str(ROOT))
    with transient_settings(SETTINGS):
        for name in listed.splitlines():
            if (ROOT / name).is_file():
                found.scan_file(name)
    suspects = {
        f"{name}:{secret.line_number}: {secret.type}" for name, secret in found if (name, secret.type) not in KNOWN
    }
    assert suspects == set()


def letters(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Random ones, seed 7: this file itself is to hold nothing that looks like a secret."""
    return "".join(random.Random(7).choices(alphabet, k=count))


PLANTED = {
    "AWS Access Key": "AKIA" + letters(16, string.ascii_uppercase + string.digits),
    "GitHub Token": "ghp_" + letters(36),
    "Private Key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "Basic Auth Credentials": f"https://user:{letters(12)}@example.org",
    "Base64 High Entropy String": f'key = "{letters(40)}"',
}


@pytest.mark.parametrize("kind", PLANTED)
def test_the_scanner_sees_what_it_is_to_see(kind: str) -> None:
    with transient_settings(SETTINGS):
        assert kind in {secret.type for secret in scan_line(PLANTED[kind])}
