"""Keys that cannot be used: what CreateTable and UpdateTable say at once, what becomes of a table whose key is lost, and
how it recovers (spec 31 to 37)."""
import datetime
import json
import re

import pytest

from daemons import ACCOUNT, REGION, until
from tables import (MANAGED, OWNED, PRINCIPALS, allow, credentials_of, customer, definition, describe, get, invalid, make_table,
                    put, refused, unique, until_active, until_gone, user)

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
UNKNOWN = "11112222-3333-4444-5555-666677778888"
LOST = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
START = datetime.datetime(2026, 5, 20, 20, 45, tzinfo=datetime.timezone.utc)


def arn_of(key_id, region=REGION, account=ACCOUNT):
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"


def assert_kms_message(message, kind, exception, text, code=None, status=400):
    """<class>: com.amazonaws.services.kms.model.<Exc>: <text> (Service: AWSKMS; …; Request ID: <uuid>; Proxy: null)"""
    found = re.fullmatch(rf"(.*?): com\.amazonaws\.services\.kms\.model\.(\w+): (.*) \(Service: AWSKMS; Status Code: (\d+); "
                         rf"Error Code: (\w+); Request ID: {UUID}; Proxy: null\)", message)
    assert found, message
    assert found.groups() == (kind, exception, text, str(status), code or exception)


@pytest.fixture(scope="module")
def table(house):
    """A table under the owned key, which all refused changes leave as it is."""
    return make_table(house.dynamodb())


@pytest.fixture
def unusable(house, dynamodb, table):
    """unusable(code, key) tries the key with CreateTable and UpdateTable and returns the messages; nothing may be left."""
    def check(code, key, client=None):
        client, name = client or dynamodb, unique()
        before = describe(dynamodb, table)
        messages = [refused(code, client.create_table, **definition(name, SSESpecification=customer(key))),
                    refused(code, client.update_table, TableName=table, SSESpecification=customer(key))]
        assert name not in dynamodb.list_tables()["TableNames"]
        assert describe(dynamodb, table) == before
        return messages
    return check


# ---- at once ----

def test_disabled(kms, key, unusable):
    kms.create_alias(AliasName=f"alias/{key}", TargetKeyId=key)
    kms.disable_key(KeyId=key)
    for given in (key, arn_of(key), f"alias/{key}", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/{key}"):
        for message in unusable("ValidationException", given):
            assert_kms_message(message, "KMS key disabled error", "DisabledException", f"{arn_of(key)} is disabled.")
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_pending_deletion(kms, key, unusable):
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    for message in unusable("ValidationException", key):
        assert_kms_message(message, "KMS validation error", "KMSInvalidStateException", f"{arn_of(key)} is pending deletion.")


@pytest.mark.parametrize("spec, usage", [("RSA_2048", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")])
def test_a_key_of_another_kind(kms, unusable, spec, usage):
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
    for message in unusable("InternalServerError", key):
        assert_kms_message(message, "KMS internal error", "AWSKMSException", "EncryptionContext is supported only when creating a "
                           "grant for a symmetric encryption KMS key.", code="ValidationException")
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_no_such_key(unusable):
    for given in (UNKNOWN, arn_of(UNKNOWN)):
        for message in unusable("ValidationException", given):
            assert_kms_message(message, "KMS validation error", "NotFoundException", f"Key '{arn_of(UNKNOWN)}' does not exist")


def test_no_such_alias(unusable):
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/nobody"
    for given in ("alias/nobody", arn):
        for message in unusable("ValidationException", given):
            assert_kms_message(message, "KMS validation error", "NotFoundException", f"Alias {arn} is not found.")


def test_another_regions_key(house, unusable):
    elsewhere = house.kms(region="eu-west-1").create_key()["KeyMetadata"]["Arn"]
    for message in unusable("ValidationException", elsewhere):
        assert_kms_message(message, "KMS validation error", "NotFoundException", "Invalid arn eu-west-1")


@pytest.mark.parametrize("nonsense", ["", "no-such-id", "arn:aws:kms", "alias/", "x" * 3000], ids=range(5))
def test_nonsense_for_a_key(unusable, nonsense):
    for message in unusable("ValidationException", nonsense):
        assert message


def test_another_accounts_key(house, unusable):
    key = house.kms(key="999988887777").create_key()["KeyMetadata"]["Arn"]
    for message in unusable("AccessDeniedException", key):
        assert "is not authorized to perform: kms:DescribeKey on this resource because the resource does not exist" in message
        assert message.startswith("KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: User: arn:aws:")


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}, *statements]})


