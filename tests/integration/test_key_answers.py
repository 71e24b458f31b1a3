"""What answers carry about keys: exactly the members that AWS has for that kind of key, origin and state, in the form of the
model. Asked over bare HTTP, because SDKs leave out what they do not know."""
import base64
import datetime
import json

import botocore.session
import pytest

from asking import Raw, method, told
from daemons import ACCOUNT, REGION
from importing import import_into, material
from test_key_states import KINDS, STATES, alone, furnished, key_store, parameters, replica

MODEL = botocore.session.get_session().get_service_model("kms")
ALWAYS = {"AWSAccountId", "KeyId", "Arn", "CreationDate", "Enabled", "Description", "KeyUsage", "KeyState", "Origin", "KeyManager",
          "CustomerMasterKeySpec", "KeySpec", "MultiRegion"}
OF_USAGE = {"ENCRYPT_DECRYPT": "EncryptionAlgorithms", "SIGN_VERIFY": "SigningAlgorithms",
            "GENERATE_VERIFY_MAC": "MacAlgorithms", "KEY_AGREEMENT": "KeyAgreementAlgorithms"}
RSA, ECC = ("RSA_2048", "RSA_3072", "RSA_4096"), ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521")
TYPES = ([("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("ECC_SECG_P256K1", "SIGN_VERIFY"), ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")] +
         [(spec, usage) for spec in RSA for usage in ("ENCRYPT_DECRYPT", "SIGN_VERIFY")] +
         [(spec, usage) for spec in ECC for usage in ("SIGN_VERIFY", "KEY_AGREEMENT")] +
         [(f"HMAC_{bits}", "GENERATE_VERIFY_MAC") for bits in (224, 256, 384, 512)])
EXACTLY = {  # the algorithms of each kind, in AWS's order
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"): ["SYMMETRIC_DEFAULT"],
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"): ["ED25519_SHA_512", "ED25519_PH_SHA_512"],
    **{(s, "ENCRYPT_DECRYPT"): ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"] for s in RSA},
    **{(s, "SIGN_VERIFY"): [f"RSASSA_{p}_SHA_{n}" for p in ("PKCS1_V1_5", "PSS") for n in (256, 384, 512)] for s in RSA},
    **{(s, "SIGN_VERIFY"): [f"ECDSA_SHA_{n}"] for s, n in zip((*ECC, "ECC_SECG_P256K1"), (256, 384, 512, 256), strict=True)},
    **{(s, "KEY_AGREEMENT"): ["ECDH"] for s in ECC},
    **{(f"HMAC_{n}", "GENERATE_VERIFY_MAC"): [f"HMAC_SHA_{n}"] for n in (224, 256, 384, 512)}}


# ---- the form of an answer, by the model ----

def check(shape, value, path):
    """Every member is one of the model's, of its type, and never null."""
    kind = shape.type_name
    if kind == "structure":
        assert isinstance(value, dict), path
        assert not value.keys() - shape.members.keys(), (path, value.keys() - shape.members.keys())
        for name, of in value.items():
            check(shape.members[name], of, f"{path}.{name}")
    elif kind == "list":
        assert isinstance(value, list), path
        for one in value:
            check(shape.member, one, path + "[]")
    elif kind == "map":
        assert isinstance(value, dict), path
    elif kind == "timestamp":
        # Seconds since 1970 with at most three decimals, as a number.
        assert isinstance(value, (int, float)) and not isinstance(value, bool) and round(value, 3) == value > 0, (path, value)
    elif kind == "boolean":
        assert isinstance(value, bool), (path, value)
    elif kind in ("integer", "long"):
        assert isinstance(value, int) and not isinstance(value, bool), (path, value)
    elif kind == "blob":
        assert base64.b64encode(base64.b64decode(value, validate=True)).decode() == value, path
    else:
        # The older of the two lists of specs lacks the newest, and is to be ignored: both members say the same.
        known = not shape.enum or value in shape.enum or path.endswith("CustomerMasterKeySpec")
        assert isinstance(value, str) and known, (path, value)


def answer(house, operation, body, region=REGION):
    """The answer as it is on the wire, checked against the model."""
    sendable = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in body.items()}
    if region != REGION:
        raw = Raw(operation, json.dumps(sendable).encode(), region=region)
        status, _, got = raw.sign().send(house)
        assert status == 200, got
    else:
        verdict, got = told(house, operation, sendable)
        assert verdict == "ok", (operation, got)
    shape = MODEL.operation_model(operation).output_shape
    if not shape or not shape.members:
        assert not got, (operation, got)
        return {}
    check(shape, got, operation)
    return got


