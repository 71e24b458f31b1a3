"""The resource quotas: 100,000 customer managed keys in a Region. Those of aliases, grants, tags and policies are with
the tests of these."""
import json
import uuid

import pytest

from asking import code, refused
from daemons import ACCOUNT

KEYS = 100_000
FULL = ("LimitExceededException",
        f"Key quota for this account in this region is {KEYS} but the current usage is {KEYS}.")


@pytest.mark.slow
def test_a_hundred_thousand_keys(make_house, tmp_path):
    """All but two of them come from a seed: one by one they would take a minute."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"Keys": [{"KeyId": str(uuid.UUID(int=i, version=4))} for i in range(KEYS - 2)]}))
    house = make_house(ddbd=False, kmsd=(f"--seed-file={seed}",))
    kms = house.kms(ACCOUNT)
    last = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
    assert refused(kms.create_key) == refused(kms.create_key, Origin="EXTERNAL") == FULL
    # AWS's own do not count, other Regions and accounts have a quota of their own.
    kms.describe_key(KeyId="alias/aws/s3")
    assert refused(kms.create_key) == FULL
    there = house.kms(ACCOUNT, region="eu-west-1")
    primary = there.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    house.kms("444455556666").create_key()
    assert code(there.replicate_key, KeyId=primary, ReplicaRegion="us-east-1") == "LimitExceededException"
    # A key counts until it is deleted.
    kms.schedule_key_deletion(KeyId=last[0], PendingWindowInDays=7)
    assert refused(kms.create_key) == FULL
    house.clock(advance=8 * 86400)
    kms.create_key()
    assert refused(kms.create_key) == FULL
