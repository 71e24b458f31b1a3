"""Multi-Region keys for the tests: replicas, and what KMS says of related keys."""
import datetime

from asking import members, pages
from conftest import START
from daemons import ACCOUNT

DAY = 86400
HERE, THERE, ELSEWHERE = "us-east-1", "us-west-2", "ap-northeast-1"


def arn(key, region=HERE):
    return f"arn:aws:kms:{region}:{ACCOUNT}:key/{key}"


def described(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]


def state(kms, key):
    return described(kms, key)["KeyState"]


def replicate(house, kms, key, region=THERE, **more):
    """A replica, ready; a client of its Region."""
    kms.replicate_key(KeyId=key, ReplicaRegion=region, **more)
    house.clock(advance=1)
    return house.kms(region=region)


def configuration(key, kind, primary, *replicas):
    return {"MultiRegionKeyType": kind, "PrimaryKey": {"Arn": arn(key, primary), "Region": primary},
            "ReplicaKeys": [{"Arn": arn(key, r), "Region": r} for r in replicas]}


def days(n, seconds=0):
    """The time of the virtual clock after so long."""
    return datetime.datetime.fromisoformat(START.replace("Z", "+00:00")) + datetime.timedelta(n, seconds)


def rotation(kms, key):
    answer = kms.get_key_rotation_status(KeyId=key)
    return {n: answer[n] for n in members(answer)}


def history(kms, key):
    return pages(kms.list_key_rotations, "Rotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