# ---- KeyMetadata ----

def expected(spec, usage, origin="AWS_KMS", state="Enabled", multi_region=False, imported=False, expires=False, store=None):
    members = ALWAYS | {OF_USAGE[usage]}
    if spec == "SYMMETRIC_DEFAULT" and (origin == "AWS_KMS" or imported):
        members |= {"CurrentKeyMaterialId"}
    if multi_region:
        members |= {"MultiRegionConfiguration"}
    if state == "PendingDeletion":
        members |= {"DeletionDate"}
    if state == "PendingReplicaDeletion":
        members |= {"PendingDeletionWindowInDays"}
    if imported:
        members |= {"ExpirationModel"} | ({"ValidTo"} if expires else set())
    if store:
        members |= {"CustomKeyStoreId", "CloudHsmClusterId" if origin == "AWS_CLOUDHSM" else "XksKeyConfiguration"}
    return members


def metadata(house, key):
    got = answer(house, "DescribeKey", {"KeyId": key})["KeyMetadata"]
    assert got["Enabled"] == (got["KeyState"] == "Enabled")
    assert got["KeySpec"] == got["CustomerMasterKeySpec"]
    assert got["AWSAccountId"] == got["Arn"].split(":")[4]
    return got


@pytest.mark.parametrize("spec,usage", TYPES, ids=["-".join(t) for t in TYPES])
def test_metadata_of_each_type(house, kms, spec, usage):
    made = answer(house, "CreateKey", {"KeySpec": spec, "KeyUsage": usage})["KeyMetadata"]
    got = metadata(house, made["KeyId"])
    assert got == made and set(got) == expected(spec, usage)
    assert got[OF_USAGE[usage]] == EXACTLY[spec, usage]
    for change, state in ((kms.disable_key, "Disabled"), (kms.schedule_key_deletion, "PendingDeletion")):
        change(KeyId=made["KeyId"])
        got = metadata(house, made["KeyId"])
        assert got["KeyState"] == state and set(got) == expected(spec, usage, state=state)


@pytest.mark.parametrize("spec,usage", [t for t in TYPES if t[0] != "ECC_NIST_EDWARDS25519"], ids=lambda t: t)
def test_metadata_of_imported_material(house, kms, spec, usage):
    key = answer(house, "CreateKey", {"KeySpec": spec, "KeyUsage": usage, "Origin": "EXTERNAL"})["KeyMetadata"]["KeyId"]
    assert set(metadata(house, key)) == expected(spec, usage, "EXTERNAL", "PendingImport")
    secret = material(spec)
    wrapping = "RSAES_OAEP_SHA_256" if spec.startswith(("SYMMETRIC", "HMAC")) else "RSA_AES_KEY_WRAP_SHA_256"
    import_into(kms, key, secret, wrapping)
    got = metadata(house, key)
    assert set(got) == expected(spec, usage, "EXTERNAL", imported=True)
    assert got["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    until = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"] + datetime.timedelta(days=30)
    import_into(kms, key, secret, wrapping, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=until)
    got = metadata(house, key)
    assert set(got) == expected(spec, usage, "EXTERNAL", imported=True, expires=True)
    kms.delete_imported_key_material(KeyId=key)
    got = set(metadata(house, key))
    assert got == expected(spec, usage, "EXTERNAL", "PendingImport") | (got & {"CurrentKeyMaterialId"})


@pytest.mark.parametrize("state", STATES)
def test_metadata_in_each_state(house, kms, state):
    got = metadata(house, STATES[state](house, kms, {})["key"])
    origin = {"PendingImport": "EXTERNAL", "Unavailable": "AWS_CLOUDHSM"}.get(state, "AWS_KMS")
    wanted = expected("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", origin, state,
                      multi_region=state in ("PendingReplicaDeletion", "Creating", "Updating"), store=state == "Unavailable")
    assert got["KeyState"] == state
    # Which material was the current one is known as long as the key is; whether a replica is there yet, too.
    assert set(got) - {"CurrentKeyMaterialId"} == wanted - {"CurrentKeyMaterialId"}