def test_no_right_to_create_grants(kms, unusable):
    key = kms.create_key(Policy=policy({"Effect": "Deny", "Principal": "*", "Action": "kms:CreateGrant", "Resource": "*"}))["KeyMetadata"]
    for message in unusable("AccessDeniedException", key["KeyId"]):
        assert message.startswith(f"KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: User: "
                                  f"arn:aws:iam::{ACCOUNT}:user/local is not authorized to perform: kms:CreateGrant on resource: "
                                  f"{key['Arn']} ")
        assert "; Error Code: AccessDeniedException; " in message


def test_grants_only_for_services(make_house):
    """The rights that AWS recommends: keys only by way of DynamoDB, grants only for a service."""
    through_dynamodb = {"StringLike": {"kms:ViaService": "dynamodb.*.amazonaws.com"}}
    dora = user("dora", allow("dynamodb:*"), allow("kms:DescribeKey", "kms:Decrypt", Condition=through_dynamodb),
                allow("kms:CreateGrant", Condition={**through_dynamodb, "Bool": {"kms:GrantIsForAWSResource": "true"}}))
    house = make_house(principals={"accounts": {ACCOUNT: {"users": {"alice": user("alice", allow("kms:*")), "dora": dora}}}},
                       kmsd=["--auth=strict"])
    key = house.kms(**credentials_of("alice")).create_key()["KeyMetadata"]
    credentials = {name: dora["accessKeys"][0][member] for name, member in (("key", "id"), ("secret", "secret"))}
    dynamodb, kms = house.dynamodb(**credentials), house.kms(**credentials)
    name = make_table(dynamodb, sse=customer(key["KeyId"]))
    put(dynamodb, name, "a", x="1")
    assert get(dynamodb, name, "a") == {"x": "1"}
    refused("AccessDeniedException", kms.create_grant, KeyId=key["KeyId"], Operations=["Decrypt"],
            GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/dora")
    refused("AccessDeniedException", kms.describe_key, KeyId=key["KeyId"])


def test_another_services_managed_key(kms, unusable):
    """It comes to be by being asked for; its policy allows DynamoDB nothing (measured on AWS)."""
    for message in unusable("AccessDeniedException", "alias/aws/s3"):
        key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
        assert message.startswith(
            "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: User: "
            f"arn:aws:iam::{ACCOUNT}:user/local is not authorized to perform: kms:CreateGrant on resource: {key} because no "
            "resource-based policy allows the kms:CreateGrant action (")


# ---- lost and found ----

class Lab:
    def __init__(self, house):
        self.house, self.dynamodb, self.kms = house, house.dynamodb(), house.kms()
        self.key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.table = make_table(self.dynamodb, sse=customer(self.key))
        put(self.dynamodb, self.table, "a", x="1")

    def described(self):
        return describe(self.dynamodb, self.table)

    @property
    def status(self):
        return self.described()["TableStatus"]

    def check(self):
        """The clock goes on to the next check of keys (every 10 minutes here)."""
        self.house.clock(advance=600)

    def lose(self):
        self.kms.disable_key(KeyId=self.key)
        self.check()
        assert self.status == LOST

    def read(self):
        return get(self.dynamodb, self.table, "a")


@pytest.fixture
def lab(make_house):
    return Lab(make_house(ddbd_args=["--key-check-interval=600s"]))


LOSSES = {
    "disabled": (lambda lab: lab.kms.disable_key(KeyId=lab.key), "KMS key disabled error", "DisabledException", "{} is disabled."),
    "deletion": (lambda lab: lab.kms.schedule_key_deletion(KeyId=lab.key, PendingWindowInDays=7), "KMS validation error",
                 "KMSInvalidStateException", "{} is pending deletion."),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_the_table_goes_with_its_key(lab, loss):
    lose, kind, exception, text = LOSSES[loss]
    lose(lab)
    assert lab.read() == {"x": "1"}  # from the cache
    lab.house.clock(advance=301)
    assert lab.status == "ACTIVE"  # nobody has looked yet
    for call, more in ((lab.dynamodb.get_item, {"Key": {"pk": {"S": "a"}}}), (lab.dynamodb.put_item, {"Item": {"pk": {"S": "b"}}}),
                       (lab.dynamodb.delete_item, {"Key": {"pk": {"S": "a"}}})):
        message = invalid(call, TableName=lab.table, **more)
        assert_kms_message(message, kind, exception, text.format(arn_of(lab.key)))
    lab.check()
    table = lab.described()
    assert table["TableStatus"] == LOST
    sse = table["SSEDescription"]
    found = sse.pop("InaccessibleEncryptionDateTime")
    assert sse == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(lab.key)}
    assert START + datetime.timedelta(seconds=301) < found <= START + datetime.timedelta(seconds=901)
    assert_kms_message(invalid(lab.dynamodb.get_item, TableName=lab.table, Key={"pk": {"S": "a"}}), kind, exception,
                       text.format(arn_of(lab.key)))
    lab.check()
    assert lab.described()["SSEDescription"]["InaccessibleEncryptionDateTime"] == found  # the first detection
    lab.house.ddbd.restart()
    assert lab.described()["SSEDescription"]["InaccessibleEncryptionDateTime"] == found


def test_grants_revoked(lab):
    """The key is there and the caller may use it, but the service cannot: nobody can once that was detected."""
    for grant in lab.kms.list_grants(KeyId=lab.key)["Grants"]:
        lab.kms.revoke_grant(KeyId=lab.key, GrantId=grant["GrantId"])
    lab.check()
    assert lab.status == LOST
    assert "InaccessibleEncryptionDateTime" in lab.described()["SSEDescription"]
    for call, more in ((lab.dynamodb.get_item, {"Key": {"pk": {"S": "a"}}}), (lab.dynamodb.put_item, {"Item": {"pk": {"S": "b"}}})):
        message = refused("AccessDeniedException", call, TableName=lab.table, **more)
        assert message.startswith("KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: ")
    # Another key heals: new grants, new table key (spec 36).
    other = lab.kms.create_key()["KeyMetadata"]["KeyId"]
    lab.dynamodb.update_table(TableName=lab.table, SSESpecification=customer(other))
    lab.house.clock(advance=30)
    until_active(lab.dynamodb, lab.table)
    until(lambda: lab.described()["SSEDescription"] == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(other)},
          "the change of key to end")
    assert lab.read() == {"x": "1"}
    assert len(lab.kms.list_grants(KeyId=other)["Grants"]) == 2
    lab.check()
    assert lab.status == "ACTIVE"


