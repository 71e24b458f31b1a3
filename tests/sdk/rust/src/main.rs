// An application's own test as its author would write it: the AWS SDK for Rust, pointed at kmsd by nothing but environment
// variables. Prints one JSON object; test_sdks.py starts it and looks at that.
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeySpec, KeyUsageType, MacAlgorithmSpec, SigningAlgorithmSpec};
use aws_sdk_kms::Client;
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

const SECRET: &[u8] = b"bytes \x00\xff";

async fn create(kms: &Client, spec: KeySpec, usage: KeyUsageType) -> Result<String, Failure> {
    let answer = kms.create_key().key_spec(spec).key_usage(usage).send().await?;
    Ok(answer.key_metadata.ok_or("no metadata")?.key_id)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let kms = Client::new(&aws_config::load_from_env().await);
    let mut out = serde_json::Map::new();

    let key = kms.create_key().description("from an SDK").send().await?.key_metadata.ok_or("no metadata")?;
    kms.create_alias().alias_name("alias/from-rust").target_key_id(&key.key_id).send().await?;
    let described = kms.describe_key().key_id("alias/from-rust").send().await?.key_metadata.ok_or("no metadata")?;
    out.insert("key".into(), json!(key.arn));
    out.insert("alias".into(), json!(described.arn == key.arn));
    out.insert("created".into(), json!(key.creation_date.ok_or("no date")?.secs()));

    let sealed = kms.encrypt().key_id(&key.key_id).plaintext(Blob::new(SECRET)).encryption_context("purpose", "test");
    let blob = sealed.send().await?.ciphertext_blob.ok_or("no blob")?;
    let opened = kms.decrypt().ciphertext_blob(blob.clone()).encryption_context("purpose", "test").send().await?;
    out.insert("decrypted".into(), json!(opened.plaintext.ok_or("no plaintext")?.as_ref() == SECRET));
    let wrong = kms.decrypt().ciphertext_blob(blob).send().await.unwrap_err().into_service_error();
    out.insert("wrongContext".into(), json!(wrong.is_invalid_ciphertext_exception()));
    let data_key = kms.generate_data_key().key_id(&key.key_id).key_spec(DataKeySpec::Aes256).send().await?;
    out.insert("dataKeyLength".into(), json!(data_key.plaintext.ok_or("no data key")?.as_ref().len()));

    let signer = create(&kms, KeySpec::EccNistP256, KeyUsageType::SignVerify).await?;
    let algorithm = SigningAlgorithmSpec::EcdsaSha256;
    let signed = kms.sign().key_id(&signer).message(Blob::new(SECRET)).signing_algorithm(algorithm.clone()).send().await?;
    let signature = signed.signature.ok_or("no signature")?;
    let verify = kms.verify().key_id(&signer).message(Blob::new(SECRET)).signature(signature).signing_algorithm(algorithm);
    out.insert("verified".into(), json!(verify.send().await?.signature_valid));

    let hmac = create(&kms, KeySpec::Hmac256, KeyUsageType::GenerateVerifyMac).await?;
    let generate = kms.generate_mac().key_id(&hmac).message(Blob::new(SECRET)).mac_algorithm(MacAlgorithmSpec::HmacSha256);
    let mac = generate.send().await?.mac.ok_or("no MAC")?;
    let check = kms.verify_mac().key_id(&hmac).message(Blob::new(SECRET)).mac(mac).mac_algorithm(MacAlgorithmSpec::HmacSha256);
    out.insert("mac".into(), json!(check.send().await?.mac_valid));

    let mut keys = Vec::new();
    let mut pages = kms.list_keys().into_paginator().page_size(1).send();
    while let Some(page) = pages.next().await {
        keys.extend(page?.keys.unwrap_or_default().into_iter().filter_map(|k| k.key_arn));
    }
    out.insert("keys".into(), json!(keys));

    let missing = kms.describe_key().key_id("11112222-3333-4444-5555-666677778888").send().await.unwrap_err();
    let missing = missing.into_service_error();
    out.insert("noSuchKey".into(), json!(missing.is_not_found_exception()));
    out.insert("message".into(), json!(missing.message()));
    let deletion = kms.schedule_key_deletion().key_id(&signer).pending_window_in_days(7).send().await?;
    out.insert("deletion".into(), json!(deletion.deletion_date.ok_or("no date")?.secs()));

    println!("{}", serde_json::Value::Object(out));
    Ok(())
}
