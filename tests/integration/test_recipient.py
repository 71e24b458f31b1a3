"""Attested calls: what only the recipient can read, which documents are believed, policies about measurements, the trail."""
import base64
import datetime
import hashlib
import json

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from asking import ARNS, PRINCIPALS, as_, code, members, method, opened, refused, unchecked
from attestation import DROPPED, PCRS, TPM_PCRS, Nitro, Recipient, asked, certified, pcr, usage
from conftest import START, VIRTUAL
from daemons import ACCOUNT, House

ATTESTED = ("Decrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom", "DeriveSharedSecret")
PLAINTEXT = {"GenerateDataKeyPair": "PrivateKeyPlaintext", "DeriveSharedSecret": "SharedSecret"}
CONTEXT = {"Project": "Alpha"}


def attested_only(key, value, action="kms:GenerateRandom"):
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": {"StringEqualsIgnoreCase": {key: value}}}]}


@pytest.fixture(scope="module")
def nitro():
    return Nitro(START)


@pytest.fixture(scope="module")
def house(tmp_path_factory, nitro):
    folder = tmp_path_factory.mktemp("house")
    (folder / "root.pem").write_bytes(nitro.root.pem)
    principals = json.loads(json.dumps(PRINCIPALS))
    principals["accounts"][ACCOUNT]["users"]["bob"]["policies"] = {
        "enclave": attested_only("kms:RecipientAttestation:PCR2", PCRS[2].hex())}
    with opened(folder, kmsd=[*VIRTUAL, f"--attestation-root={folder}/root.pem"], principals=principals) as house:
        yield house


@pytest.fixture(scope="module")
def recipient(tmp_path_factory):
    return Recipient(tmp_path_factory.mktemp("recipient"))


@pytest.fixture
def kms(house):
    house.clock(set=START)  # the trail's delivery moved it
    return as_(house, "alice")


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["KeyId"]


def parameters(kms, operation):
    """Of a call that can be attested, without its Recipient."""
    if operation == "GenerateRandom":
        return {"NumberOfBytes": 32}
    if operation == "DeriveSharedSecret":
        agreement = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
        peer = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return {"KeyId": agreement, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    if operation == "Decrypt":
        blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
        return {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}
    more = {"KeyPairSpec": "ECC_NIST_P256"} if operation == "GenerateDataKeyPair" else {"KeySpec": "AES_256"}
    return {"KeyId": key, "EncryptionContext": CONTEXT, **more}


def plaintext(kms, operation, given, answer):
    """What the answer to an attested call must hide, found in another way; None: nobody else knows."""
    if operation == "DeriveSharedSecret":
        return kms.derive_shared_secret(**given)["SharedSecret"]
    if operation == "GenerateRandom":
        return None
    blob = {"Decrypt": given.get("CiphertextBlob"), "GenerateDataKey": answer.get("CiphertextBlob"),
            "GenerateDataKeyPair": answer.get("PrivateKeyCiphertextBlob")}[operation]
    return kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"]


# ---- answers ----

@pytest.mark.parametrize("tpm", [False, True], ids=["enclave", "NitroTPM"])
@pytest.mark.parametrize("operation", ATTESTED)
def test_only_the_recipient_reads_the_answer(kms, nitro, recipient, operation, tpm):
    given = parameters(kms, operation)
    plain = method(kms, operation)(**given)
    answer = method(kms, operation)(**given, Recipient=asked(nitro.document(recipient, tpm)))
    hidden = {PLAINTEXT.get(operation, "Plaintext")}
    if operation in ("Decrypt", "GenerateDataKey"):
        hidden.add("KeyMaterialId")
    assert members(answer) == members(plain) - hidden | {"CiphertextForRecipient"}
    opened = recipient.open(answer)
    wanted = plaintext(kms, operation, given, answer)
    assert opened == wanted if wanted is not None else len(opened) == 32
    if operation == "GenerateDataKeyPair":
        public = serialization.load_der_private_key(opened, None).public_key()
        assert public == serialization.load_der_public_key(answer["PublicKey"])


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
@pytest.mark.parametrize("n", [1, 15, 16, 1024])
def test_form_of_the_answer(kms, nitro, tmp_path, bits, n):
    """To the byte as AWS writes it: its Nitro Enclaves SDK reads only structures of indefinite length."""
    recipient = Recipient(tmp_path, bits)
    answer = kms.generate_random(NumberOfBytes=n, Recipient=asked(nitro.document(recipient)))
    assert len(recipient.open(answer)) == n
    got, size = answer["CiphertextForRecipient"], bits // 8
    start = bytes.fromhex("308006092a864886f70d010703a0803080020102")
    # 0x6b and 0x67 above the key's size, in AWS's own answers for 2048 bits
    start += b"\x31\x82" + (size + 0x6b).to_bytes(2, "big") + b"\x30\x82" + (size + 0x67).to_bytes(2, "big")
    start += b"\x02\x01\x02\x80\x20" + hashlib.sha256(recipient.spki).digest()
    start += bytes.fromhex("303c06092a864886f70d010107302fa00f300d06096086480165030402010500"
                           "a11c301a06092a864886f70d010108300d06096086480165030402010500")
    start += b"\x04\x82" + size.to_bytes(2, "big")
    assert got.startswith(start)
    rest = got[len(start) + size:]
    middle = bytes.fromhex("308006092a864886f70d010701301d060960864801650304012a0410")
    assert rest.startswith(middle) and rest[len(middle) + 16:].startswith(b"\xa0\x80\x04")
    assert rest.endswith(bytes(10)) and (len(rest[len(middle) + 16 + 3:]) - 10) % 16 in (1, 2, 3)


def test_answers_differ(kms, nitro, recipient):
    given = parameters(kms, "Decrypt")
    ask = asked(nitro.document(recipient))
    first, second = (kms.decrypt(**given, Recipient=ask) for _ in range(2))
    assert first["CiphertextForRecipient"] != second["CiphertextForRecipient"]
    assert recipient.open(first) == recipient.open(second) == b"secret"


def test_rsa_private_key_of_a_pair(kms, key, nitro, recipient):
    answer = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="RSA_4096", Recipient=asked(nitro.document(recipient)))
    assert serialization.load_der_private_key(recipient.open(answer), None).key_size == 4096
    assert answer["KeyMaterialId"] and len(answer["CiphertextForRecipient"]) <= 6144


