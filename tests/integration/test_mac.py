"""GenerateMac and VerifyMac: every algorithm and what is refused. Key material does not leave kmsd, so what a MAC must be
is tested in tests/unit/kmsd/test_crypto_mac.c."""
import pytest

from asking import ARNS, PRINCIPALS, as_, code, members, opened, refused
from asymmetric import HMAC_BITS, make

MESSAGE = b"some important message"
ORDER = "HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512"
INVALID = ("KMSInvalidMacException", "")


@pytest.fixture
def hmac_256(kms):
    return make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")["Arn"]


@pytest.mark.parametrize("bits", HMAC_BITS)
@pytest.mark.parametrize("size", [1, 129, 4096])
def test_round_trip(kms, bits, size):
    key, algorithm, message = make(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC"), f"HMAC_SHA_{bits}", b"m" * size
    answer = kms.generate_mac(KeyId=key["KeyId"], Message=message, MacAlgorithm=algorithm)
    assert members(answer) == {"KeyId", "Mac", "MacAlgorithm"}
    assert (answer["KeyId"], answer["MacAlgorithm"], len(answer["Mac"])) == (key["Arn"], algorithm, bits // 8)
    assert kms.generate_mac(KeyId=key["Arn"], Message=message, MacAlgorithm=algorithm)["Mac"] == answer["Mac"]
    told = kms.verify_mac(KeyId=key["KeyId"], Message=message, MacAlgorithm=algorithm, Mac=answer["Mac"])
    assert members(told) == {"KeyId", "MacValid", "MacAlgorithm"}
    assert (told["KeyId"], told["MacValid"], told["MacAlgorithm"]) == (key["Arn"], True, algorithm)


def test_what_is_no_mac_of_it(kms, hmac_256):
    mac = kms.generate_mac(KeyId=hmac_256, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")["Mac"]

    def told(mac, message=MESSAGE, key=hmac_256):
        return refused(kms.verify_mac, KeyId=key, Message=message, MacAlgorithm="HMAC_SHA_256", Mac=mac)
    assert told(mac, b"some different important message") == INVALID
    for bad in (mac[:-1], mac + b"\0", bytes([mac[0] ^ 1]) + mac[1:], mac[:-1] + bytes([mac[-1] ^ 128]), b"m", b"m" * 6144):
        assert told(bad) == INVALID
    assert told(mac, key=make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")["Arn"]) == INVALID


@pytest.mark.parametrize("bits", HMAC_BITS)
def test_algorithms_of_other_keys(kms, bits):
    key = make(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC")["KeyId"]
    for other in HMAC_BITS:
        if other != bits:
            asked = {"KeyId": key, "Message": MESSAGE, "MacAlgorithm": f"HMAC_SHA_{other}"}
            wrong = ("InvalidKeyUsageException", f"Algorithm HMAC_SHA_{other} is incompatible with key spec HMAC_{bits}.")
            assert refused(kms.generate_mac, **asked) == refused(kms.verify_mac, Mac=b"m", **asked) == wrong


def test_keys_of_another_usage(kms, key):
    for arn, usage in ((kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"], "ENCRYPT_DECRYPT"),
                       (make(kms, "ECC_NIST_P256", "SIGN_VERIFY")["Arn"], "SIGN_VERIFY")):
        asked = {"KeyId": arn, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
        for call, name, more in ((kms.generate_mac, "GenerateMac", {}), (kms.verify_mac, "VerifyMac", {"Mac": b"m"})):
            assert refused(call, **asked, **more) == (
                "InvalidKeyUsageException", f"{arn} key usage is {usage} which is not valid for {name}.")


def test_validation(house, kms, hmac_256):
    assert refused(kms.generate_mac, KeyId="key_id", Message=MESSAGE, MacAlgorithm="HMAC_SHA_256") == (
        "NotFoundException", "Invalid keyId 'key_id'")
    assert refused(kms.verify_mac, KeyId="key_id", Message=MESSAGE, MacAlgorithm="HMAC_SHA_256", Mac=b"m") == (
        "NotFoundException", "Invalid keyId 'key_id'")
    at = "failed to satisfy constraint: Member must"
    for call, more in ((kms.generate_mac, {}), (kms.verify_mac, {"Mac": b"m"})):
        for algorithm in ("INVALID", "hmac_sha_256"):
            assert refused(call, KeyId=hmac_256, Message=MESSAGE, MacAlgorithm=algorithm, **more) == (
                "ValidationException", f"1 validation error detected: Value '{algorithm}' at 'macAlgorithm' {at} satisfy enum "
                f"value set: [{ORDER}]")
        assert refused(call, KeyId=hmac_256, Message=b"m" * 4097, MacAlgorithm="HMAC_SHA_256", **more)[1].endswith(
            f"Value at 'message' {at} have length less than or equal to 4096")
    loose = house.kms(parameter_validation=False)
    assert refused(loose.generate_mac, KeyId=hmac_256) == (
        "ValidationException", f"2 validation errors detected: Value at 'message' {at} not be null; "
        f"Value null at 'macAlgorithm' {at} not be null")
    assert refused(loose.verify_mac, KeyId=hmac_256, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256") == (
        "ValidationException", f"1 validation error detected: Value null at 'mac' {at} not be null")


def test_dry_run(kms, hmac_256):
    dry = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    asked = {"KeyId": hmac_256, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    mac = kms.generate_mac(**asked)["Mac"]
    assert refused(kms.generate_mac, **asked, DryRun=True) == refused(kms.verify_mac, **asked, Mac=mac, DryRun=True) == dry
    assert refused(kms.verify_mac, **asked, Mac=b"m", DryRun=True) == INVALID


def test_grants(tmp_path):
    with opened(tmp_path / "house", principals=PRINCIPALS) as house:
        root, bob = as_(house, "root"), as_(house, "bob")
        asked = {"KeyId": make(root, "HMAC_384", "GENERATE_VERIFY_MAC")["Arn"], "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_384"}
        assert code(bob.generate_mac, **asked) == "AccessDeniedException"
        root.create_grant(KeyId=asked["KeyId"], GranteePrincipal=ARNS["bob"], Operations=["GenerateMac"])
        mac = bob.generate_mac(**asked)["Mac"]
        assert code(bob.verify_mac, **asked, Mac=mac) == "AccessDeniedException"
        root.create_grant(KeyId=asked["KeyId"], GranteePrincipal=ARNS["bob"], Operations=["VerifyMac"])
        assert bob.verify_mac(**asked, Mac=mac)["MacValid"]


def test_macs_outlive_a_restart(make_house):
    house = make_house(ddbd=False)
    asked = {"KeyId": make(house.kms(), "HMAC_512", "GENERATE_VERIFY_MAC")["KeyId"], "Message": MESSAGE,
             "MacAlgorithm": "HMAC_SHA_512"}
    mac = house.kms().generate_mac(**asked)["Mac"]
    house.stop()
    house.start(ddbd=False)
    assert house.kms().generate_mac(**asked)["Mac"] == mac
