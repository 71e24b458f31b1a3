"""What the trail says of a call: every operation's record against tests/data/trail, who called, what is refused, and what
must never be seen there."""
import base64
import copy
import gzip
import json
import pathlib
import re
import string
import subprocess

import botocore
import pytest

from asking import ALLOW_ALL, ARNS, OTHER, PRINCIPALS, ROLE_ARNS, Raw, as_, code, method, opened, refused, rotate, service_client
from conftest import START, VIRTUAL
from daemons import ACCOUNT, REGION, ROOT, program, until
from importing import FOREVER, wrap
from tables import customer, definition, make_table, until_active, until_gone
from xks_proxy import root_certificate

KMS = json.loads((ROOT / "tests/data/trail/kms-operations.json").read_text())
DYNAMODB = json.loads((ROOT / "tests/data/trail/dynamodb-operations.json").read_text())
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": ARNS["root"]}, "Action": "kms:*", "Resource": "*"}]}, indent=1)
AGENT = {"user_agent": "our-tests/1.0"}
AGENT_SENT = f"our-tests/1.0 Botocore/{botocore.__version__}"
EVERYTHING = {"everything": {**ALLOW_ALL, "Statement": [{"Effect": "Allow", "Action": ["kms:*", "dynamodb:*"], "Resource": "*"}]}}
# Members in the order of CloudTrail's files; those of a record are some of these.
ORDER = ["eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent",
         "errorCode", "errorMessage", "requestParameters", "responseElements", "additionalEventData", "requestID", "eventID",
         "readOnly", "resources", "eventType", "apiVersion", "managementEvent", "recipientAccountId", "sharedEventID",
         "serviceEventDetails", "eventCategory", "tlsDetails"]


def with_tables(principals):
    """The principals of the tests about KMS; who may use every key may use every table."""
    changed = copy.deepcopy(principals)
    ours = changed["accounts"][ACCOUNT]
    ours["users"]["alice"]["policies"] = ours["roles"]["app"]["policies"] = EVERYTHING
    changed["accounts"][OTHER]["users"]["dave"]["policies"] = EVERYTHING
    return changed


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("house"), ddbd=True, kmsd=VIRTUAL, principals=with_tables(PRINCIPALS)) as house:
        yield house


def request_id(answer):
    return answer["ResponseMetadata"]["RequestId"]


def failed(call, **parameters):
    """The request id of a call that is refused."""
    with pytest.raises(Exception) as caught:
        call(**parameters)
    return request_id(caught.value.response)


def records(house, wanted):
    """The records of a request, delivered; ddbd hands its own over when it has the time."""
    return until(lambda: house.trail(requestID=wanted), f"a record of {wanted}")


def record(house, answer):
    (found,) = records(house, answer if isinstance(answer, str) else request_id(answer))
    return found


# ---- every operation of KMS ----

