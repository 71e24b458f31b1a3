// An application's own test as its author would write it: the AWS SDK for Java v2, pointed at kmsd by nothing but
// environment variables. Prints one JSON object; test_sdks.py starts it and looks at that.
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.model.DataKeySpec;
import software.amazon.awssdk.services.kms.model.InvalidCiphertextException;
import software.amazon.awssdk.services.kms.model.KeyMetadata;
import software.amazon.awssdk.services.kms.model.KeySpec;
import software.amazon.awssdk.services.kms.model.KeyUsageType;
import software.amazon.awssdk.services.kms.model.MacAlgorithmSpec;
import software.amazon.awssdk.services.kms.model.NotFoundException;
import software.amazon.awssdk.services.kms.model.SigningAlgorithmSpec;

public class SdkTest {
    static final KmsClient kms = KmsClient.create();
    static final Map<String, Object> out = new LinkedHashMap<>();
    static final byte[] secret = {'b', 'y', 't', 'e', 's', ' ', 0, (byte) 0xff};

    static KeyMetadata encryption() {
        KeyMetadata key = kms.createKey(r -> r.description("from an SDK")).keyMetadata();
        kms.createAlias(r -> r.aliasName("alias/from-java").targetKeyId(key.keyId()));
        out.put("key", key.arn());
        out.put("alias", kms.describeKey(r -> r.keyId("alias/from-java")).keyMetadata().arn().equals(key.arn()));
        out.put("created", key.creationDate().getEpochSecond());
        Map<String, String> purpose = Map.of("purpose", "test");
        SdkBytes sealed = kms.encrypt(r -> r.keyId(key.keyId()).plaintext(SdkBytes.fromByteArray(secret))
                .encryptionContext(purpose)).ciphertextBlob();
        out.put("decrypted", Arrays.equals(secret,
                kms.decrypt(r -> r.ciphertextBlob(sealed).encryptionContext(purpose)).plaintext().asByteArray()));
        try {
            kms.decrypt(r -> r.ciphertextBlob(sealed));
        } catch (InvalidCiphertextException e) {
            out.put("wrongContext", true);
        }
        out.put("dataKeyLength", kms.generateDataKey(r -> r.keyId(key.keyId()).keySpec(DataKeySpec.AES_256))
                .plaintext().asByteArray().length);
        return key;
    }

    static void signing() throws Exception {
        String id = kms.createKey(r -> r.keySpec(KeySpec.ECC_NIST_P256).keyUsage(KeyUsageType.SIGN_VERIFY))
                .keyMetadata().keyId();
        SdkBytes message = SdkBytes.fromByteArray(secret);
        SdkBytes signature = kms.sign(r -> r.keyId(id).message(message)
                .signingAlgorithm(SigningAlgorithmSpec.ECDSA_SHA_256)).signature();
        boolean valid = kms.verify(r -> r.keyId(id).message(message).signature(signature)
                .signingAlgorithm(SigningAlgorithmSpec.ECDSA_SHA_256)).signatureValid();
        PublicKey key = KeyFactory.getInstance("EC").generatePublic(
                new X509EncodedKeySpec(kms.getPublicKey(r -> r.keyId(id)).publicKey().asByteArray()));
        Signature elsewhere = Signature.getInstance("SHA256withECDSA");
        elsewhere.initVerify(key);
        elsewhere.update(secret);
        out.put("verified", valid && elsewhere.verify(signature.asByteArray()));
        out.put("deletion", kms.scheduleKeyDeletion(r -> r.keyId(id).pendingWindowInDays(7)).deletionDate().getEpochSecond());
    }

    static void macs() {
        String id = kms.createKey(r -> r.keySpec(KeySpec.HMAC_256).keyUsage(KeyUsageType.GENERATE_VERIFY_MAC))
                .keyMetadata().keyId();
        SdkBytes message = SdkBytes.fromByteArray(secret);
        SdkBytes mac = kms.generateMac(r -> r.keyId(id).message(message).macAlgorithm(MacAlgorithmSpec.HMAC_SHA_256)).mac();
        out.put("mac", kms.verifyMac(r -> r.keyId(id).message(message).mac(mac)
                .macAlgorithm(MacAlgorithmSpec.HMAC_SHA_256)).macValid());
    }

    static String json(Object value) {
        return value instanceof String ? "\"" + value + "\"" : String.valueOf(value);
    }

    public static void main(String[] args) throws Exception {
        encryption();
        signing();
        macs();
        out.put("keys", kms.listKeysPaginator(r -> r.limit(1)).keys().stream().map(k -> json(k.keyArn()))
                .collect(Collectors.toList()));
        try {
            kms.describeKey(r -> r.keyId("11112222-3333-4444-5555-666677778888"));
        } catch (NotFoundException e) {
            out.put("noSuchKey", e.requestId().length() == 36);
            out.put("message", e.awsErrorDetails().errorMessage());
        }
        System.out.println(out.entrySet().stream().map(e -> json(e.getKey()) + ":" + json(e.getValue()))
                .collect(Collectors.joining(",", "{", "}")));
    }
}
