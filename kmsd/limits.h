// Sizes and counts that AWS KMS documents, and a few of our own where it documents none.
#pragma once

#define KMS_PLAINTEXT_MAX 4096       // Encrypt's Plaintext (API reference)
#define KMS_CIPHERTEXT_MAX 6144      // CiphertextType
#define KMS_PUBLIC_KEY_MAX 8192      // PublicKeyType
#define KMS_RANDOM_MAX 1024          // NumberOfBytesType
#define KMS_ATTESTATION_MAX 262144   // AttestationDocumentType
#define KMS_CONTEXT_BYTES_MAX 8192   // canonical encryption context (AWS: 8 KB as JSON)
#define KMS_CONSTRAINT_PAIRS_MAX 8   // encryption context pairs in a grant constraint
#define KMS_CONSTRAINT_VALUE_MAX 384 // characters of a value there
#define KMS_GRANT_TOKENS_MAX 10      // GrantTokenList
#define KMS_KEYS_PER_REGION 100000   // resource quota: customer managed keys of an account in a Region
#define KMS_GRANTS_PER_KEY 50000     // resource quota
#define KMS_ALIASES_PER_KEY 50       // resource quota
#define KMS_ON_DEMAND_MAX 10         // RotateKeyOnDemand of a key over its life (Developer Guide)
#define KMS_TAGS_MAX 50              // tags on a key
#define KMS_POLICY_BYTES_MAX 32768   // key policy document size
#define KMS_LIST_MAX 1000            // LimitType
#define KMS_ID_MAX 2048              // KeyIdType
#define KMS_ARN_SIZE 512             // our buffers for key and alias ARNs (256-character alias names included)