class Told:
    """Calls every operation, and keeps what is to be filled into the expected record of each."""

    def __init__(self, house):
        self.house, self.kms = house, as_(house, "alice", **AGENT)
        self.cases = {}
        self.names = {"host": f"127.0.0.1:{house.kmsd.port}", "agent": AGENT_SENT, "policy": json.dumps(POLICY)[1:-1]}
        for name in ("key", "key2"):
            self.name_key(name, self.kms.create_key()["KeyMetadata"])
        self.calls()
        here = house.trail(awsRegion=REGION)  # what happened in another Region, too, has a record there of its own
        self.records = {r["requestID"]: r for r in here if "requestID" in r}

    def name_key(self, name, metadata):
        self.names |= {f"{name}_id": metadata["KeyId"], f"{name}_arn": metadata["Arn"],
                       f"{name}_material": metadata.get("CurrentKeyMaterialId")}

    def __call__(self, case, **parameters):
        operation = case.partition(",")[0]
        answer = method(self.kms, operation)(**parameters)
        if operation == "CreateKey":
            self.name_key("new", answer["KeyMetadata"])
        if operation == "CreateCustomKeyStore":
            self.names["store"] = answer["CustomKeyStoreId"]
        if operation == "CreateGrant":
            self.names["grant_id"] = answer["GrantId"]
        self.cases[case] = {**self.names, "operation": operation, "request_id": request_id(answer)}
        return answer

    def calls(self):
        key, arn, key2, kms = self.names["key_id"], self.names["key_arn"], self.names["key2_id"], self.kms
        context = {"Department": "Engineering", "Project": "Alpha"}
        self("CreateKey")
        self("CreateKey, all said", Policy=POLICY, Description='all "said", é', Origin="AWS_KMS", KeySpec="SYMMETRIC_DEFAULT",
             KeyUsage="ENCRYPT_DECRYPT", BypassPolicyLockoutSafetyCheck=True, MultiRegion=False,
             Tags=[{"TagKey": "Department", "TagValue": "IT"}, {"TagKey": "Empty", "TagValue": ""}])
        self("CreateAlias", AliasName="alias/trail", TargetKeyId=key2)
        self("UpdateAlias", AliasName="alias/trail", TargetKeyId=arn)
        self("DescribeKey", KeyId=key)
        self("DescribeKey, by alias", KeyId="alias/trail")
        self("DescribeKey, by alias ARN", KeyId=f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/trail")
        self("ListKeys")
        self("ListKeys, some", Limit=5)
        self("ListAliases", Limit=5)
        self("ListAliases, of a key", KeyId=key)
        self("DisableKey", KeyId=key)
        self("EnableKey", KeyId=arn)
        self("ScheduleKeyDeletion", KeyId=key2, PendingWindowInDays=20)
        self("CancelKeyDeletion", KeyId=key2)
        self("ScheduleKeyDeletion, by default", KeyId=key2)
        kms.cancel_key_deletion(KeyId=key2)
        kms.enable_key(KeyId=key2)
        self("UpdateKeyDescription", KeyId=key, Description="New key description")
        self("GetKeyPolicy", KeyId=key, PolicyName="default")
        self("PutKeyPolicy", KeyId=key, PolicyName="default", Policy=POLICY)
        self("ListKeyPolicies", KeyId=key)
        self("TagResource", KeyId=arn, Tags=[{"TagKey": "Department", "TagValue": "IT"}])
        self("ListResourceTags", KeyId=key, Limit=10)
        self("UntagResource", KeyId=key, TagKeys=["Department"])
        blob = self("Encrypt", KeyId=arn, Plaintext=b"text", EncryptionContext=context)["CiphertextBlob"]
        self("Encrypt, by alias", KeyId="alias/trail", Plaintext=b"text")
        self("Decrypt", CiphertextBlob=blob, EncryptionContext=context)
        self("Decrypt, of a key", CiphertextBlob=blob, EncryptionContext=context, KeyId=arn)
        self("ReEncrypt", CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=key2,
             DestinationEncryptionContext={"Level": "3A"})
        self("GenerateDataKey", KeyId="alias/trail", KeySpec="AES_256", EncryptionContext={"Department": "Engineering"})
        self("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=64)
        self("GenerateDataKeyPair", KeyId=key, KeyPairSpec="ECC_NIST_P256", EncryptionContext={"Project": "Alpha"})
        self("GenerateDataKeyPairWithoutPlaintext", KeyId="alias/trail", KeyPairSpec="ECC_NIST_EDWARDS25519",
             EncryptionContext={"Index": "5"})
        self("GenerateRandom", NumberOfBytes=32)
        self.rsa(key)
        self.asymmetric()
        self.multi_region()
        self.importing()
        self.grants(key, arn)
        self("DeleteAlias", AliasName="alias/trail")
        self("EnableKeyRotation", KeyId=key)
        self("EnableKeyRotation, with a period", KeyId=key, RotationPeriodInDays=180)
        self("DisableKeyRotation", KeyId=arn)
        self("GetKeyRotationStatus", KeyId=key)
        self("GetKeyLastUsage", KeyId=key)
        self("ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
        self("RotateKeyOnDemand", KeyId=key2)
        self.key_stores()

    def key_stores(self):
        self("CreateCustomKeyStore", CustomKeyStoreName="trail", CloudHsmClusterId="cluster-2a3b4c5defg",
             KeyStorePassword="kmsuser's own", TrustAnchorCertificate=root_certificate()[0].decode())
        store = {"CustomKeyStoreId": self.names["store"]}
        self("DescribeCustomKeyStores", **store)
        self("UpdateCustomKeyStore", CloudHsmClusterId="cluster-3a3b4c5defg", **store)
        self("ConnectCustomKeyStore", **store)
        self("DisconnectCustomKeyStore", **store)
        self("DeleteCustomKeyStore", **store)

    def rsa(self, key):
        made = self.kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
        self.name_key("rsa", made)
        rsa, arn, algorithm = made["KeyId"], made["Arn"], "RSAES_OAEP_SHA_256"
        blob = self("Encrypt, RSA", KeyId=rsa, Plaintext=b"text", EncryptionAlgorithm=algorithm)["CiphertextBlob"]
        self("Decrypt, RSA", CiphertextBlob=blob, KeyId=arn, EncryptionAlgorithm=algorithm)
        source = {"SourceKeyId": rsa, "SourceEncryptionAlgorithm": algorithm}
        moved = self("ReEncrypt, from RSA", CiphertextBlob=blob, **source, DestinationKeyId=key)["CiphertextBlob"]
        self("ReEncrypt, to RSA", CiphertextBlob=moved, DestinationKeyId=arn, DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_1")
        self("ReEncrypt, RSA alone", CiphertextBlob=blob, **source, DestinationKeyId=rsa,
             DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_1")

    def multi_region(self):
        made = self("CreateKey, multi-Region", MultiRegion=True)["KeyMetadata"]
        self.name_key("primary", made)
        key, arn = made["KeyId"], made["Arn"]
        self.names |= {"replica_arn": arn.replace("us-east-1", "us-west-2"), "replica2_arn": arn.replace("us-east-1", "eu-west-1")}
        policy = self.kms.get_key_policy(KeyId=key)["Policy"]
        self.names["usual_policy"] = json.dumps(policy)[1:-1]
        self("ReplicateKey", KeyId=key, ReplicaRegion="us-west-2")
        self("ReplicateKey, all said", KeyId=arn, ReplicaRegion="eu-west-1", Policy=POLICY, Description="the other",
             BypassPolicyLockoutSafetyCheck=True, Tags=[{"TagKey": "Department", "TagValue": "IT"}])
        self.house.clock(advance=1)
        self.house.clock(set=START)
        self("UpdatePrimaryRegion", KeyId=key, PrimaryRegion="us-west-2")
        other = self.kms.create_key(MultiRegion=True)["KeyMetadata"]
        self.name_key("waiting", other)
        self.kms.replicate_key(KeyId=other["KeyId"], ReplicaRegion="us-west-2")
        self("ScheduleKeyDeletion, with replicas", KeyId=other["KeyId"], PendingWindowInDays=7)

    def asymmetric(self):
        made = self("CreateKey, to sign", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        self.name_key("signer", made)
        key, arn = made["KeyId"], made["Arn"]
        self("GetPublicKey", KeyId=key)
        signature = self("Sign", KeyId=key, Message=b"text", MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
        self("Verify", KeyId=arn, Message=b"text", SigningAlgorithm="ECDSA_SHA_256", Signature=signature)
        maker = self.kms.create_key(KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
        self.name_key("maker", maker)
        mac = self("GenerateMac", KeyId=maker["KeyId"], Message=b"text", MacAlgorithm="HMAC_SHA_384")["Mac"]
        self("VerifyMac", KeyId=maker["Arn"], Message=b"text", MacAlgorithm="HMAC_SHA_384", Mac=mac)
        agreer = self.kms.create_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]
        self.name_key("agreer", agreer)
        self("DeriveSharedSecret", KeyId=agreer["KeyId"], KeyAgreementAlgorithm="ECDH",
             PublicKey=self.kms.get_public_key(KeyId=agreer["KeyId"])["PublicKey"])

    def importing(self):
        made = self("CreateKey, to import", Origin="EXTERNAL")["KeyMetadata"]
        key, arn = made["KeyId"], made["Arn"]
        self.name_key("imported", made)
        got = self("GetParametersForImport", KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
        send = {"ImportToken": got["ImportToken"], "EncryptedKeyMaterial": wrap(got, "RSAES_OAEP_SHA_256", bytes(32))}
        answer = self("ImportKeyMaterial", KeyId=key, ValidTo="2026-05-21T05:47:45Z", ExpirationModel="KEY_MATERIAL_EXPIRES",
                      ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="ExampleKeyMaterialA", **send)
        name = answer["KeyMaterialId"]
        self("ImportKeyMaterial, again", KeyId=arn, KeyMaterialId=name, **FOREVER, **send)
        self("DeleteImportedKeyMaterial", KeyId=key, KeyMaterialId=name)
        self.names["imported_material"] = name
        for case in ("GetParametersForImport", "ImportKeyMaterial", "ImportKeyMaterial, again", "DeleteImportedKeyMaterial"):
            self.cases[case]["imported_material"] = name

    def grants(self, key, arn):
        bob = {"GranteePrincipal": ARNS["bob"]}
        first = self("CreateGrant", KeyId=arn, Operations=["Encrypt", "RetireGrant"], **bob,
                     Constraints={"EncryptionContextSubset": {"ContextKey1": "Value1"}})
        second = self("CreateGrant, all said", KeyId=key, Operations=["Decrypt"], RetiringPrincipal=ARNS["alice"], Name="named",
                      Constraints={"EncryptionContextEquals": {"a": "b"}}, GrantTokens=[first["GrantToken"]], **bob)
        third = self.kms.create_grant(KeyId=key, Operations=["Decrypt"], RetiringPrincipal=ARNS["alice"], **bob)
        self.names |= {"retired_id": second["GrantId"], "retired2_id": third["GrantId"], "revoked_id": first["GrantId"]}
        self("ListGrants", KeyId=key, Limit=10)
        self("ListRetirableGrants", RetiringPrincipal=ARNS["alice"])
        self("RetireGrant", GrantToken=second["GrantToken"])
        self("RetireGrant, by id", KeyId=arn, GrantId=third["GrantId"])
        self("RevokeGrant", KeyId=key, GrantId=first["GrantId"])


@pytest.fixture(scope="module")
def told(house):
    return Told(house)


def expected(data, case, names):
    """The case's record, members in the order of the data; what differs from call to call is filled in."""
    of_case = data["cases"][case]
    members = {}
    for name, value in data["envelope"].items():
        if value != "case":
            members[name] = value
        elif name == "resources" and name in of_case:
            members[name] = [data["resources"][r] for r in of_case[name]]
        elif name in of_case:
            members[name] = of_case[name]
    return json.loads(string.Template(json.dumps(members)).substitute(names))


def check(data, case, names, got):
    wanted = expected(data, case, {**names, "event_id": got["eventID"], "alice_id": got["userIdentity"]["principalId"]})
    assert got == wanted
    assert json.dumps(got) == json.dumps(wanted)  # also in the order of members
    assert re.fullmatch(UUID, got["eventID"]) and got["requestID"] != got["eventID"]
    assert re.fullmatch(r"AIDA[A-Z0-9]{17}", got["userIdentity"]["principalId"])


def built(daemon):
    listed = subprocess.run([program(daemon), "--list-operations"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines()[1:] if not line.endswith("not built")}


def test_the_data_is_of_every_operation(told):
    assert {case.partition(",")[0] for case in KMS["cases"]} == built("kmsd")
    assert set(told.cases) == set(KMS["cases"])
    of_items = {"DeleteItem", "GetItem", "PutItem"}  # data events
    assert {case.partition(",")[0] for case in DYNAMODB["cases"]} == built("ddbd") - of_items


@pytest.mark.parametrize("case", KMS["cases"])
def test_operation(told, case):
    names = told.cases[case]
    assert re.fullmatch(UUID, names["request_id"])
    check(KMS, case, names, told.records[names["request_id"]])


# ---- DynamoDB's own events ----

LONG_ID = r"[A-Z0-9]{26}VV4KQNSO5AEMVJF66Q9ASUAAJG"


@pytest.fixture(scope="module")
def of_tables(house):
    """What is to be filled into the expected records of the table operations, by case, and the records."""
    key = as_(house, "alice").create_key()["KeyMetadata"]
    client = house.dynamodb("AKIAALICE", "secret of AKIAALICE", **AGENT)
    house.clock(set=START)
    names = {"host": f"127.0.0.1:{house.ddbd.port}", "agent": AGENT_SENT, "key_id": key["KeyId"], "key_arn": key["Arn"]}
    cases = {}

    def call(case, **parameters):
        operation = case.partition(",")[0]
        answer = method(client, operation)(**parameters)
        cases[case] = {**names, "operation": operation, "request_id": request_id(answer)}
        return answer
    made = call("CreateTable", **definition("Music", "Artist:S", "SongTitle:S", SSESpecification=customer(key["KeyId"]),
                                            ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 10}))
    until_active(client, "Music")
    call("DescribeTable", TableName="Music")
    call("DescribeLimits")
    call("DescribeEndpoints")
    call("ListTables")
    call("ListTables, some", Limit=3, ExclusiveStartTableName="Books")
    call("UpdateTable", TableName="Music", ProvisionedThroughput={"ReadCapacityUnits": 25, "WriteCapacityUnits": 25})
    until_active(client, "Music")
    call("DeleteTable", TableName="Music")
    until_gone(client, "Music")
    for of_case in cases.values():
        of_case["table_id"] = made["TableDescription"]["TableId"]
        of_case["record"] = record(house, of_case["request_id"])
    return cases


@pytest.mark.parametrize("case", DYNAMODB["cases"])
def test_table_operation(of_tables, case):
    names = of_tables[case]
    assert re.fullmatch(LONG_ID, names["request_id"])
    check(DYNAMODB, case, names, names["record"])


def test_table_operations_that_are_refused(house):
    dynamodb, bob = house.dynamodb(), house.dynamodb("AKIABOB", "secret of AKIABOB")
    for call, parameters, error, resource in [
        (dynamodb.describe_table, {"TableName": "none"}, "ResourceNotFoundException", True),
        (dynamodb.delete_table, {"TableName": "none"}, "ResourceNotFoundException", True),
        (bob.list_tables, {}, "AccessDenied", False), (bob.describe_table, {"TableName": "none"}, "AccessDenied", True),
        (dynamodb.create_table, definition("x" * 300), "ValidationException", False),
        (dynamodb.list_backups, {}, "UnsupportedOperationException", False),
    ]:
        got = record(house, failed(call, **parameters))
        assert got["errorCode"] == error and got["errorMessage"] and got["responseElements"] is None
        arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/none"
        assert [r["ARN"] for r in got.get("resources", [])] == ([arn] if resource else [])
        assert list(got) == [m for m in ORDER if m in got]


def test_items_are_no_management_events(house):
    """Data events are off unless a selector asks for them."""
    dynamodb = house.dynamodb()
    table = make_table(dynamodb)
    answers = [dynamodb.put_item(TableName=table, Item={"pk": {"S": "a"}}), dynamodb.get_item(TableName=table, Key={"pk": {"S": "a"}}),
               dynamodb.delete_item(TableName=table, Key={"pk": {"S": "a"}})]
    ids = {request_id(a) for a in answers} | {failed(dynamodb.put_item, TableName="none", Item={"pk": {"S": "a"}}),
                                              failed(dynamodb.query, TableName=table)}
    record(house, dynamodb.list_tables())
    assert not ids & {e.get("requestID") for e in house.delivered()}


# ---- events of the service ----

def test_delete_key(house):
    kms = as_(house, "alice")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    house.clock(advance=7 * 86400)
    (got,) = [e for e in house.trail("DeleteKey") if e["resources"][0]["ARN"] == key]
    assert re.fullmatch(UUID, got["eventID"])
    wanted = {
        "eventVersion": "1.11", "userIdentity": {"accountId": ACCOUNT, "invokedBy": "AWS Internal"}, "eventTime": got["eventTime"],
        "eventSource": "kms.amazonaws.com", "eventName": "DeleteKey", "awsRegion": "us-east-1",
        "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal", "requestParameters": None,
        "responseElements": {"keyId": key}, "eventID": got["eventID"], "readOnly": False,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key}], "eventType": "AwsServiceEvent",
        "managementEvent": True, "recipientAccountId": ACCOUNT, "eventCategory": "Management"}
    assert json.dumps(got) == json.dumps(wanted)


def test_rotate_key(house):
    kms = as_(house, "alice")
    key = kms.create_key()["KeyMetadata"]
    kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
    house.clock(advance=90 * 86400)
    rotate(kms, key["KeyId"])
    ids = [m["KeyMaterialId"] for m in kms.list_key_rotations(KeyId=key["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]]
    events = [e for e in house.trail("RotateKey") if e["resources"][0]["ARN"] == key["Arn"]]
    got = {e["serviceEventDetails"]["rotationType"]: e for e in events}
    assert len(events) == 2
    for kind, before, now in (("AUTOMATIC", ids[0], ids[1]), ("ON_DEMAND", ids[1], ids[2])):
        event = got[kind]
        assert re.fullmatch(UUID, event["eventID"])
        wanted = {
            "eventVersion": "1.11", "userIdentity": {"accountId": ACCOUNT, "invokedBy": "AWS Internal"},
            "eventTime": event["eventTime"], "eventSource": "kms.amazonaws.com", "eventName": "RotateKey",
            "awsRegion": "us-east-1", "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal",
            "requestParameters": None, "responseElements": None, "eventID": event["eventID"], "readOnly": False,
            "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key["Arn"]}],
            "eventType": "AwsServiceEvent", "managementEvent": True, "recipientAccountId": ACCOUNT,
            "serviceEventDetails": {"rotationType": kind, "keyOrigin": "AWS_KMS", "previousKeyMaterialId": before,
                                    "currentKeyMaterialId": now, "keyId": key["KeyId"]},
            "eventCategory": "Management"}
        assert json.dumps(event) == json.dumps(wanted)


# ---- who called ----

def test_root(house):
    kms = as_(house, "root", **AGENT)
    got = record(house, kms.list_keys())
    assert list(got["userIdentity"].items()) == [
        ("type", "Root"), ("principalId", ACCOUNT), ("arn", ARNS["root"]), ("accountId", ACCOUNT), ("accessKeyId", "AKIAROOT")]
    # An access key of twelve digits is the root of that account.
    got = record(house, house.kms("999988887777").list_keys())
    assert got["userIdentity"] == {"type": "Root", "principalId": "999988887777", "arn": "arn:aws:iam::999988887777:root",
                                   "accountId": "999988887777", "accessKeyId": "999988887777"}
    assert got["recipientAccountId"] == "999988887777"


def test_the_unknown_user(house):
    """Any other access key is the default account's user `local`."""
    got = record(house, house.kms("whoever", "guessed").list_keys())
    assert list(got["userIdentity"]) == ["type", "principalId", "arn", "accountId", "accessKeyId", "userName"]
    assert got["userIdentity"].pop("principalId").startswith("AIDA")
    assert got["userIdentity"] == {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/local", "accountId": ACCOUNT,
                                   "accessKeyId": "whoever", "userName": "local"}


def session(role):
    return {"sessionIssuer": {"type": "Role", "principalId": role["principalId"].partition(":")[0],
                              "arn": ROLE_ARNS["app"], "accountId": ACCOUNT, "userName": "app"},
            "attributes": {"creationDate": role["sessionContext"]["attributes"]["creationDate"], "mfaAuthenticated": "false"}}


def check_role(who):
    assert re.fullmatch(r"AROA[A-Z0-9]{17}:i-0abc", who["principalId"])
    wanted = {"type": "AssumedRole", "principalId": who["principalId"], "arn": ARNS["app"], "accountId": ACCOUNT,
              "accessKeyId": "ASIAAPP", "sessionContext": session(who)}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", who["sessionContext"]["attributes"]["creationDate"])
    return wanted


def test_role_session(house):
    got = record(house, as_(house, "app").list_keys())
    assert json.dumps(got["userIdentity"]) == json.dumps(check_role(got["userIdentity"]))


def test_principal_ids_never_change(house):
    def ids():
        return [record(house, as_(house, who).list_keys())["userIdentity"]["principalId"] for who in ("alice", "app", "dave")]
    before = ids()
    house.ddbd.terminate()
    house.kmsd.restart()
    house.start_ddbd()
    assert ids() == before and len(set(before)) == 3


@pytest.fixture(scope="module")
def tables(house):
    """alice's key and table, with one read by the role's session; the names and all records of both daemons."""
    kms = as_(house, "alice")
    key = kms.create_key()["KeyMetadata"]
    alice = house.dynamodb("AKIAALICE", "secret of AKIAALICE")
    return key, make_table(alice, "Books", sse=customer(key["KeyId"])), alice


def on_behalf(event, wanted):
    """The common part of what DynamoDB calls in a user's name, or in its own."""
    assert list(event) == [m for m in ORDER if m in event]
    assert (event["sourceIPAddress"], event["userAgent"]) == ("dynamodb.amazonaws.com", "dynamodb.amazonaws.com")
    assert "tlsDetails" not in event
    assert json.dumps(event["userIdentity"]) == json.dumps(wanted)
    assert event["eventSource"] == "kms.amazonaws.com" and event["recipientAccountId"] == ACCOUNT


def of_user(house, name="alice"):
    who = record(house, as_(house, name).list_keys())["userIdentity"]
    return {**who, "invokedBy": "dynamodb.amazonaws.com"}


def of_table(house, name, key, table="Books"):
    """DynamoDB's calls about the table's key, by name."""
    return [e for e in house.trail(name) if e["userIdentity"].get("invokedBy") == "dynamodb.amazonaws.com"
            and any(r["ARN"] == key["Arn"] for r in e["resources"])]


CONTEXT = {"aws:dynamodb:tableName": "Books", "aws:dynamodb:subscriberId": ACCOUNT}


def test_on_behalf_of_a_user(house, tables):
    key, _, _ = tables
    alice = of_user(house)
    for event in of_table(house, "DescribeKey", key) + of_table(house, "CreateGrant", key):
        on_behalf(event, alice)
        assert "sharedEventID" not in event
    assert of_table(house, "DescribeKey", key)[0]["requestParameters"] == {"keyId": key["KeyId"]}
    grants = [g["GrantId"] for g in as_(house, "alice").list_grants(KeyId=key["KeyId"])["Grants"]]
    events = of_table(house, "CreateGrant", key)
    assert {e["responseElements"]["grantId"] for e in events} == set(grants)
    for event in events:
        assert event["responseElements"]["keyId"] == key["Arn"]
        asked = event["requestParameters"]
        assert asked["granteePrincipal"] == asked["retiringPrincipal"] == "dynamodb.us-east-1.amazonaws.com"
        assert asked["constraints"] == {"encryptionContextSubset": CONTEXT}
    assert ["DescribeKey", "GenerateDataKey", "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "RetireGrant"] in [
        e["requestParameters"]["operations"] for e in events]


def test_the_service_itself(house, tables):
    key, _, _ = tables
    events = of_table(house, "GenerateDataKey", key)
    assert len(events) == 1
    (event,) = events
    on_behalf(event, {"type": "AWSService", "invokedBy": "dynamodb.amazonaws.com"})
    assert re.fullmatch(UUID, event["sharedEventID"]) and event["sharedEventID"] != event["eventID"]
    assert event["requestParameters"]["encryptionContext"] == CONTEXT and event["requestParameters"]["keySpec"] == "AES_256"
    assert event["responseElements"] is None and event["readOnly"] is True
    assert event["resources"] == [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key["Arn"]}]


def test_a_role_reads_the_table(house, tables):
    """A Decrypt in the role's name, once until the key cache forgets."""
    key, table, _ = tables
    app = house.dynamodb("ASIAAPP", "secret of ASIAAPP", "token of ASIAAPP")
    # The role may use tables here as every principal with full rights.
    with_rights = [app.get_item(TableName=table, Key={"pk": {"S": "none"}}) for _ in range(3)]
    assert all("Item" not in answer for answer in with_rights)
    events = [e for e in of_table(house, "Decrypt", key) if e["userIdentity"]["type"] == "AssumedRole"]
    assert len(events) == 1
    wanted = record(house, as_(house, "app").list_keys())["userIdentity"]
    on_behalf(events[0], {**wanted, "invokedBy": "dynamodb.amazonaws.com"})
    assert events[0]["requestParameters"]["encryptionContext"] == CONTEXT


# ---- two accounts ----

def foreign_key(house, *more):
    """alice's key that the other account may use."""
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ARNS["root"]}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": ARNS["other root"]}, "Action": ["kms:Encrypt", "kms:CreateGrant", *more],
         "Resource": "*"}]}
    return as_(house, "alice").create_key(Policy=json.dumps(policy))["KeyMetadata"]


@pytest.mark.parametrize("operation", ["Encrypt", "CreateGrant"])
def test_another_accounts_key(house, operation):
    key = foreign_key(house)
    parameters = {"Encrypt": {"Plaintext": b"x"},
                  "CreateGrant": {"GranteePrincipal": ARNS["dave"], "Operations": ["Encrypt"]}}[operation]
    answer = method(as_(house, "dave"), operation)(KeyId=key["Arn"], **parameters)
    copies = {e["recipientAccountId"]: e for e in records(house, request_id(answer))}
    assert set(copies) == {ACCOUNT, OTHER}
    callers, owners = copies[OTHER], copies[ACCOUNT]
    assert callers["userIdentity"]["arn"] == ARNS["dave"] and callers["userIdentity"]["userName"] == "dave"
    assert list(owners["userIdentity"].items()) == [
        ("type", "AWSAccount"), ("principalId", callers["userIdentity"]["principalId"]), ("accountId", OTHER)]
    assert callers["sharedEventID"] == owners["sharedEventID"] and callers["eventID"] != owners["eventID"]
    assert re.fullmatch(UUID, callers["sharedEventID"])
    assert callers["resources"] == owners["resources"] == [
        {"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key["Arn"]}]
    differing = {m for m in callers if callers[m] != owners.get(m)}
    assert differing == {"userIdentity", "eventID", "recipientAccountId"} and set(callers) == set(owners)
    folders = {p.parts[-7] for p in house.log_files() if request_id(answer).encode() in unpacked(p)}
    assert folders == {ACCOUNT, OTHER}


def unpacked(path):
    return gzip.decompress(path.read_bytes())


def copies_of(house, answer):
    """The records of a call by the account they are for: the caller's in full, the others' with the account alone."""
    copies = {e["recipientAccountId"]: e for e in until(lambda: house.trail(requestID=request_id(answer)), "the records")}
    assert len({e["eventID"] for e in copies.values()}) == len(copies) == len(house.pick(requestID=request_id(answer)))
    assert len({e.get("sharedEventID") for e in copies.values()}) == 1
    for account, event in copies.items():
        assert event["userIdentity"]["type"] == ("IAMUser" if account == OTHER else "AWSAccount")
        assert ("sharedEventID" in event) == (len(copies) > 1)
    return copies


def test_re_encrypt_between_accounts(house):
    """Every owner of one of the two keys has a copy, whichever key it is; none has two."""
    dave, third = as_(house, "dave"), "777788889999"
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": [
        ARNS["other root"], f"arn:aws:iam::{third}:root"]}, "Action": "kms:*", "Resource": "*"}]}
    alices = [foreign_key(house, "kms:ReEncrypt*")["Arn"] for _ in range(2)]
    thirds = house.kms(third).create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    own = [dave.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    for source, destination, accounts in [
        (own[0], own[1], {OTHER}), (own[0], alices[0], {OTHER, ACCOUNT}), (alices[0], own[0], {OTHER, ACCOUNT}),
        (alices[0], alices[1], {OTHER, ACCOUNT}), (alices[0], thirds, {OTHER, ACCOUNT, third}),
    ]:
        blob = dave.encrypt(KeyId=source, Plaintext=b"x")["CiphertextBlob"]
        copies = copies_of(house, dave.re_encrypt(CiphertextBlob=blob, DestinationKeyId=destination))
        assert set(copies) == accounts
        assert all([r["ARN"] for r in e["resources"]] == [source, destination] for e in copies.values())


def test_a_table_under_another_accounts_key(house):
    """The key's owner sees all that DynamoDB does with it, in a user's name and in its own."""
    key = foreign_key(house, "kms:*")["Arn"]
    dynamodb = house.dynamodb("AKIADAVE", "secret of AKIADAVE")
    make_table(dynamodb, "Foreign", sse=customer(key))
    dynamodb.put_item(TableName="Foreign", Item={"pk": {"S": "a"}})
    dynamodb.delete_table(TableName="Foreign")
    until_gone(dynamodb, "Foreign")
    until(lambda: len(of_table_key(house, "RetireGrant", key)) == 4, "the grants to be retired")
    for name, who in [("DescribeKey", "IAMUser"), ("CreateGrant", "IAMUser"), ("Decrypt", "IAMUser"),
                      ("GenerateDataKey", "AWSService"), ("RetireGrant", "AWSService")]:
        events = of_table_key(house, name, key)
        for shared in {e["sharedEventID"] for e in events}:
            copies = {e["recipientAccountId"]: e for e in events if e["sharedEventID"] == shared}
            assert set(copies) == {OTHER, ACCOUNT}, name
            assert copies[OTHER]["requestID"] == copies[ACCOUNT]["requestID"] and copies[OTHER]["eventID"] != copies[ACCOUNT]["eventID"]
            assert copies[OTHER]["userIdentity"]["type"] == who
            owners = {"type": "AWSService"} if who == "AWSService" else {
                "type": "AWSAccount", "principalId": copies[OTHER]["userIdentity"]["principalId"], "accountId": OTHER}
            assert json.dumps(copies[ACCOUNT]["userIdentity"]) == json.dumps({**owners, "invokedBy": "dynamodb.amazonaws.com"})


def of_table_key(house, name, key):
    return [e for e in house.trail(name) if "invokedBy" in e["userIdentity"] and any(r["ARN"] == key for r in e["resources"])]


def test_denied_to_another_account(house):
    """Only the caller's account learns of it."""
    key = foreign_key(house)
    got = record(house, failed(as_(house, "dave").generate_data_key, KeyId=key["Arn"], KeySpec="AES_256"))
    assert (got["recipientAccountId"], got["errorCode"]) == (OTHER, "AccessDenied")
    assert "sharedEventID" not in got


# ---- refusals ----

def test_access_denied(house, key):
    bob = as_(house, "bob", **AGENT)
    assert refused(bob.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    with pytest.raises(bob.exceptions.ClientError) as caught:
        bob.encrypt(KeyId=key, Plaintext=b"x")
    got = record(house, request_id(caught.value.response))
    assert got["errorCode"] == "AccessDenied"
    assert got["errorMessage"] == caught.value.response["Error"]["Message"]
    assert got["errorMessage"].startswith(f"User: {ARNS['bob']} is not authorized to perform: kms:Encrypt on resource: ")
    assert got["responseElements"] is None and "additionalEventData" not in got and got["readOnly"] is True
    assert got["requestParameters"] == {"keyId": key, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    assert [r["ARN"].rpartition("/")[2] for r in got["resources"]] == [key]
    assert list(got) == [m for m in ORDER if m in got]


def test_errors(house, kms, key):
    """errorCode is the exception's name; nothing is said of a response; the resource if there is one."""
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    off = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=off)
    absent = "11111111-2222-4333-8444-555555555555"
    asked = {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    for operation, parameters, error, shown, resources in [
        ("Decrypt", {"CiphertextBlob": sealed, "KeyId": other}, "IncorrectKeyException", {"keyId": other, **asked}, [other]),
        ("Decrypt", {"CiphertextBlob": sealed, "EncryptionContext": {"a": "b"}}, "InvalidCiphertextException",
         {"encryptionContext": {"a": "b"}, **asked}, [key]),
        ("Decrypt", {"CiphertextBlob": b"no blob"}, "InvalidCiphertextException", asked, None),
        ("Encrypt", {"KeyId": off, "Plaintext": b"x"}, "DisabledException", {"keyId": off, **asked}, [off]),
        ("DescribeKey", {"KeyId": absent}, "NotFoundException", {"keyId": absent}, [absent]),
        ("DescribeKey", {"KeyId": "alias/none"}, "NotFoundException", {"keyId": "alias/none"}, None),
        ("CreateAlias", {"AliasName": "nonsense", "TargetKeyId": key}, "ValidationException",
         {"aliasName": "nonsense", "targetKeyId": key}, None),
        ("DeleteAlias", {"AliasName": "alias/none"}, "NotFoundException", {"aliasName": "alias/none"}, None),
        ("EnableKey", {"KeyId": "x" * 3000}, "ValidationException", {"keyId": "x" * 3000}, None),
        ("CreateKey", {"KeyUsage": "SIGN_VERIFY"}, "ValidationException", ..., None),
        ("RevokeGrant", {"KeyId": key, "GrantId": "0" * 64}, "NotFoundException", {"keyId": key, "grantId": "0" * 64}, [key]),
    ]:
        got = record(house, failed(method(house.kms(parameter_validation=False), operation), **parameters))
        assert got["errorCode"] == error, operation
        # AWS says nothing more about a ciphertext that is none.
        assert (error == "InvalidCiphertextException") == ("errorMessage" not in got)
        assert len(got.get("errorMessage", "").encode()) <= 1024
        assert got["responseElements"] is None and "additionalEventData" not in got
        assert shown is ... or got["requestParameters"] == shown
        assert resources is None or [r["ARN"].rpartition("/")[2] for r in got["resources"]] == resources, operation
        assert list(got) == [m for m in ORDER if m in got]
        assert got["readOnly"] is (operation in ("Decrypt", "Encrypt", "DescribeKey", "Sign"))


def test_bodies_that_are_none(house):
    """An authenticated call with nonsense in it is a call all the same."""
    for body in (b"{", b"[1]", b'{"KeyId": {"a": 1}}', b"\xff", b'"text"'):
        status, headers, _ = Raw("DescribeKey", body).sign().send(house)
        assert status == 400
        got = record(house, headers["x-amzn-RequestId"])
        assert got["errorCode"] in ("SerializationException", "ValidationException"), got
        assert got["responseElements"] is None and got["requestParameters"] in (None, {"keyId": {"a": 1}})


def test_markers_are_told(house, key):
    kms = as_(house, "alice")
    for _ in range(2):
        kms.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Decrypt"])
    for call, named in ((kms.list_aliases, {}), (kms.list_grants, {"KeyId": key})):
        marker = call(**named, Limit=1)["NextMarker"]
        got = record(house, call(**named, Limit=50, Marker=marker))
        assert got["requestParameters"] == {**({"keyId": key} if named else {}), "limit": 50, "marker": marker}


def test_request_ids_are_the_replies(house, kms, key):
    answers = [kms.list_keys(), kms.describe_key(KeyId=key), kms.generate_random(NumberOfBytes=1)]
    for answer in answers:
        assert re.fullmatch(UUID, request_id(answer))
        assert record(house, answer)["requestID"] == request_id(answer) == answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]


def test_unauthenticated_calls_are_never_shown(house):
    ids = []
    for raw in [Raw(), Raw(secret="wrong", key="AKIAALICE").sign(), Raw(key="AKIAALICE", secret="secret of AKIAALICE", service="sqs").sign(),
                Raw(region="nowhere-1").sign(), Raw("NoSuchOperation").sign(), Raw(key="ASIAAPP", secret="secret of ASIAAPP").sign()]:
        status, headers, _ = raw.send(house)
        assert status == 400
        ids.append(headers["x-amzn-RequestId"])
    shown = {e.get("requestID") for e in house.trail()}
    assert not shown & set(ids)


def test_large_texts(house, kms):
    """A policy that fits is shown whole; a field over 100 KB is left out as a whole; a long user agent is cut at 1 KB."""
    def policy(n):
        return json.dumps({"Version": "2012-10-17", "Id": "x" * n, "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ARNS["root"]}, "Action": "kms:*", "Resource": "*"}]})
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    whole = policy(30_000)
    assert record(house, kms.put_key_policy(KeyId=key, Policy=whole))["requestParameters"]["policy"] == whole
    tags = [{"TagKey": f"k{i}", "TagValue": "é" * 256} for i in range(50)]
    assert len(record(house, kms.tag_resource(KeyId=key, Tags=tags))["requestParameters"]["tags"]) == 50
    context = {f"{i:03}": "v" * 3000 for i in range(40)}
    answer = failed(house.kms(parameter_validation=False).encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context)
    assert record(house, answer)["requestParameters"] is None
    agent = house.kms(user_agent="agent/" + "é" * 2000)
    shown = record(house, agent.list_keys())["userAgent"]
    assert 1000 < len(shown.encode()) <= 1024 and shown.startswith("agent/éé")


@pytest.mark.parametrize("sent, shown", [(None, None), ("", ""), ('a "quoted" \\ one', 'a "quoted" \\ one'), ("a\ttab", "a\ttab"),
                                         ("latin caf\xe9", "latin caf\ufffd")], ids=repr)
def test_user_agents_as_they_come(house, sent, shown):
    """Absent when there was none; what is not UTF-8 is replaced, so that the log file can be read."""
    raw = Raw().sign()
    if sent is not None:
        raw.set(User_Agent=sent)
    status, headers, _ = raw.send(house)
    assert status == 200
    assert record(house, headers["x-amzn-RequestId"]).get("userAgent") == shown


def test_tables_of_another_region(house):
    """ddbd's events too are filed by the Region of the signature."""
    got = record(house, house.client("dynamodb", region="eu-central-1").list_tables())
    assert got["awsRegion"] == "eu-central-1"
    assert {p.parts[-5] for p in house.log_files() if got["requestID"].encode() in unpacked(p)} == {"eu-central-1"}


def test_refused_by_the_key(house, tables):
    """What KMS refuses DynamoDB to do for a user is the user's AccessDenied."""
    key, table, alice = tables
    kms, root = as_(house, "alice"), as_(house, "root")
    before = kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
    policy = json.loads(before)
    policy["Statement"].append({"Effect": "Deny", "Principal": {"AWS": ARNS["alice"]}, "Action": "kms:Decrypt", "Resource": "*"})
    root.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy))
    try:
        house.clock(advance=301)
        failed(alice.get_item, TableName=table, Key={"pk": {"S": "none"}})
    finally:
        root.put_key_policy(KeyId=key["KeyId"], Policy=before)
    event = [e for e in of_table(house, "Decrypt", key) if "errorCode" in e][-1]
    on_behalf(event, of_user(house))
    assert event["errorCode"] == "AccessDenied" and ARNS["alice"] in event["errorMessage"]
    assert event["requestParameters"]["encryptionContext"] == CONTEXT
    assert event["responseElements"] is None and "additionalEventData" not in event


# ---- what must never be seen ----

class Secrets:
    """What was said in confidence, and where it must not be found."""

    def __init__(self):
        self.forms = {}

    def add(self, name, value):
        data = value if isinstance(value, bytes) else value.encode()
        assert len(data) >= 8
        # As it is, as the wire and its libraries write it; in the middle of base64 there are three ways to begin.
        for shift in range(3):
            self.forms[base64.b64encode(b"\0" * shift + data)[4 * (shift > 0):-4]] = name
        for form in (data, data.hex().encode(), data.hex().upper().encode(), base64.urlsafe_b64encode(data)[:-4], repr(data).encode()[2:-1],
                     json.dumps(data.decode("latin-1")).encode()[1:-1]):
            self.forms[form] = name
        return value

    def found_in(self, data):
        return {name for form, name in self.forms.items() if form in data}


def test_secrets_are_never_shown(make_house):
    house = make_house(principals=with_tables(PRINCIPALS), kmsd=["--log-level=debug"], ddbd_args=["--log-level=debug"])
    kms, bob, app = as_(house, "alice"), as_(house, "bob"), as_(house, "app")
    free = as_(house, "alice", parameter_validation=False)
    secrets = Secrets()
    for key in ("AKIAALICE", "AKIABOB"):
        secrets.add("secret access key", f"secret of {key}")
    secrets.add("session token", "token of ASIAAPP")
    secrets.add("service's secret", json.loads((house.folder / "service-credentials").read_text())["secretAccessKey"])
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    plaintext = secrets.add("plaintext", b"attack at dawn, not at dusk")
    blob = secrets.add("ciphertext", kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"])
    kms.decrypt(CiphertextBlob=blob)
    app.decrypt(CiphertextBlob=blob)
    secrets.add("ciphertext", kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)["CiphertextBlob"])
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    secrets.add("data key", data_key["Plaintext"])
    secrets.add("ciphertext", data_key["CiphertextBlob"])
    secrets.add("ciphertext", kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_128")["CiphertextBlob"])
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    secrets.add("private key", pair["PrivateKeyPlaintext"][36:68])
    secrets.add("ciphertext", pair["PrivateKeyCiphertextBlob"])
    agreer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    secrets.add("shared secret", kms.derive_shared_secret(
        KeyId=agreer, KeyAgreementAlgorithm="ECDH", PublicKey=pair["PublicKey"])["SharedSecret"])
    rsa = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    sealed = secrets.add("ciphertext", kms.encrypt(KeyId=rsa, Plaintext=plaintext, EncryptionAlgorithm="RSAES_OAEP_SHA_256")["CiphertextBlob"])
    kms.decrypt(KeyId=rsa, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    failed(kms.encrypt, KeyId=rsa, Plaintext=plaintext * 10, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    secrets.add("random", kms.generate_random(NumberOfBytes=64)["Plaintext"])
    grant = kms.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["Decrypt", "GenerateDataKey", "RetireGrant"])
    token = secrets.add("grant token", grant["GrantToken"])
    bob.decrypt(CiphertextBlob=blob, GrantTokens=[token])
    bob.generate_data_key(KeyId=key, KeySpec="AES_256", GrantTokens=[token])
    # Refusals quote what they refuse.
    longest = secrets.add("plaintext", (plaintext * 200)[:4097])
    changed = secrets.add("ciphertext", blob[:-1] + bytes([blob[-1] ^ 1]))
    for call, parameters in [
        (free.encrypt, {"KeyId": key, "Plaintext": longest}), (free.encrypt, {"KeyId": "alias/none", "Plaintext": plaintext}),
        (bob.encrypt, {"KeyId": key, "Plaintext": plaintext}), (kms.decrypt, {"CiphertextBlob": changed}),
        (kms.decrypt, {"CiphertextBlob": blob, "KeyId": other}), (free.decrypt, {"CiphertextBlob": blob * 60}),
        (bob.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": other}),
        (free.decrypt, {"CiphertextBlob": blob, "GrantTokens": [token] * 11}),
        (free.decrypt, {"CiphertextBlob": blob, "GrantTokens": [token * 20]}),
        (free.decrypt, {"CiphertextBlob": blob, "GrantTokens": [token[:-4] + "AAAA"]}),
        (free.retire_grant, {"GrantToken": token * 20}), (free.retire_grant, {"GrantToken": token[:-4] + "AAAA"}),
    ]:
        failed(call, **parameters)
    for operation, body in [("Encrypt", {"KeyId": key, "Plaintext": plaintext.decode()}),
                            ("Encrypt", {"KeyId": key, "Plaintext": {"a": base64.b64encode(plaintext).decode()}}),
                            ("Encrypt", {"Plaintext": [base64.b64encode(plaintext).decode()]}),
                            ("Decrypt", {"CiphertextBlob": blob.hex()}), ("RetireGrant", {"GrantToken": [token]}),
                            ("Decrypt", {"CiphertextBlob": "AAAA", "GrantTokens": token}),
                            ("Decrypt", {"CiphertextBlob": "AAAA", "GrantTokens": [{"a": token}]}),
                            ("Sign", {"KeyId": key, "Message": base64.b64encode(plaintext).decode()})]:
        assert Raw(operation, json.dumps(body).encode(), "AKIAALICE", "secret of AKIAALICE").sign().send(house)[0] == 400
    failed(as_(house, "dave").decrypt, CiphertextBlob=blob)
    said = refused(free.retire_grant, GrantToken=token * 20)[1]
    assert token in said  # to the caller alone, as AWS says it
    bob.retire_grant(GrantToken=token)
    dynamodb = house.dynamodb("AKIAALICE", "secret of AKIAALICE")
    table = make_table(dynamodb, sse=customer(key))
    dynamodb.put_item(TableName=table, Item={"pk": {"S": secrets.add("item", "an item's key")}, "x": {"S": secrets.add("item", "its value, for nobody")}})
    failed(house.dynamodb(parameter_validation=False).put_item, TableName=table, Item={"pk": {"N": "its value, for nobody"}})
    for daemon in (house.ddbd, house.kmsd):
        assert daemon.terminate() == 0
    assert {e["eventName"] for e in house.delivered()} >= {"Encrypt", "RetireGrant", "CreateTable", "Sign"}
    (event,) = [e for e in house.pick("RetireGrant") if "***" in e.get("errorMessage", "") and e["readOnly"] is False][:1]
    assert event["errorMessage"] == said.replace(token * 20, "***")
    searched = 0
    for path in house.folder.rglob("*"):
        if not path.is_file() or path.name in ("principals.json", "service-credentials"):
            continue
        data = unpacked(path) if path.suffix == ".gz" else path.read_bytes()
        # The catalogue of tables holds wrapped keys, which are ciphertexts of KMS, as it must.
        assert not secrets.found_in(data), path
        searched += 1
    assert searched >= 6
