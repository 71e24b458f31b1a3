"""kill -9 while keys of many kinds change: each change that was answered is there afterwards, one that was not is there wholly or
not at all, and the trail has what was answered, once."""
import os

import pytest

from asymmetric import make
from importing import external, import_into, parameters_for
from test_cloudhsm_key_stores import make_store
from test_crash import request_id, run_and_kill, twice

KILLS = 15


class Turns:
    """Calls that are made in turn, over and over: after so many answers, what kmsd tells is one of few things."""

    def __init__(self, calls, look, told):
        self.calls, self.look, self.told, self.done = calls, look, told, 0

    def __call__(self):
        answer = self.calls[self.done % len(self.calls)]()
        self.done += 1
        return request_id(answer)

    def check(self):
        """What was under way at the end may have been done and not answered."""
        seen = self.look()
        now, next_ = (self.told[n % len(self.told)] for n in (self.done, self.done + 1))
        assert seen in (now, next_), (self.calls, seen, now, next_)
        self.done += seen == next_


def turns(house):
    """Of keys that are made once; the calls go to whatever kmsd runs."""
    kms = house.kms()

    def call(name, **parameters):
        return lambda: getattr(house.kms(), name)(**parameters)

    def state(key):
        return lambda: house.kms().describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    waiting, secret = external(kms), os.urandom(32)
    token = parameters_for(kms, waiting)
    yield Turns([lambda: import_into(house.kms(), waiting, secret, parameters=token), call("delete_imported_key_material", KeyId=waiting)],
                state(waiting), ["PendingImport", "Enabled"])
    store = make_store(kms)
    yield Turns([call("connect_custom_key_store", CustomKeyStoreId=store), call("disconnect_custom_key_store", CustomKeyStoreId=store)],
                lambda: house.kms().describe_custom_key_stores()["CustomKeyStores"][0]["ConnectionState"], ["DISCONNECTED", "CONNECTED"])
    signer, other = (make(kms, "ECC_NIST_P256", "SIGN_VERIFY")["KeyId"] for _ in range(2))
    yield Turns([call("disable_key", KeyId=signer), call("enable_key", KeyId=signer)], state(signer), ["Enabled", "Disabled"])
    kms.create_alias(AliasName="alias/signer", TargetKeyId=signer)
    yield Turns([call("update_alias", AliasName="alias/signer", TargetKeyId=k) for k in (other, signer)],
                lambda: house.kms().describe_key(KeyId="alias/signer")["KeyMetadata"]["KeyId"], [signer, other])
    mac = make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")["KeyId"]
    kms.disable_key(KeyId=mac)
    yield Turns([call("schedule_key_deletion", KeyId=mac), call("cancel_key_deletion", KeyId=mac)], state(mac), ["Disabled", "PendingDeletion"])
    rotating = kms.create_key()["KeyMetadata"]["KeyId"]
    yield Turns([call("enable_key_rotation", KeyId=rotating, RotationPeriodInDays=100), call("disable_key_rotation", KeyId=rotating)],
                lambda: house.kms().get_key_rotation_status(KeyId=rotating)["KeyRotationEnabled"], [False, True])


@pytest.mark.slow
def test_each_change_is_whole(make_house):
    house = make_house(ddbd=False)
    all_turns, acknowledged = list(turns(house)), []
    for _ in range(KILLS):
        run_and_kill(house.kmsd, all_turns, 20, acknowledged)
        house.kmsd.start()
        for one in all_turns:
            one.check()
    assert all(one.done > KILLS for one in all_turns)
    ids = [e["requestID"] for e in house.trail() if "requestID" in e]
    assert set(acknowledged) <= set(ids) and not twice(ids)