def test_rsa_key_decrypts_for_a_recipient(kms, nitro, recipient):
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    algorithm = {"KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = kms.encrypt(Plaintext=b"secret", **algorithm)["CiphertextBlob"]
    assert recipient.open(kms.decrypt(CiphertextBlob=blob, Recipient=asked(nitro.document(recipient)), **algorithm)) == b"secret"


def test_dry_run(kms, key, nitro, recipient):
    given = {"KeyId": key, "KeySpec": "AES_256", "DryRun": True}
    assert code(kms.generate_data_key, **given, Recipient=asked(nitro.document(recipient))) == "DryRunOperationException"
    assert code(kms.generate_data_key, **given, Recipient=asked(b"x")) == "ValidationException"


# ---- documents that are not believed ----

def says(house, kms, document, **changed):
    ask = {**asked(document), **changed}
    error, message = refused(kms.generate_random, NumberOfBytes=32, Recipient=ask)
    assert error == "ValidationException"
    return message


CANNOT_PARSE = "AWS KMS cannot parse the attestation document: "
PCRS_RULE = "{} must be a map of 1 to 32 byte strings of 32, 48 or 64 bytes, by numbers from 0 to 31, each once."


@pytest.mark.parametrize("change,sentence", [
    ({"module_id": DROPPED}, "module_id is missing."),
    ({"module_id": ""}, "module_id must be a text that is not empty."),
    ({"digest": "SHA256"}, "digest must be SHA384."),
    ({"timestamp": 0}, "timestamp must be milliseconds since 1970, a positive integer."),
    ({"timestamp": None}, "timestamp must be milliseconds since 1970, a positive integer."),
    ({"pcrs": DROPPED}, "either pcrs or nitrotpm_pcrs must be there."),
    ({"pcrs": {}}, PCRS_RULE.format("pcrs")), ({"pcrs": {32: bytes(48)}}, PCRS_RULE.format("pcrs")),
    ({"pcrs": {0: bytes(47)}}, PCRS_RULE.format("pcrs")), ({"pcrs": {"0": bytes(48)}}, PCRS_RULE.format("pcrs")),
    ({"nitrotpm_pcrs": TPM_PCRS}, "nitrotpm_pcrs must be there once."),
    ({"certificate": b""}, "certificate must be a byte string of 1 to 1024 bytes."),
    ({"cabundle": []}, "cabundle must be a list of 1 to 16 byte strings of 1 to 1024 bytes."),
    ({"public_key": b""}, "public_key must be a byte string of 1 to 1024 bytes."),
    ({"user_data": bytes(1025)}, "user_data must be a byte string of at most 1024 bytes."),
    ({"nonce": "text"}, "nonce must be a byte string of at most 1024 bytes."),
    ({"more": 1}, "the payload has a member that is not known."),
], ids=str)
def test_malformed_members(house, kms, nitro, recipient, change, sentence):
    assert says(house, kms, nitro.document(recipient, **change)) == CANNOT_PARSE + sentence


@pytest.mark.parametrize("document", [b"x", b"\x84", b"\x9b" + b"\xff" * 8, b"\x5b" + b"\xff" * 8, bytes(262144)],
                         ids=["x", "short", "long list", "long string", "zeros"])
def test_not_a_document(house, kms, document):
    assert says(house, kms, document).startswith(CANNOT_PARSE)


def test_wrong_signatures(house, kms, nitro, recipient):
    good, wrong = nitro.members(recipient), "The signature of the attestation document is not valid."
    assert says(house, kms, nitro.sign(good, signer=nitro.leaf())) == wrong
    parts = cbor2.loads(nitro.sign(good))
    parts[2] = parts[2].replace(PCRS[0], pcr("another image"))
    assert says(house, kms, cbor2.dumps(parts)) == wrong
    small = nitro.leaf(curve=ec.SECP256R1())
    assert says(house, kms, nitro.sign({**good, "certificate": small.der}, signer=small)) == wrong
    assert says(house, kms, nitro.sign(good, protected=cbor2.dumps({1: -7}))).startswith(CANNOT_PARSE)
    assert says(house, kms, nitro.sign(good, protected=cbor2.dumps({1: -35, 4: b"k"}))).startswith(CANNOT_PARSE)
    assert says(house, kms, nitro.sign(good, unprotected={4: b"k"})).startswith(CANNOT_PARSE)
    assert says(house, kms, nitro.sign(good) + b"x").startswith(CANNOT_PARSE)


def chain_refused(house, kms, nitro, recipient, signer=None, **changed):
    changed = {"certificate": signer.der, **changed} if signer else changed
    message = says(house, kms, nitro.sign(nitro.members(recipient, **changed), signer=signer))
    assert message.startswith("The certificates of the attestation document are not valid: ")
    return message


def test_wrong_chains(house, kms, nitro, recipient):
    other = Nitro(START)  # the same names, other keys
    chain_refused(house, kms, other, recipient)
    chain_refused(house, kms, other, recipient, cabundle=[nitro.root.der, nitro.region.der, nitro.instance.der])
    chain_refused(house, kms, nitro, recipient, cabundle=[nitro.root.der, nitro.region.der])
    chain_refused(house, kms, nitro, recipient, cabundle=[b"x"])
    chain_refused(house, kms, nitro, recipient, certificate=nitro.signer.der + b"x")
    chain_refused(house, kms, nitro, recipient, signer=nitro.instance)  # may sign certificates only
    chain_refused(house, kms, nitro, recipient, signer=nitro.leaf(usages=usage(key_agreement=True)))
    chain_refused(house, kms, nitro, recipient, signer=nitro.leaf(ca=True, usages=usage(digital_signature=True, key_cert_sign=True)))
    below = certified("below", nitro.signer, nitro.now, ca=False)  # a leaf that signs a certificate
    chain_refused(house, kms, nitro, recipient, signer=below,
                  cabundle=[nitro.root.der, nitro.region.der, nitro.instance.der, nitro.signer.der])
    mute = certified("mute", nitro.region, nitro.now, usages=usage(digital_signature=True))
    leaf = certified("leaf", mute, nitro.now, ca=False)
    chain_refused(house, kms, nitro, recipient, signer=leaf, cabundle=[nitro.root.der, nitro.region.der, mute.der])


def test_chain_needs_no_order_and_no_root(kms, nitro, recipient):
    for bundle in ([nitro.instance.der, nitro.region.der], [nitro.region.der, nitro.root.der, nitro.instance.der]):
        ask = asked(nitro.document(recipient, cabundle=bundle))
        assert len(recipient.open(kms.generate_random(NumberOfBytes=9, Recipient=ask))) == 9


def test_time_is_the_daemons(make_house, nitro, recipient, tmp_path):
    (tmp_path / "root.pem").write_bytes(nitro.root.pem)
    house = make_house(ddbd=False, kmsd=[f"--attestation-root={tmp_path}/root.pem"])
    kms = house.kms()
    now = int(nitro.now.timestamp() * 1000)
    future = "The timestamp of the attestation document is in the future."

    def ask(at):
        return {"NumberOfBytes": 32, "Recipient": asked(nitro.document(recipient, timestamp=at))}
    assert recipient.open(kms.generate_random(**ask(now + 300_000)))
    assert says(house, kms, nitro.document(recipient, timestamp=now + 300_001)) == future
    assert says(house, kms, nitro.document(recipient, timestamp=2**64 - 1)) == future
    house.clock(advance=300)
    assert recipient.open(kms.generate_random(**ask(now)))
    old = "The attestation document exceeded the five-minute age limit."
    assert says(house, kms, nitro.document(recipient, timestamp=now - 1)) == old
    house.clock(advance=1)
    assert says(house, kms, nitro.document(recipient)) == old
    house.clock(advance=86400)
    expired = nitro.document(recipient, timestamp=now + 86701_000)
    assert "certificate has expired" in chain_refused(house, kms, nitro, recipient)
    assert "certificate has expired" in says(house, kms, expired)
    house.clock(set=(nitro.now - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert "not yet valid" in says(house, kms, nitro.document(recipient, timestamp=now - 3600_000))


def test_public_keys_that_nothing_is_encrypted_to(house, kms, nitro, tmp_path, recipient):
    sentence = "The attestation document must have a public key, of RSA with 2048 to 4096 bits."
    small = Recipient(tmp_path, 1024)
    elliptic = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for public_key in (None, DROPPED, b"x", small.spki, elliptic, recipient.spki + b"x"):
        assert says(house, kms, nitro.document(recipient, public_key=public_key)) == sentence


# ---- the parameter ----

def test_parameter(house, nitro, recipient):
    kms, document = unchecked(house, "AKIAALICE", "secret of AKIAALICE"), nitro.document(recipient)
    both = "Recipient must have both KeyEncryptionAlgorithm and AttestationDocument."
    detected = "1 validation error detected: Value {}at 'recipient.{}' failed to satisfy constraint: Member must "
    for ask, sentence in [
        ({"AttestationDocument": document}, both), ({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}, both), ({}, both),
        ({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_1", "AttestationDocument": document},
         detected.format("'RSAES_OAEP_SHA_1' ", "keyEncryptionAlgorithm") + "satisfy enum value set: [RSAES_OAEP_SHA_256]"),
        (asked(b""), detected.format("", "attestationDocument") + "have length greater than or equal to 1"),
        (asked(bytes(262145)), detected.format("", "attestationDocument") + "have length less than or equal to 262144"),
    ]:
        assert refused(kms.generate_random, NumberOfBytes=32, Recipient=ask) == ("ValidationException", sentence)


def test_without_a_root(make_house, nitro, recipient):
    kms = make_house(ddbd=False).kms()
    assert refused(kms.generate_random, NumberOfBytes=32, Recipient=asked(nitro.document(recipient))) == (
        "UnsupportedOperationException", "Recipient is not supported: kmsd was started without --attestation-root.")


def test_several_roots(make_house, nitro, recipient, tmp_path):
    other = Nitro(START)
    (tmp_path / "roots.pem").write_bytes(other.root.pem + b"a remark\n" + nitro.root.pem)
    kms = make_house(ddbd=False, kmsd=[f"--attestation-root={tmp_path}/roots.pem"]).kms()
    for one in (nitro, other):
        assert recipient.open(kms.generate_random(NumberOfBytes=32, Recipient=asked(one.document(recipient))))


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"],
                         ids=["missing", "empty", "nonsense", "damaged"])
def test_bad_root_file(tmp_path, content):
    path = tmp_path / "root.pem"
    if content is not None:
        path.write_bytes(content)
    house = House(tmp_path / "house", kmsd=[f"--attestation-root={path}"])
    try:
        with pytest.raises(AssertionError, match=f"{path}: (cannot be read|not a file of certificates)"):
            house.start(ddbd=False)
    finally:
        house.abandon()


# ---- policies ----

def guarded(kms, condition, effect="Allow"):
    """A key that bob may use by its key policy, under a condition."""
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ARNS["root"]}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "attested", "Effect": effect, "Principal": {"AWS": ARNS["bob"]}, "Resource": "*", "Condition": condition,
         "Action": ["kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:DeriveSharedSecret"]}]}
    return kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["KeyId"]


