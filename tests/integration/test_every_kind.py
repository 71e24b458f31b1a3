"""What holds for a key holds for keys of every kind: they survive the end of the process with all that is theirs, go with all of
it, and are one account's in one Region."""
import contextlib
import json
import sqlite3

import botocore.exceptions
import pytest

from asking import ARNS, OTHER, PRINCIPALS, as_, code, method, pages
from asymmetric import ECDSA, make
from daemons import ACCOUNT, REGION
from importing import FOREVER, SYMMETRIC, external, import_into, imported, material, parameters_for
from multi_region import THERE
from test_cloudhsm_key_stores import connect as connect_cluster
from test_cloudhsm_key_stores import make_store as make_cluster_store
from test_external_key_stores import connect as connect_proxy
from test_external_key_stores import make_key as make_external_key
from test_external_key_stores import make_store as make_proxy_store
from xks_proxy import running

DAY = 86400
OAEP = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}


def of_imported_material(spec, usage):
    def make_one(house, kms, proxy):
        key = external(kms, spec, usage)
        import_into(kms, key, material(spec), "RSA_AES_KEY_WRAP_SHA_256", ValidTo="2026-06-30T00:00:00Z")
        return key
    return make_one


def of_two_materials(house, kms, proxy):
    key = imported(kms)
    import_into(kms, key, material("SYMMETRIC_DEFAULT"), ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="the second")
    return key


def rotated(house, kms, proxy):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    kms.rotate_key_on_demand(KeyId=key)
    house.clock(advance=1)
    return key


def primary(house, kms, proxy):
    return kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]


def replica(house, kms, proxy):
    there = as_(house, "alice", region=THERE)
    key = primary(house, there, proxy)
    there.replicate_key(KeyId=key, ReplicaRegion=REGION)
    house.clock(advance=1)
    return key


def in_a_cluster(house, kms, proxy):
    store = make_cluster_store(kms)
    connect_cluster(kms, store)
    return kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]["KeyId"]


def behind_a_proxy(house, kms, proxy):
    store = make_proxy_store(kms, "external")
    connect_proxy(kms, store)
    return make_external_key(kms, store, proxy, "the-key")["KeyId"]


def made_here(spec, usage):
    return lambda house, kms, proxy: make(kms, spec, usage)["KeyId"]


def of_newer_libraries(spec):
    def make_one(house, kms, proxy):
        try:
            return make(kms, spec, "SIGN_VERIFY")["KeyId"]
        except kms.exceptions.UnsupportedOperationException:
            pytest.skip(f"the linked OpenSSL has no {spec}")
    return make_one


KINDS = {
    "symmetric": made_here(*SYMMETRIC), "rotated": rotated, "imported": of_imported_material(*SYMMETRIC), "two materials": of_two_materials,
    "primary": primary, "replica": replica, "in a cluster": in_a_cluster, "behind a proxy": behind_a_proxy,
    "RSA": made_here("RSA_2048", "ENCRYPT_DECRYPT"), "RSA to sign": made_here("RSA_3072", "SIGN_VERIFY"),
    **{spec: made_here(spec, "SIGN_VERIFY") for spec in [*ECDSA, "ECC_NIST_EDWARDS25519"]},
    **{spec: of_newer_libraries(spec) for spec in ("ML_DSA_44", "ML_DSA_65", "ML_DSA_87")},
    "HMAC": made_here("HMAC_384", "GENERATE_VERIFY_MAC"), "agreement": made_here("ECC_NIST_P521", "KEY_AGREEMENT"),
    "imported RSA": of_imported_material("RSA_2048", "ENCRYPT_DECRYPT"), "imported ECC": of_imported_material("ECC_NIST_P256", "SIGN_VERIFY"),
    "imported HMAC": of_imported_material("HMAC_256", "GENERATE_VERIFY_MAC")}


def uses(kms, key):
    """(operation, parameters, what a later answer must be) by which the key's material is seen to be the same."""
    told, named = kms.describe_key(KeyId=key)["KeyMetadata"], {"KeyId": key}
    if told["KeyUsage"] == "SIGN_VERIFY":
        asked = {**named, "Message": b"m", "SigningAlgorithm": told["SigningAlgorithms"][0]}
        return "Verify", {**asked, "Signature": kms.sign(**asked)["Signature"]}, {"SignatureValid": True}
    if told["KeyUsage"] == "GENERATE_VERIFY_MAC":
        asked = {**named, "Message": b"m", "MacAlgorithm": told["MacAlgorithms"][0]}
        return "GenerateMac", asked, {"Mac": kms.generate_mac(**asked)["Mac"]}
    if told["KeyUsage"] == "KEY_AGREEMENT":
        peer = make(kms, told["KeySpec"], "KEY_AGREEMENT")["KeyId"]
        asked = {**named, "KeyAgreementAlgorithm": "ECDH", "PublicKey": kms.get_public_key(KeyId=peer)["PublicKey"]}
        return "DeriveSharedSecret", asked, {"SharedSecret": kms.derive_shared_secret(**asked)["SharedSecret"]}
    algorithm = {} if told["KeySpec"] == "SYMMETRIC_DEFAULT" else OAEP
    blob = kms.encrypt(**named, Plaintext=b"text", **algorithm)["CiphertextBlob"]
    return "Decrypt", {**named, "CiphertextBlob": blob, **algorithm}, {"Plaintext": b"text"}