def test_metadata_of_a_multi_region_key(house, kms):
    key, there, _ = replica(house, kms, {})
    house.clock(advance=1)
    wanted = expected("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", multi_region=True)
    for kind, region in (("REPLICA", REGION), ("PRIMARY", there.meta.region_name)):
        got = answer(house, "DescribeKey", {"KeyId": key["KeyId"]}, region)["KeyMetadata"]
        assert set(got) == wanted and got["MultiRegion"] is True
        configuration = got["MultiRegionConfiguration"]
        assert set(configuration) == {"MultiRegionKeyType", "PrimaryKey", "ReplicaKeys"}
        assert configuration["MultiRegionKeyType"] == kind
        assert set(configuration["PrimaryKey"]) == set(configuration["ReplicaKeys"][0]) == {"Arn", "Region"}


def test_metadata_of_aws_managed_keys(house):
    got = answer(house, "DescribeKey", {"KeyId": "alias/aws/ebs"})["KeyMetadata"]
    assert set(got) == expected("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") and got["KeyManager"] == "AWS"


# ---- the other answers ----

# Members of each operation's answer about a symmetric key of AWS_KMS (or the kind that the operation needs).
ANSWERS = {
    "CancelKeyDeletion": "KeyId", "CreateGrant": "GrantToken GrantId", "Decrypt": "KeyId Plaintext EncryptionAlgorithm KeyMaterialId",
    "DeriveSharedSecret": "KeyId SharedSecret KeyAgreementAlgorithm KeyOrigin", "DescribeKey": "KeyMetadata",
    "Encrypt": "CiphertextBlob KeyId EncryptionAlgorithm", "GenerateDataKey": "CiphertextBlob Plaintext KeyId KeyMaterialId",
    "GenerateDataKeyPair": "PrivateKeyCiphertextBlob PrivateKeyPlaintext PublicKey KeyId KeyPairSpec KeyMaterialId",
    "GenerateDataKeyPairWithoutPlaintext": "PrivateKeyCiphertextBlob PublicKey KeyId KeyPairSpec KeyMaterialId",
    "GenerateDataKeyWithoutPlaintext": "CiphertextBlob KeyId KeyMaterialId", "GenerateMac": "Mac MacAlgorithm KeyId",
    "GetKeyLastUsage": "KeyId KeyLastUsage TrackingStartDate KeyCreationDate", "GetKeyPolicy": "Policy PolicyName",
    "GetKeyRotationStatus": "KeyRotationEnabled KeyId", "GetParametersForImport": "KeyId ImportToken PublicKey ParametersValidTo",
    "GetPublicKey": "KeyId PublicKey CustomerMasterKeySpec KeySpec KeyUsage SigningAlgorithms",
    "ImportKeyMaterial": "KeyId KeyMaterialId", "DeleteImportedKeyMaterial": "KeyId KeyMaterialId",
    "ListAliases": "Aliases Truncated", "ListGrants": "Grants Truncated", "ListKeyPolicies": "PolicyNames Truncated",
    "ListKeyRotations": "Rotations Truncated", "ListResourceTags": "Tags Truncated",
    "ReEncrypt": "CiphertextBlob SourceKeyId KeyId SourceEncryptionAlgorithm DestinationEncryptionAlgorithm SourceKeyMaterialId "
                 "DestinationKeyMaterialId",
    "ReplicateKey": "ReplicaKeyMetadata ReplicaPolicy ReplicaTags", "RotateKeyOnDemand": "KeyId",
    "ScheduleKeyDeletion": "KeyId DeletionDate KeyState PendingWindowInDays", "Sign": "KeyId Signature SigningAlgorithm",
    "Verify": "KeyId SignatureValid SigningAlgorithm", "VerifyMac": "KeyId MacValid MacAlgorithm"}
NOTHING = {"CreateAlias", "DeleteAlias", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation", "PutKeyPolicy",
           "RetireGrant", "RevokeGrant", "TagResource", "UntagResource", "UpdateAlias", "UpdateKeyDescription", "UpdatePrimaryRegion"}


def test_the_table_is_whole():
    others = {"CreateKey", "ListKeys", "GenerateRandom", "ListRetirableGrants"}
    assert set(ANSWERS) | NOTHING == {o for o in MODEL.operation_names if "CustomKeyStore" not in o} - others