IMAGE = "kms:RecipientAttestation:ImageSha384"


@pytest.mark.parametrize("condition,tpm,allowed", [
    ({"StringEqualsIgnoreCase": {IMAGE: PCRS[0].hex().upper()}}, False, True),
    ({"StringEquals": {IMAGE: PCRS[0].hex()}}, False, True),
    ({"StringEquals": {IMAGE: PCRS[0].hex().upper()}}, False, False),
    ({"StringEqualsIgnoreCase": {IMAGE: pcr("another").hex()}}, False, False),
    ({"StringEqualsIgnoreCase": {IMAGE: [pcr("another").hex(), PCRS[0].hex()]}}, False, True),
    ({"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": PCRS[0].hex()}}, False, True),
    ({"StringEqualsIgnoreCase": {"KMS:recipientattestation:pcr8": PCRS[8].hex()}}, False, True),
    ({"StringEqualsIgnoreCase": {IMAGE: PCRS[0].hex(), "kms:RecipientAttestation:PCR3": pcr("another").hex()}}, False, False),
    ({"StringLike": {"kms:RecipientAttestation:PCR5": "0*0"}}, False, True),
    ({"StringLike": {"kms:RecipientAttestation:PCR9": "*"}}, False, False),  # not in the document
    ({"StringLike": {"kms:RecipientAttestation:PCR1": "*"}}, True, False),  # an enclave's
    ({"StringLike": {IMAGE: "*"}}, True, False),
    ({"StringEqualsIgnoreCase": {"kms:RecipientAttestation:NitroTPMPCR4": TPM_PCRS[4].hex()}}, True, True),
    ({"StringEqualsIgnoreCase": {"kms:RecipientAttestation:NitroTPMPCR23": TPM_PCRS[4].hex()}}, True, False),
    ({"StringLike": {"kms:RecipientAttestation:NitroTPMPCR0": "*"}}, False, False),
], ids=str)
def test_key_policy_about_measurements(house, kms, nitro, recipient, condition, tpm, allowed):
    key, bob = guarded(kms, condition), as_(house, "bob")
    given = {"CiphertextBlob": kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"], "KeyId": key}
    ask = asked(nitro.document(recipient, tpm))
    error, message = refused(bob.decrypt, **given)  # without a document no condition of these holds
    assert error == "AccessDeniedException" and "because no identity-based policy allows the kms:Decrypt action" in message
    if allowed:
        assert recipient.open(bob.decrypt(**given, Recipient=ask)) == b"secret"
    else:
        assert refused(bob.decrypt, **given, Recipient=ask) == (error, message)


def test_deny_by_measurement(house, kms, nitro, recipient):
    key = guarded(kms, {"StringEqualsIgnoreCase": {IMAGE: PCRS[0].hex()}}, effect="Deny")
    kms.create_grant(KeyId=key, GranteePrincipal=ARNS["bob"], Operations=["GenerateDataKey"])
    bob, given = as_(house, "bob"), {"KeyId": key, "KeySpec": "AES_256"}
    assert bob.generate_data_key(**given)["Plaintext"]
    error, message = refused(bob.generate_data_key, **given, Recipient=asked(nitro.document(recipient)))
    assert error == "AccessDeniedException" and message.endswith("with an explicit deny in a resource-based policy")
    other = nitro.document(recipient, pcrs={**PCRS, 0: pcr("another")})
    assert recipient.open(bob.generate_data_key(**given, Recipient=asked(other)))


def test_identity_policy_about_measurements(house, kms, nitro, recipient):
    bob = as_(house, "bob")
    assert code(bob.generate_random, NumberOfBytes=32) == "AccessDeniedException"
    other = nitro.document(recipient, pcrs={**PCRS, 2: pcr("another")})
    assert code(bob.generate_random, NumberOfBytes=32, Recipient=asked(other)) == "AccessDeniedException"
    assert recipient.open(bob.generate_random(NumberOfBytes=32, Recipient=asked(nitro.document(recipient))))


@pytest.mark.parametrize("name", ["kms:RecipientAttestation:PCR", "kms:RecipientAttestation:PCR32", "kms:RecipientAttestation:PCR01",
                                  "kms:RecipientAttestation:PCR40", "kms:RecipientAttestation:PCR1x", "kms:RecipientAttestation:PCR#",
                                  "kms:RecipientAttestation:NitroTPMPCR", "kms:RecipientAttestation:", "kms:RecipientAttestation",
                                  "kms:RecipientAttestation:ImageSha256", "kms:CallerAccounts"])
def test_condition_keys_that_do_not_exist(kms, name):
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
                             "Condition": {"StringLike": {name: "*"}}}]}
    error, message = refused(kms.create_key, Policy=json.dumps(policy), BypassPolicyLockoutSafetyCheck=True)
    assert error == "MalformedPolicyDocumentException" and f"the condition key {name} is not supported" in message


