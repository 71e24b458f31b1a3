"""Keys of other kinds under many callers at once: families that move and grow, material that comes and goes, key stores and
signatures beside them. Run once more under ThreadSanitizer."""
import os

import pytest

from asking import PRINCIPALS, as_, opened
from asymmetric import check_signature, make, public_key
from conftest import VIRTUAL
from daemons import in_threads, until
from importing import external, import_into, parameters_for
from multi_region import ELSEWHERE, HERE, THERE, arn, described
from test_cloudhsm_key_stores import connect, make_store
from test_concurrency import may

pytestmark = pytest.mark.concurrency
THREADS = 8
BUSY = ("KMSInvalidStateException", "UnsupportedOperationException", "AlreadyExistsException", "NotFoundException", "DisabledException",
        "LimitExceededException", "ConflictException")
# For one who does not own what he asks about: whether his signature or ciphertext is of a key that is there is not told.
GONE = (*BUSY, "AccessDeniedException", "InvalidCiphertextException")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), kmsd=[*VIRTUAL, "--workers=4"], principals=PRINCIPALS) as house:
        yield house


def in_region(house, region):
    return as_(house, "alice", region=region)


def test_a_family_has_one_primary_key_whatever_all_do(house):
    key = in_region(house, HERE).create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    regions = (HERE, THERE, ELSEWHERE)
    sealed = []

    def work(i):
        clients = {r: in_region(house, r) for r in regions}
        for n in range(15):
            here = regions[(i + n) % 3]
            kms, other = clients[here], regions[(i + n + 1 + i % 2) % 3]
            step = (i + n) % 5
            if step == 0:
                may(kms.replicate_key, *BUSY, KeyId=key, ReplicaRegion=other)
                house.clock(advance=1)
            elif step == 1:
                may(kms.update_primary_region, *BUSY, KeyId=key, PrimaryRegion=other)
                house.clock(advance=1)
            elif step == 2:
                may(kms.rotate_key_on_demand, *BUSY, KeyId=key)
                may(kms.enable_key_rotation, *BUSY, KeyId=key, RotationPeriodInDays=90 + n)
            elif step == 3:
                may(kms.describe_key, *BUSY, KeyId=key)
                may(kms.list_key_rotations, *BUSY, KeyId=key)
                may(kms.tag_resource, *BUSY, KeyId=key, Tags=[{"TagKey": str(i), "TagValue": str(n)}])
            answer = may(kms.encrypt, *BUSY, KeyId=key, Plaintext=f"{i}/{n}".encode())
            if answer:
                sealed.append((f"{i}/{n}".encode(), answer["CiphertextBlob"]))
                again = may(clients[other].decrypt, *GONE, CiphertextBlob=answer["CiphertextBlob"])
                assert not again or again["Plaintext"] == f"{i}/{n}".encode()
    in_threads(THREADS, work)
    house.clock(advance=2)
    told = [m for m in (may(lambda r=r: described(in_region(house, r), key), "NotFoundException") for r in regions) if m]
    configurations = [m["MultiRegionConfiguration"] for m in told]
    assert sorted(c["MultiRegionKeyType"] for c in configurations) == ["PRIMARY"] + ["REPLICA"] * (len(told) - 1)
    assert len({c["PrimaryKey"]["Region"] for c in configurations}) == 1
    members = {arn(key, c["Region"]) for c in [configurations[0]["PrimaryKey"], *configurations[0]["ReplicaKeys"]]}
    assert members == {m["Arn"] for m in told} and all(m["KeyState"] == "Enabled" for m in told)
    assert len({m["CurrentKeyMaterialId"] for m in told}) == 1
    for word, blob in sealed:
        assert in_region(house, told[-1]["Arn"].split(":")[3]).decrypt(CiphertextBlob=blob)["Plaintext"] == word