@pytest.mark.parametrize("operation", sorted(set(ANSWERS) | NOTHING))
def test_answers_about_keys(house, kms, operation):
    more = dict(zip(("KeySpec", "KeyUsage"), KINDS.get(operation, ())))
    if operation in ("ReplicateKey", "UpdatePrimaryRegion"):
        more["MultiRegion"] = True
    if operation in ("GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"):
        more["Origin"] = "EXTERNAL"
    state = "PendingDeletion" if operation == "CancelKeyDeletion" else "Enabled"
    subject = STATES[state](house, kms, more)
    got = answer(house, operation, parameters(operation, subject))
    assert set(got) == set(ANSWERS.get(operation, "").split())


@pytest.mark.parametrize("operation,result", [("ListKeys", "Keys"), ("ListAliases", "Aliases"), ("GenerateRandom", "Plaintext"),
                                              ("DescribeCustomKeyStores", "CustomKeyStores")])
def test_answers_about_no_key(house, kms, operation, result):
    key_store(kms)
    got = answer(house, operation, {"NumberOfBytes": 8} if operation == "GenerateRandom" else {})
    assert set(got) - {"NextMarker"} == {result} | ({"Truncated"} if result != "Plaintext" else set())


def test_material_ids_are_of_keys_that_have_several(house, kms):
    """Not of RSA keys, nor of those in a custom key store."""
    rsa = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    algorithm = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = kms.encrypt(KeyId=rsa, Plaintext=b"x", **algorithm)["CiphertextBlob"]
    assert set(answer(house, "Decrypt", {"KeyId": rsa, "CiphertextBlob": blob, **algorithm})) == {
        "KeyId", "Plaintext", "EncryptionAlgorithm"}
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    moved = {"CiphertextBlob": blob, "SourceKeyId": rsa, "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "DestinationKeyId": key}
    assert set(answer(house, "ReEncrypt", moved)) == {
        "CiphertextBlob", "SourceKeyId", "KeyId", "SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm",
        "DestinationKeyMaterialId"}


def test_rotation_status(house, kms, key):
    kms.enable_key_rotation(KeyId=key)
    assert set(answer(house, "GetKeyRotationStatus", {"KeyId": key})) == {
        "KeyRotationEnabled", "KeyId", "RotationPeriodInDays", "NextRotationDate"}
    kms.rotate_key_on_demand(KeyId=key)
    got = answer(house, "GetKeyRotationStatus", {"KeyId": key})
    assert set(got) - {"OnDemandRotationStartDate"} == {"KeyRotationEnabled", "KeyId", "RotationPeriodInDays", "NextRotationDate"}


def test_every_list_element(house, kms):
    """Optional members of what is listed, there and not there."""
    made = furnished(kms, kms.create_key()["KeyMetadata"])
    (grant,) = answer(house, "ListGrants", {"KeyId": made["key"]})["Grants"]
    always = {"KeyId", "GrantId", "Name", "CreationDate", "GranteePrincipal", "IssuingAccount", "Operations"}
    assert set(grant) == always
    assert grant["Name"] == ""
    method(kms, "CreateGrant")(KeyId=made["key"], GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/bob", Operations=["Decrypt"],
                               RetiringPrincipal=f"arn:aws:iam::{ACCOUNT}:user/bob", Name="named",
                               Constraints={"EncryptionContextSubset": {"a": "b"}})
    (whole,) = [g for g in answer(house, "ListGrants", {"KeyId": made["key"]})["Grants"] if g["Name"]]
    assert set(whole) == always | {"RetiringPrincipal", "Constraints"}
    for alias in answer(house, "ListAliases", {"KeyId": made["key"]})["Aliases"]:
        assert set(alias) == {"AliasName", "AliasArn", "TargetKeyId", "CreationDate", "LastUpdatedDate"}
    (predefined, *_) = [a for a in answer(house, "ListAliases", {"Limit": 100})["Aliases"] if "TargetKeyId" not in a]
    assert set(predefined) == {"AliasName", "AliasArn"}
    rotations = {"KeyId": made["key"], "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    (first,) = answer(house, "ListKeyRotations", rotations)["Rotations"]
    assert set(first) == {"KeyId", "KeyMaterialId", "KeyMaterialState"}
    external = alone(house, kms, {"Origin": "EXTERNAL"})
    (first,) = answer(house, "ListKeyRotations", {**rotations, "KeyId": external["key"]})["Rotations"]
    assert set(first) == {"KeyId", "KeyMaterialId", "KeyMaterialState", "ImportState", "ExpirationModel"}
