"""The AWS Encryption SDK for Python over kmsd: its keyring, and its older master key provider."""
import botocore.session
import pytest

from daemons import ACCOUNT, REGION

sdk = pytest.importorskip("aws_encryption_sdk")
providers = pytest.importorskip("aws_cryptographic_material_providers.mpl")

from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig  # noqa: E402
from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput  # noqa: E402

TEXT = b"said in confidence \x00\xff" * 300
CONTEXT = {"purpose": "test", "owner": "ü"}


@pytest.fixture
def client():
    return sdk.EncryptionSDKClient(commitment_policy=sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


@pytest.fixture
def arn(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


def keyring(house, arn):
    return providers.AwsCryptographicMaterialProviders(MaterialProvidersConfig()).create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=arn, kms_client=house.kms()))


def provider(house, arn, monkeypatch):
    """It makes its clients itself: from the environment."""
    for name, value in {"AWS_ENDPOINT_URL_KMS": house.kmsd.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                        "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    return sdk.StrictAwsKmsMasterKeyProvider(key_ids=[arn], botocore_session=botocore.session.get_session())


def test_keyring(house, client, arn):
    sealed, _ = client.encrypt(source=TEXT, keyring=keyring(house, arn), encryption_context=CONTEXT)
    assert TEXT not in sealed
    opened, header = client.decrypt(source=sealed, keyring=keyring(house, arn))
    assert opened == TEXT and CONTEXT.items() <= header.encryption_context.items()
    events = [e for e in house.trail() if e["resources"] and e["resources"][0]["ARN"] == arn]
    uses = {e["eventName"]: e for e in events if e["eventName"] != "CreateKey"}
    assert uses.keys() == {"GenerateDataKey", "Decrypt"}
    assert all(CONTEXT.items() <= e["requestParameters"]["encryptionContext"].items() for e in uses.values())


def test_another_key_does_not_open_it(house, kms, client, arn):
    sealed, _ = client.encrypt(source=TEXT, keyring=keyring(house, arn))
    other = kms.create_key()["KeyMetadata"]["Arn"]
    with pytest.raises(Exception, match="(?i)unable to decrypt|could not decrypt|no .*key|errors"):
        client.decrypt(source=sealed, keyring=keyring(house, other))


def test_master_key_provider(house, client, arn, monkeypatch):
    old = provider(house, arn, monkeypatch)
    sealed, _ = client.encrypt(source=TEXT, key_provider=old, encryption_context=CONTEXT)
    opened, _ = client.decrypt(source=sealed, key_provider=old)
    assert opened == TEXT
    assert client.decrypt(source=sealed, keyring=keyring(house, arn))[0] == TEXT  # and each reads what the other wrote
    new, _ = client.encrypt(source=TEXT, keyring=keyring(house, arn))
    assert client.decrypt(source=new, key_provider=old)[0] == TEXT
    assert arn.startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
