"""AWS's SDKs for Go, Java and Rust, as an application's test would use them: the programs that tests/sdk/build makes."""
import json
import os
import subprocess

import pytest

from daemons import ACCOUNT, REGION, ROOT, House

BUILT = ROOT / "build/sdk"
PROGRAMS = {
    "go": ([BUILT / "go"], "aws-sdk-go-v2/"),
    "java": (["java", "-cp", f"{BUILT}/java/classes:{BUILT}/java/dependency/*", "SdkTest"], "aws-sdk-java/2"),
    "rust": ([BUILT / "rust/debug/kmsd-sdk-test"], "aws-sdk-rust/"),
}
START = 1779309900  # 2026-05-20T20:45:00Z


@pytest.fixture(params=PROGRAMS)
def ran(request, tmp_path):
    """What the program said, the trail of its calls, and what its SDK calls itself."""
    command, agent = PROGRAMS[request.param]
    house = House(tmp_path, kmsd=["--clock=2026-05-20T20:45:00Z", "--clock-scale=0"])
    try:
        house.start(ddbd=False)
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env |= {"AWS_ENDPOINT_URL_KMS": house.kmsd.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        done = subprocess.run([str(word) for word in command], env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        house.stop()
        yield json.loads(done.stdout), house.delivered(), agent
    finally:
        house.abandon()


def test_sdk(ran):
    said, events, agent = ran
    keys = said.pop("keys")
    assert len(keys) == 3 and said["key"] in keys
    assert said.pop("key").startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    assert said == {"alias": True, "created": START, "decrypted": True, "wrongContext": True, "dataKeyLength": 32, "verified": True,
                    "mac": True, "noSuchKey": True, "deletion": START + 7 * 86400,
                    "message": f"Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/11112222-3333-4444-5555-666677778888' does not exist"}
    assert {e["eventName"] for e in events} >= {"CreateKey", "Encrypt", "Decrypt", "Sign", "Verify", "GenerateMac", "ListKeys"}
    assert all(agent in e["userAgent"] for e in events)
