// An application's own test as its author would write it: the AWS SDK for Go v2, pointed at kmsd by nothing but environment
// variables. Prints one JSON object; test_sdks.py starts it and looks at that.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

var ctx = context.Background()

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func verifiedElsewhere(client *kms.Client, keyID string, message, signature []byte) bool {
	public := must(client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &keyID}))
	key := must(x509.ParsePKIXPublicKey(public.PublicKey)).(*ecdsa.PublicKey)
	digest := sha256.Sum256(message)
	return ecdsa.VerifyASN1(key, digest[:], signature)
}

func main() {
	out := map[string]any{}
	client := kms.NewFromConfig(must(config.LoadDefaultConfig(ctx)))

	key := must(client.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("from an SDK")})).KeyMetadata
	must(client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/from-go"), TargetKeyId: key.KeyId}))
	described := must(client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/from-go")})).KeyMetadata
	out["key"] = *key.Arn
	out["alias"] = *described.Arn == *key.Arn
	out["created"] = key.CreationDate.Unix()

	secret := []byte("bytes \x00\xff")
	purpose := map[string]string{"purpose": "test"}
	sealed := must(client.Encrypt(ctx, &kms.EncryptInput{KeyId: key.KeyId, Plaintext: secret, EncryptionContext: purpose}))
	opened := must(client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: purpose}))
	out["decrypted"] = bytes.Equal(opened.Plaintext, secret)
	_, err := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	var invalid *types.InvalidCiphertextException
	out["wrongContext"] = errors.As(err, &invalid)
	dataKey := must(client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: key.KeyId, KeySpec: types.DataKeySpecAes256}))
	out["dataKeyLength"] = len(dataKey.Plaintext)

	signer := must(client.CreateKey(ctx, &kms.CreateKeyInput{
		KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify})).KeyMetadata
	signed := must(client.Sign(ctx, &kms.SignInput{
		KeyId: signer.KeyId, Message: secret, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}))
	verified := must(client.Verify(ctx, &kms.VerifyInput{KeyId: signer.KeyId, Message: secret, Signature: signed.Signature,
		SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}))
	out["verified"] = verified.SignatureValid && verifiedElsewhere(client, *signer.KeyId, secret, signed.Signature)

	hmac := must(client.CreateKey(ctx, &kms.CreateKeyInput{
		KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac})).KeyMetadata
	mac := must(client.GenerateMac(ctx, &kms.GenerateMacInput{
		KeyId: hmac.KeyId, Message: secret, MacAlgorithm: types.MacAlgorithmSpecHmacSha256}))
	out["mac"] = must(client.VerifyMac(ctx, &kms.VerifyMacInput{KeyId: hmac.KeyId, Message: secret, Mac: mac.Mac,
		MacAlgorithm: types.MacAlgorithmSpecHmacSha256})).MacValid

	keys := []string{}
	pages := kms.NewListKeysPaginator(client, &kms.ListKeysInput{Limit: aws.Int32(1)})
	for pages.HasMorePages() {
		for _, entry := range must(pages.NextPage(ctx)).Keys {
			keys = append(keys, *entry.KeyArn)
		}
	}
	out["keys"] = keys

	_, err = client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("11112222-3333-4444-5555-666677778888")})
	var missing *types.NotFoundException
	out["noSuchKey"] = errors.As(err, &missing)
	out["message"] = missing.ErrorMessage()
	deletion := must(client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{
		KeyId: signer.KeyId, PendingWindowInDays: aws.Int32(7)}))
	out["deletion"] = deletion.DeletionDate.Unix()

	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