def test_one_lost_table_does_not_trouble_others(lab):
    other = make_table(lab.dynamodb, sse=MANAGED)
    owned = make_table(lab.dynamodb)
    for name in (other, owned):
        put(lab.dynamodb, name, "a", x="2")
    lab.lose()
    for name in (other, owned):
        assert describe(lab.dynamodb, name)["TableStatus"] == "ACTIVE"
        assert get(lab.dynamodb, name, "a") == {"x": "2"}


def test_recovery_by_enabling_the_key(lab):
    lab.lose()
    lab.kms.enable_key(KeyId=lab.key)
    assert lab.read() == {"x": "1"}  # at once
    put(lab.dynamodb, lab.table, "b", x="2")
    assert lab.status == LOST  # but nobody has told the table (spec 18)
    lab.check()
    table = lab.described()
    assert table["TableStatus"] == "ACTIVE"
    assert table["SSEDescription"] == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn_of(lab.key)}


def test_cancelling_the_deletion_is_not_enough(lab):
    lab.kms.schedule_key_deletion(KeyId=lab.key, PendingWindowInDays=7)
    lab.check()
    assert lab.status == LOST
    lab.kms.cancel_key_deletion(KeyId=lab.key)
    lab.check()
    assert lab.status == LOST
    assert "is disabled." in invalid(lab.dynamodb.get_item, TableName=lab.table, Key={"pk": {"S": "a"}})
    lab.kms.enable_key(KeyId=lab.key)
    lab.check()
    assert lab.status == "ACTIVE" and lab.read() == {"x": "1"}


def test_a_deleted_key_is_gone_for_good(lab):
    lab.kms.schedule_key_deletion(KeyId=lab.key, PendingWindowInDays=7)
    lab.house.clock(advance=8 * 86400)
    lab.check()
    assert lab.status == LOST
    # KMS does not tell who decrypts whether the key is gone or not theirs.
    message = refused("AccessDeniedException", lab.dynamodb.get_item, TableName=lab.table, Key={"pk": {"S": "a"}})
    assert message.startswith("KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: ")
    # What is left is to delete it, although its key cannot be asked to retire anything.
    lab.dynamodb.delete_table(TableName=lab.table)
    until_gone(lab.dynamodb, lab.table)