def answer(kms, operation, **asked):
    """The answer or the refusal: of the same question, the same."""
    try:
        told = method(kms, operation)(**asked)
        return {n: v for n, v in told.items() if n != "ResponseMetadata"}
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]


def everything(kms, key):
    """All that kmsd tells of a key."""
    told = {o: answer(kms, o, KeyId=key) for o in (
        "DescribeKey", "GetKeyPolicy", "ListResourceTags", "ListAliases", "ListGrants", "GetKeyRotationStatus", "ListKeyRotations",
        "GetPublicKey", "GetKeyLastUsage")}
    return told | {"all materials": answer(kms, "ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")}


def furnish(kms, key):
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ARNS["root"]}, "Action": "kms:*", "Resource": "*"}]}
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "k", "TagValue": "v"}])
    kms.update_key_description(KeyId=key, Description="one of every kind")
    kms.create_alias(AliasName="alias/kind", TargetKeyId=key)
    return kms.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], RetiringPrincipal=ARNS["alice"], Operations=["DescribeKey"])


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with running(tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture
def house(make_house, proxy):
    return make_house(ddbd=False, kmsd=proxy.flags(), principals=PRINCIPALS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_life(house, proxy, kind):
    kms = as_(house, "alice")
    key = KINDS[kind](house, kms, proxy)
    grant = furnish(kms, key)
    operation, asked, wanted = uses(kms, key)

    def check(client):
        got = method(client, operation)(**asked)
        assert {n: got[n] for n in wanted} == wanted
    check(kms)
    before = everything(kms, key)
    for ending in (house.kmsd.kill, house.kmsd.terminate):
        ending()
        house.kmsd.start()
        kms = as_(house, "alice")
        assert everything(kms, key) == before
        check(kms)
        check(as_(house, "alice"))
        before = everything(kms, key)
    as_(house, "bob").describe_key(KeyId=before["DescribeKey"]["KeyMetadata"]["Arn"], GrantTokens=[grant["GrantToken"]])
    apart(house, key, before["DescribeKey"]["KeyMetadata"]["Arn"], operation, asked)
    end(house, kms, key, operation, asked)


def apart(house, key, arn, operation, asked):
    """Neither another Region nor another account has it; a replica's other Region has its primary key."""
    elsewhere, dave = as_(house, "alice", region="eu-west-1"), as_(house, "dave")
    for o in ("DescribeKey", "GetKeyPolicy", "DisableKey", "ListGrants", "ScheduleKeyDeletion"):
        assert code(method(elsewhere, o), KeyId=key) == code(method(elsewhere, o), KeyId=arn) == "NotFoundException", o
        assert code(method(dave, o), KeyId=key) == "NotFoundException", o
        assert code(method(dave, o), KeyId=arn) == "AccessDeniedException", o
    assert code(method(elsewhere, operation), **asked) == "NotFoundException"
    assert code(method(dave, operation), **{**asked, "KeyId": arn}) == "AccessDeniedException"


def end(house, kms, key, operation, asked):
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert code(method(kms, operation), **asked) == "KMSInvalidStateException"
    house.clock(advance=7 * DAY)
    for o in ("DescribeKey", "GetKeyPolicy", "ListResourceTags", "ListAliases", "ListGrants", "GetPublicKey", "GetKeyLastUsage",
              "CancelKeyDeletion", "EnableKey"):
        assert code(method(kms, o), KeyId=key) == "NotFoundException", o
    assert code(method(kms, operation), **asked) == "NotFoundException"
    assert code(kms.describe_key, KeyId="alias/kind") == "NotFoundException"
    assert key not in [k["KeyId"] for k in pages(kms.list_keys, "Keys")]
    assert kms.list_retirable_grants(RetiringPrincipal=ARNS["alice"])["Grants"] == []
    (event,) = [e for e in house.trail("DeleteKey") if e["awsRegion"] == REGION]
    assert event["responseElements"] == {"keyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"}
    assert house.kmsd.terminate() == 0
    with contextlib.closing(sqlite3.connect(house.folder / "kmsd/state/state.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables.remove("deleted_keys")  # by which a ciphertext of a deleted key is told from garbage
        here = f"{REGION}:{ACCOUNT}:key/{key}".encode()
        rows = [r for t in tables for r in db.execute(f"SELECT * FROM {t}") if any(isinstance(c, bytes) and here in c for c in r)]
    assert rows == []
    house.kmsd.start()
    assert code(as_(house, "alice").describe_key, KeyId=key) == "NotFoundException"