def test_material_comes_and_goes_while_it_is_used(house):
    kms = in_region(house, HERE)
    key, secret = external(kms, MultiRegion=True), os.urandom(32)
    import_into(kms, key, secret)
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    house.clock(advance=1)
    parameters = {r: parameters_for(in_region(house, r), key) for r in (HERE, THERE)}

    def work(i):
        here = (HERE, THERE)[i % 2]
        kms, other = in_region(house, here), in_region(house, (THERE, HERE)[i % 2])
        for n in range(12):
            if i < 4:  # the material itself
                may(lambda **_: import_into(kms, key, secret, parameters=parameters[here]), *BUSY)
                may(kms.delete_imported_key_material, *BUSY, KeyId=key)
                if n % 3 == 0:  # and other material, which only the primary key takes
                    may(lambda **_: import_into(kms, key, os.urandom(32), parameters=parameters[here], ImportType="NEW_KEY_MATERIAL"),
                        *BUSY, "IncorrectKeyMaterialException")
            sealed = may(kms.encrypt, *BUSY, KeyId=key, Plaintext=b"x")
            opened_ = sealed and may(other.decrypt, *GONE, CiphertextBlob=sealed["CiphertextBlob"])
            assert not opened_ or opened_["Plaintext"] == b"x"
            may(kms.list_key_rotations, *BUSY, KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
            described(kms, key)
    in_threads(THREADS, work)
    for region in (HERE, THERE):
        client = in_region(house, region)
        import_into(client, key, secret, parameters=parameters[region])
        assert client.decrypt(CiphertextBlob=client.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"])["Plaintext"] == b"y"


def test_a_cluster_comes_and_goes_while_others_sign(house):
    kms = in_region(house, HERE)
    store = make_store(kms)
    connect(kms, store)
    key = kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]["KeyId"]
    specs = {"ECC_NIST_P384": "ECDSA_SHA_384", "RSA_2048": "RSASSA_PSS_SHA_256", "ECC_NIST_EDWARDS25519": "ED25519_SHA_512"}
    signers = [(algorithm, make(kms, spec, "SIGN_VERIFY")["KeyId"]) for spec, algorithm in specs.items()]
    publics = {k: public_key(kms, k) for _, k in signers}
    states = (*BUSY, "CustomKeyStoreInvalidStateException", "CustomKeyStoreNotFoundException")

    def work(i):
        kms = in_region(house, HERE)
        for n in range(12):
            if i == 0:
                may(kms.disconnect_custom_key_store, *states, CustomKeyStoreId=store)
                may(kms.connect_custom_key_store, *states, CustomKeyStoreId=store)
            elif i == 1:
                may(kms.create_key, *states, Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)
            elif i < 4:
                made = may(kms.generate_data_key, *states, KeyId=key, KeySpec="AES_256")
                plain = made and may(kms.decrypt, *states, CiphertextBlob=made["CiphertextBlob"])
                assert not plain or plain["Plaintext"] == made["Plaintext"]
            else:
                algorithm, signer = signers[(i + n) % len(signers)]
                word = f"{i}/{n}".encode()
                asked = {"KeyId": signer, "Message": word, "SigningAlgorithm": algorithm}
                signature = kms.sign(**asked)["Signature"]
                check_signature(algorithm, publics[signer], signature, word)
                assert kms.verify(**asked, Signature=signature)["SignatureValid"]
    in_threads(THREADS, work)
    may(kms.connect_custom_key_store, *states, CustomKeyStoreId=store)
    until(lambda: described(kms, key)["KeyState"] == "Enabled", "the connection")


def test_keys_of_all_kinds_go_while_they_are_used(house):
    kms = in_region(house, HERE)
    kinds = [("RSA_2048", "SIGN_VERIFY"), ("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC"),
             ("ECC_NIST_P384", "KEY_AGREEMENT"), ("RSA_2048", "ENCRYPT_DECRYPT")]
    keys = [make(kms, spec, usage)["KeyId"] for spec, usage in kinds]
    uses = [lambda k, c: c.sign(KeyId=k, Message=b"x", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256"),
            lambda k, c: c.sign(KeyId=k, Message=b"x", SigningAlgorithm="ECDSA_SHA_256"),
            lambda k, c: c.generate_mac(KeyId=k, Message=b"x", MacAlgorithm="HMAC_SHA_256"),
            lambda k, c: c.derive_shared_secret(KeyId=k, KeyAgreementAlgorithm="ECDH", PublicKey=c.get_public_key(KeyId=k)["PublicKey"]),
            lambda k, c: c.encrypt(KeyId=k, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")]
    for key in keys:
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

    def work(i):
        client = in_region(house, HERE)
        if i == 0:
            for _ in range(9):
                house.clock(advance=86400)
            return
        for n in range(20):
            at = (i + n) % len(keys)
            assert not may(lambda **_: uses[at](keys[at], client), *GONE)
            may(client.get_key_last_usage, *GONE, KeyId=keys[at])
    in_threads(THREADS, work)
    for key in keys:
        assert may(kms.describe_key, "NotFoundException", KeyId=key) is None
