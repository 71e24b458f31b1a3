// An application's own test as its author would write it: the AWS SDK for JavaScript, pointed at the daemons by nothing but
// environment variables. Prints one JSON object; test_javascript.py starts it and looks at that.
import { createPublicKey, verify } from "node:crypto";

import { CreateKeyCommand, DecryptCommand, DisableKeyCommand, EncryptCommand, GenerateDataKeyCommand, GenerateMacCommand,
         GetPublicKeyCommand, KMSClient, NotFoundException, DescribeKeyCommand, SignCommand, VerifyCommand, VerifyMacCommand,
         paginateListKeys } from "@aws-sdk/client-kms";
import { CreateTableCommand, DeleteItemCommand, DeleteTableCommand, DescribeTableCommand, DynamoDBClient, GetItemCommand,
         PutItemCommand, ResourceNotFoundException, UpdateTableCommand, paginateListTables, waitUntilTableExists,
         waitUntilTableNotExists } from "@aws-sdk/client-dynamodb";

const out = {};
const kms = new KMSClient({ maxAttempts: 1 });
const dynamodb = new DynamoDBClient({ maxAttempts: 1 });
const quick = { client: dynamodb, maxWaitTime: 20, minDelay: 0.05, maxDelay: 0.1 };

async function error(promise) {
    try {
        await promise;
        return null;
    } catch (e) {
        return { name: e.name, message: e.message, status: e.$metadata?.httpStatusCode, requestId: e.$metadata?.requestId,
                 typed: e instanceof NotFoundException || e instanceof ResourceNotFoundException };
    }
}

// KMS
const { KeyMetadata: key } = await kms.send(new CreateKeyCommand({ Description: "from JavaScript" }));
out.key = key;
const context = { purpose: "test" };
const secret = Buffer.from("bytes \x00\xff ü");
const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId: key.KeyId, Plaintext: secret, EncryptionContext: context }));
const opened = await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: context }));
out.decrypted = Buffer.from(opened.Plaintext).equals(secret);
out.dataKeyLength = (await kms.send(new GenerateDataKeyCommand({ KeyId: key.KeyId, KeySpec: "AES_256" }))).Plaintext.length;
out.wrongContext = await error(kms.send(new DecryptCommand({ CiphertextBlob })));
out.noSuchKey = await error(kms.send(new DescribeKeyCommand({ KeyId: "11112222-3333-4444-5555-666677778888" })));
out.keys = [];
for await (const page of paginateListKeys({ client: kms, pageSize: 1 }, {}))
    out.keys.push(...page.Keys.map(k => k.KeyId));

async function made(KeySpec, KeyUsage) {
    return (await kms.send(new CreateKeyCommand({ KeySpec, KeyUsage }))).KeyMetadata.KeyId;
}
const signing = { KeyId: await made("ECC_NIST_P256", "SIGN_VERIFY"), Message: secret, SigningAlgorithm: "ECDSA_SHA_256" };
const { Signature } = await kms.send(new SignCommand(signing));
const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: signing.KeyId }));
out.signed = (await kms.send(new VerifyCommand({ ...signing, Signature }))).SignatureValid;
out.signedElsewhere = verify("sha256", secret, createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" }),
                             Signature);
const macs = { KeyId: await made("HMAC_256", "GENERATE_VERIFY_MAC"), Message: secret, MacAlgorithm: "HMAC_SHA_256" };
const { Mac } = await kms.send(new GenerateMacCommand(macs));
out.mac = (await kms.send(new VerifyMacCommand({ ...macs, Mac }))).MacValid;
out.wrongMac = await error(kms.send(new VerifyMacCommand({ ...macs, Message: Buffer.from("else"), Mac })));

// DynamoDB
const TableName = "from-javascript";
await dynamodb.send(new CreateTableCommand({
    TableName, BillingMode: "PAY_PER_REQUEST", SSESpecification: { Enabled: true, SSEType: "KMS", KMSMasterKeyId: key.KeyId },
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }, { AttributeName: "n", AttributeType: "N" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }, { AttributeName: "n", KeyType: "RANGE" }],
}));
out.waited = (await waitUntilTableExists(quick, { TableName })).state;
out.table = (await dynamodb.send(new DescribeTableCommand({ TableName }))).Table;
const Key = { id: { S: "a" }, n: { N: "1.50" } };
const Item = { ...Key, blob: { B: new Uint8Array([0, 255, 128]) }, set: { SS: ["x", "y"] }, yes: { BOOL: true }, nothing: { NULL: true },
               nested: { M: { list: { L: [{ N: "12345678901234567890123456789012345678" }, { S: "漢字 😀" }] } } } };
await dynamodb.send(new PutItemCommand({ TableName, Item }));
out.item = (await dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;
out.blob = Buffer.from(out.item.blob.B).toString("hex");
out.deleted = (await dynamodb.send(new DeleteItemCommand({ TableName, Key, ReturnValues: "ALL_OLD" }))).Attributes.id.S;
out.gone = (await dynamodb.send(new GetItemCommand({ TableName, Key }))).Item ?? null;
// Many at once over the SDK's keep-alive connections.
await Promise.all([...Array(60).keys()].map(i => dynamodb.send(new PutItemCommand({
    TableName, Item: { id: { S: "many" }, n: { N: String(i) }, text: { S: "x".repeat(i * 400) } } }))));
const back = await Promise.all([...Array(60).keys()].map(i => dynamodb.send(new GetItemCommand({
    TableName, Key: { id: { S: "many" }, n: { N: String(i) } } }))));
out.many = back.every((r, i) => r.Item.text.S.length === i * 400);
out.noSuchTable = await error(dynamodb.send(new GetItemCommand({ TableName: "nobody", Key })));
out.badKey = await error(dynamodb.send(new GetItemCommand({ TableName, Key: { id: { S: "a" } } })));
await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
out.disabled = await error(dynamodb.send(new UpdateTableCommand({ TableName,
    SSESpecification: { Enabled: true, SSEType: "KMS", KMSMasterKeyId: "alias/aws/dynamodb" } })));
out.tables = [];
for await (const page of paginateListTables({ client: dynamodb, pageSize: 1 }, {}))
    out.tables.push(...page.TableNames);
await dynamodb.send(new DeleteTableCommand({ TableName }));
out.waitedForEnd = (await waitUntilTableNotExists(quick, { TableName })).state;

console.log(JSON.stringify(out));