# ---- the trail ----

ENCLAVE_TRAIL = {"attestationDocumentModuleId": "i-123456789abcde123-enc123456789abcde12",
                 "attestationDocumentEnclaveImageDigest": PCRS[0].hex(),
                 **{f"attestationDocumentEnclavePCR{n}": PCRS[n].hex() for n in (1, 2, 3, 4, 8)}}
TPM_TRAIL = {"attestationDocumentModuleId": "i-123456789abcde123-tpm0000000000000000",
             **{f"attestationDocumentNitroTPMPCR{n}": TPM_PCRS[n].hex() for n in (4, 7, 8, 9, 16, 23)}}


def record(house, request_id):
    (found,) = house.trail(requestID=request_id)
    return found


@pytest.mark.parametrize("tpm", [False, True], ids=["enclave", "NitroTPM"])
@pytest.mark.parametrize("operation", ATTESTED)
def test_trail(house, kms, nitro, recipient, operation, tpm):
    given = parameters(kms, operation)
    plain = method(kms, operation)(**given)
    document = nitro.document(recipient, tpm)
    answer = method(kms, operation)(**given, Recipient=asked(document))
    without, got = (record(house, a["ResponseMetadata"]["RequestId"]) for a in (plain, answer))
    assert json.dumps(got["additionalEventData"]) == json.dumps({"recipient": TPM_TRAIL if tpm else ENCLAVE_TRAIL})
    assert "recipient" not in without.get("additionalEventData", {})
    for same in ("eventName", "requestParameters", "responseElements", "resources", "readOnly"):
        assert got[same] == without[same]
    text = json.dumps(got)
    for hidden in (document, answer["CiphertextForRecipient"]):
        assert base64.b64encode(hidden).decode()[:60] not in text