# ---- what an inaccessible table takes ----

def test_what_is_refused(lab):
    lab.lose()
    other = lab.kms.create_key()["KeyMetadata"]["KeyId"]
    for change in (customer(other), MANAGED, OWNED):
        # The message names the old key: it is the one that cannot be used.
        message = invalid(lab.dynamodb.update_table, TableName=lab.table, SSESpecification=change)
        assert_kms_message(message, "KMS key disabled error", "DisabledException", f"{arn_of(lab.key)} is disabled.")
    assert lab.kms.list_grants(KeyId=other)["Grants"] == []
    assert lab.described()["SSEDescription"]["Status"] == "ENABLED"


def test_what_is_accepted(lab):
    lab.lose()
    assert lab.table in lab.dynamodb.list_tables()["TableNames"]
    for change in ({"DeletionProtectionEnabled": True}, {"DeletionProtectionEnabled": False},
                   {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 2}},
                   {"ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}}):
        answer = lab.dynamodb.update_table(TableName=lab.table, **change)["TableDescription"]
        assert answer["TableStatus"] in (LOST, "UPDATING")
        until(lambda: lab.status == LOST, "the table to be inaccessible again")  # not ACTIVE
        assert "InaccessibleEncryptionDateTime" in lab.described()["SSEDescription"]
    assert lab.described()["ProvisionedThroughput"]["ReadCapacityUnits"] == 3


def test_it_can_be_deleted(lab):
    lab.lose()
    answer = lab.dynamodb.delete_table(TableName=lab.table)["TableDescription"]
    assert answer["TableStatus"] == "DELETING"
    assert "InaccessibleEncryptionDateTime" in answer["SSEDescription"]
    until_gone(lab.dynamodb, lab.table)
    lab.kms.enable_key(KeyId=lab.key)
    until(lambda: (lab.house.clock(advance=60), lab.kms.list_grants(KeyId=lab.key)["Grants"] == [])[1], "the grants to be retired")
    put(lab.dynamodb, make_table(lab.dynamodb, lab.table), "a", x="new")


def test_the_check_is_made_through_the_services_grant(lab):
    lab.house.clock(advance=301)
    lab.check()
    checks = [e for e in lab.house.trail("Decrypt") if e["userIdentity"] == {"type": "AWSService", "invokedBy": "dynamodb.amazonaws.com"}]
    assert checks and all(e["requestParameters"]["encryptionContext"]["aws:dynamodb:tableName"] == lab.table for e in checks)


def test_kmsd_away_is_no_loss(lab):
    """Nobody can tell then; a table is not inaccessible because kmsd is."""
    lab.house.ddbd.terminate()
    lab.house.ddbd_arguments += ["--kms-timeout=200ms", "--key-check-interval=100ms"]
    lab.house.clock(scale=1)
    lab.house.start_ddbd()
    assert lab.house.kmsd.terminate() == 0
    reachable = lambda: lab.house.ddbd.get("/_ddbd/health")["kms"] == "reachable"
    until(lambda: not reachable(), "ddbd to miss kmsd")
    assert lab.status == "ACTIVE"
    lab.house.kmsd.start()
    until(reachable, "ddbd to see kmsd again")
    assert lab.status == "ACTIVE" and lab.read() == {"x": "1"}


def test_principals_file_and_rights(make_house):
    """alice creates the table, bob may use it: the rights that count are those of whoever asks (spec 12, 23)."""
    house = make_house(principals=PRINCIPALS, kmsd=["--auth=strict"])
    alice, bob, carol = (house.dynamodb(**credentials_of(name)) for name in ("alice", "bob", "carol"))
    key = house.kms(**credentials_of("alice")).create_key()["KeyMetadata"]
    name = make_table(alice, sse=customer(key["KeyId"]))
    # bob and carol may do anything with tables and little with keys: they cannot choose this key.
    for client, who in ((bob, "bob"), (carol, "carol")):
        message = refused("AccessDeniedException", client.create_table, **definition(SSESpecification=customer(key["KeyId"])))
        assert f"User: arn:aws:iam::{ACCOUNT}:user/{who} is not authorized to perform: kms:DescribeKey on resource: {key['Arn']}" in message
    put(bob, name, "a", x="1")
    refused("AccessDeniedException", carol.get_item, TableName=name, Key={"pk": {"S": "a"}})
