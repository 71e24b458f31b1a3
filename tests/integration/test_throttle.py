"""Request rates (--throttle): what is refused, what shares a quota, and what the trail shows of it. The figures are so low
that no machine is slow enough to fill a bucket again while a test runs."""
import subprocess

import pytest

from asking import code, refused, service_client
from daemons import ACCOUNT, program, until
from tables import customer, describe, make_table, put

OTHER = "444455556666"
THROTTLED = ("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
ONCE = 0.0001  # one call, and the next one hours later


def throttled(make_house, **rates):
    return make_house(ddbd=False, kmsd=("--throttle=" + ",".join(f"{name}={rate}" for name, rate in rates.items()),))


def test_off_by_default(kms, key):
    for _ in range(30):
        kms.enable_key(KeyId=key)


def test_an_operation_has_a_quota_of_its_own(make_house):
    house = throttled(make_house, CreateKey=ONCE)
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert refused(kms.create_key) == refused(kms.create_key) == THROTTLED
    for _ in range(3):
        kms.describe_key(KeyId=key)  # others have theirs
    house.kms(region="eu-west-1").create_key()  # each Region, and each account
    house.kms(OTHER).create_key()
    assert refused(house.kms(OTHER).create_key) == THROTTLED


def test_it_is_a_400_that_sdks_try_again(make_house):
    house = throttled(make_house, DescribeKey=20)
    kms = house.kms(retries={"total_max_attempts": 10, "mode": "standard"})
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(60):
        kms.describe_key(KeyId=key)
    once = throttled(make_house, ListKeys=ONCE).kms()
    once.list_keys()
    with pytest.raises(once.exceptions.ClientError) as error:
        once.list_keys()
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_buckets_fill_again(make_house):
    kms = throttled(make_house, ListKeys=2).kms()
    until(lambda: [code_or_none(kms.list_keys) for _ in range(5)].count("ThrottlingException"), "a refusal")
    until(lambda: code_or_none(kms.list_keys) is None, "an answer")


def code_or_none(call, **parameters):
    try:
        call(**parameters)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return error.response["Error"]["Code"]
    return None


@pytest.mark.parametrize("family", ["symmetric", "RSA", "ECC"])
def test_cryptographic_operations_share_a_quota(make_house, family):
    house = make_house(ddbd=False, kmsd=(f"--throttle={family}={ONCE}",))
    kms = house.kms()
    make = lambda spec, usage: kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]  # noqa: E731
    symmetric, mac = make("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), make("HMAC_256", "GENERATE_VERIFY_MAC")
    rsa, rsa_signer = make("RSA_2048", "ENCRYPT_DECRYPT"), make("RSA_2048", "SIGN_VERIFY")
    ecc, agreer = make("ECC_NIST_P256", "SIGN_VERIFY"), make("ECC_NIST_P384", "KEY_AGREEMENT")
    peer = kms.get_public_key(KeyId=agreer)["PublicKey"]
    calls = {
        "symmetric": [lambda: kms.encrypt(KeyId=symmetric, Plaintext=b"x"), lambda: kms.generate_random(NumberOfBytes=1),
                      lambda: kms.generate_data_key(KeyId=symmetric, KeySpec="AES_256"),
                      lambda: kms.generate_mac(KeyId=mac, Message=b"m", MacAlgorithm="HMAC_SHA_256")],
        "RSA": [lambda: kms.encrypt(KeyId=rsa, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256"),
                lambda: kms.sign(KeyId=rsa_signer, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")],
        "ECC": [lambda: kms.sign(KeyId=ecc, Message=b"m", SigningAlgorithm="ECDSA_SHA_256"),
                lambda: kms.derive_shared_secret(KeyId=agreer, KeyAgreementAlgorithm="ECDH", PublicKey=peer)]}
    calls[family][0]()
    for name, of_family in calls.items():
        for call in of_family:
            if name == family:
                assert refused(call) == THROTTLED
            else:
                call()
    # Data key pairs have quotas of their own.
    kms.generate_data_key_pair_without_plaintext(KeyId=symmetric, KeyPairSpec="ECC_NIST_P256")


def test_re_encrypt_counts_for_both_kinds_of_keys_and_once_for_one(make_house):
    house = make_house(ddbd=False, kmsd=("--throttle=symmetric=3,RSA=1",))
    kms = house.kms()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
    rsa = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=keys[0], Plaintext=b"x")["CiphertextBlob"]
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=keys[1])
    to_rsa = {"CiphertextBlob": blob, "DestinationKeyId": rsa, "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    until(lambda: code_or_none(kms.re_encrypt, **to_rsa) == "ThrottlingException", "a refusal")


def test_pairs_by_their_spec(make_house):
    house = make_house(ddbd=False, kmsd=(f"--throttle=GenerateDataKeyPair:ECC_NIST_P256={ONCE}",))
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    assert refused(kms.generate_data_key_pair_without_plaintext, KeyId=key, KeyPairSpec="ECC_NIST_P256") == THROTTLED
    kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P384")


def test_a_replica_counts_in_its_region(make_house):
    house = throttled(make_house, CreateKey=ONCE)
    kms = house.kms()
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    assert refused(house.kms(region="eu-west-1").create_key) == THROTTLED


def test_calls_of_a_service_count_for_the_account(make_house):
    house = throttled(make_house, ListKeys=ONCE, DescribeKey=ONCE)
    kms = house.kms(ACCOUNT)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.describe_key(KeyId=key)
    service = service_client(house, user=(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"))
    assert refused(service.describe_key, KeyId=key) == THROTTLED


def test_the_trail_shows_it(make_house):
    house = throttled(make_house, Encrypt=ONCE)
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"a": "b"}) == THROTTLED
    (event,) = house.trail("Encrypt", errorCode="ThrottlingException")
    assert event["errorMessage"] == THROTTLED[1]
    assert event["requestParameters"] == {"keyId": key["KeyId"], "encryptionContext": {"a": "b"},
                                          "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    assert event["responseElements"] is None
    assert [r["ARN"] for r in event["resources"]] == [key["Arn"]]


def test_aws_figures(make_house):
    house = make_house(ddbd=False, kmsd=(f"--throttle=aws,EnableKey={ONCE}",))
    kms = house.kms()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key(KeyId=key)
    assert code(kms.enable_key, KeyId=key) == "ThrottlingException"
    until(lambda: [code_or_none(kms.update_key_description, KeyId=key, Description="d") for _ in range(12)].count(
        "ThrottlingException"), "a refusal of the sixth in a second")


def test_rates_that_say_nothing(tmp_path):
    for rates, says in (("nonsense", "neither aws nor"), ("NoSuch=1", "names neither"), ("CreateKey=0", "neither aws nor")):
        done = subprocess.run([program("kmsd"), f"--throttle={rates}", f"--state-dir={tmp_path}/s", "--listen=127.0.0.1:0"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and says in done.stderr and "--throttle" in done.stderr


def test_a_table_whose_key_is_throttled(make_house):
    """DynamoDB's client is told of an internal error, which SDKs try again; the key does not count as lost."""
    house = make_house(kmsd=(f"--throttle=Decrypt={ONCE}",))
    dynamodb, kms = house.dynamodb(), house.kms()
    key = kms.create_key()["KeyMetadata"]["Arn"]
    table = make_table(dynamodb, sse=customer(key))
    put(dynamodb, table, "a", x="1")
    house.clock(advance=301)  # the key cache is over
    code_or_none(kms.decrypt, CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"])  # uses the quota up
    got, message = refused(dynamodb.get_item, TableName=table, Key={"pk": {"S": "a"}})
    assert got == "InternalServerError" and "Error Code: ThrottlingException" in message
    assert describe(dynamodb, table)["TableStatus"] == "ACTIVE"