def test_trail_of_fewer_registers(house, kms, nitro, recipient):
    ask = asked(nitro.document(recipient, pcrs={0: bytes(32), 31: bytes(64)}))
    answer = kms.generate_random(NumberOfBytes=1, Recipient=ask)
    got = record(house, answer["ResponseMetadata"]["RequestId"])["additionalEventData"]["recipient"]
    assert got == {"attestationDocumentModuleId": ENCLAVE_TRAIL["attestationDocumentModuleId"],
                   "attestationDocumentEnclaveImageDigest": "00" * 32}


def test_trail_of_refusals(house, kms, nitro, recipient):
    """A document that was believed is told of; one that was not is not."""
    key, bob = guarded(kms, {"StringEqualsIgnoreCase": {IMAGE: pcr("another").hex()}}), as_(house, "bob")

    def refusal(document):
        with pytest.raises(bob.exceptions.ClientError) as caught:
            bob.generate_data_key(KeyId=key, KeySpec="AES_256", Recipient=asked(document))
        return record(house, caught.value.response["ResponseMetadata"]["RequestId"])
    denied = refusal(nitro.document(recipient))
    assert denied["errorCode"] == "AccessDenied" and denied["additionalEventData"] == {"recipient": ENCLAVE_TRAIL}
    wrong = refusal(nitro.sign(nitro.members(recipient), signer=nitro.leaf()))
    assert wrong["errorCode"] == "ValidationException" and "additionalEventData" not in wrong
    assert wrong["resources"][0]["ARN"].endswith(key)
