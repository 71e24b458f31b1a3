// The rows of managed_key_table.h. Sources: descriptions and policies that AWS's guides print (DynamoDB, EFS, Redshift,
// WorkMail) or that public DescribeKey and GetKeyPolicy answers show; which aliases are predefined, from listings of
// new accounts. Of the rows marked "form", only the alias and the service's name are known: they have the common form.
#include "kmsd/managed_key_table.h"

#define PROTECTS(what_) "Default key that protects my " what_ " when no other key is defined"
#define THROUGH(service_, use_)                                                                                        \
    "Allow access through " service_ " for all principals in the account that are authorized to use " use_
#define TO(service_)                                                                                                   \
    "Allow access to " service_ " for all principals in the account that are authorized to use " service_
#define READS "Allow direct access to key metadata to the account"

#define ACTIONS(...)                                                                                                   \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define ENCRYPTION "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"
#define USING ACTIONS(ENCRYPTION, "kms:DescribeKey")
#define GRANTING ACTIONS(ENCRYPTION, "kms:CreateGrant", "kms:DescribeKey")
#define LISTING_GRANTS ACTIONS(ENCRYPTION, "kms:CreateGrant", "kms:ListGrants", "kms:DescribeKey")

// clang-format off
const struct managed_key managed_keys[] = {
    {"alias/aws/backup", PROTECTS("Backup data"), "auto-backup-1",
     {{THROUGH("Backup", "Backup Storage"), ACTIONS("kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey*"), "backup"}},
     READS, .revokes = true},
    {"alias/aws/cloud9", PROTECTS("Cloud9 data"), "auto-cloud9-1", // form
     {{THROUGH("Cloud9", "Cloud9"), GRANTING, "cloud9"}}, READS, .revokes = true},
    {"alias/aws/codecommit", PROTECTS("CodeCommit repositories"), "auto-codecommit-2",
     {{THROUGH("CodeCommit", "CodeCommit"), USING, "codecommit"}}, READS},
    {"alias/aws/connect", PROTECTS("Connect data"), "auto-connect-1", // form
     {{THROUGH("Connect", "Connect"), GRANTING, "connect"}}, READS, .revokes = true},
    {"alias/aws/dms", PROTECTS("DMS replication instance volumes"), "auto-dms-1", // form
     {{THROUGH("DMS", "DMS"), GRANTING, "dms"}}, READS, .revokes = true},
    {"alias/aws/dynamodb", PROTECTS("DynamoDB data"), "auto-dynamodb-1",
     {{THROUGH("Amazon DynamoDB", "Amazon DynamoDB"), GRANTING, "dynamodb"}}, READS, .revokes = true,
     .service_sid = "Allow DynamoDB Service with service principal name dynamodb.amazonaws.com to describe the key directly",
     .service_principal = "dynamodb.amazonaws.com", .predefined = true},
    {"alias/aws/ebs", PROTECTS("EBS volumes"), "auto-ebs-2",
     {{THROUGH("EBS", "EBS"), GRANTING, "ec2"}}, READS, .revokes = true, .predefined = true},
    {"alias/aws/elasticfilesystem", PROTECTS("EFS filesystems"), "auto-elasticfilesystem-1",
     {{TO("EFS"), GRANTING, "elasticfilesystem"}}, READS, .revokes = true, .predefined = true},
    {"alias/aws/es", PROTECTS("Amazon OpenSearch Service (successor to Amazon Elasticsearch Service) data"), "auto-es-2",
     {{THROUGH("OpenSearch Service", "OpenSearch Service"), GRANTING, "es"}}, READS, .revokes = true,
     .service_sid = "Allow OpenSearch service principals to describe the key directly",
     .service_principal = "es.amazonaws.com", .predefined = true},
    {"alias/aws/fsx", PROTECTS("FSx data"), "auto-fsx-1", // form
     {{THROUGH("FSx", "FSx"), LISTING_GRANTS, "fsx"}}, READS, .revokes = true},
    {"alias/aws/glue", PROTECTS("Glue data"), "auto-glue-1", // form
     {{THROUGH("Glue", "Glue"), GRANTING, "glue"}}, READS, .revokes = true, .predefined = true},
    {"alias/aws/kafka", PROTECTS("Kafka data"), "auto-kafka-1",
     {{THROUGH("Kafka", "Kafka"), LISTING_GRANTS, "kafka"}}, READS, .revokes = true},
    {"alias/aws/kinesis", PROTECTS("Kinesis data"), "auto-kinesis-1", // form
     {{THROUGH("Kinesis", "Kinesis"), GRANTING, "kinesis"}}, READS, .revokes = true},
    {"alias/aws/kinesisvideo", PROTECTS("kinesis video data"), "auto-kinesisvideo-1", // form
     {{THROUGH("Kinesis Video Streams", "Kinesis Video Streams"), GRANTING, "kinesisvideo"}}, READS, .revokes = true,
     .predefined = true},
    {"alias/aws/lambda", PROTECTS("Lambda functions"), "auto-awslambda",
     {{THROUGH("AWS Lambda", "AWS Lambda"), GRANTING, "lambda"}}, READS, .revokes = true},
    {"alias/aws/lightsail", PROTECTS("Lightsail signing keys"), "auto-lightsail-1",
     {{THROUGH("Lightsail", "Lightsail"), USING, "lightsail"}}, READS,
     .service_sid = "Allow Lightsail with service principal name lightsail.amazonaws.com to describe the key directly",
     .service_principal = "lightsail.amazonaws.com"},
    {"alias/aws/mq", PROTECTS("Amazon MQ data"), "auto-mq-1",
     {{TO("Amazon MQ"), GRANTING, "mq"}}, READS, .revokes = true},
    {"alias/aws/rds", PROTECTS("RDS database volumes"), "auto-rds-2",
     {{THROUGH("RDS", "RDS"), LISTING_GRANTS, "rds"}}, READS, .revokes = true, .predefined = true},
    {"alias/aws/redshift", PROTECTS("Redshift clusters"), "auto-redshift-3",
     {{"RedshiftAllowAccessPolicy", GRANTING, "redshift"},
      {"RedshiftServerlessAllowAccessPolicy", GRANTING, "redshift-serverless"}},
     "DirectMetadataAccess", .revokes = true, .predefined = true},
    {"alias/aws/s3", PROTECTS("S3 objects"), "auto-s3-2",
     {{THROUGH("S3", "S3"), USING, "s3"}}, READS, .predefined = true},
    {"alias/aws/secretsmanager", PROTECTS("Secrets Manager data"), "auto-secretsmanager-2",
     {{THROUGH("AWS Secrets Manager", "AWS Secrets Manager"),
       ACTIONS("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:CreateGrant", "kms:DescribeKey"), "secretsmanager"},
      {THROUGH("AWS Secrets Manager", "AWS Secrets Manager"), ACTIONS("kms:GenerateDataKey*"), "secretsmanager",
       .any_region = true}},
     READS, .revokes = true},
    {"alias/aws/sns", PROTECTS("SNS data"), "auto-sns-1",
     {{THROUGH("SNS", "SNS"),
       ACTIONS("kms:Decrypt", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:ListGrants", "kms:DescribeKey"), "sns"}},
     READS, .revokes = true},
    {"alias/aws/sqs", PROTECTS("SQS messages"), "auto-sqs-1",
     {{THROUGH("Simple Queue Service (SQS)", "SQS"), GRANTING, "sqs"}}, READS, .revokes = true},
    {"alias/aws/ssm", PROTECTS("SSM parameters"), "auto-ssm-1",
     {{THROUGH("SSM", "SSM"), USING, "ssm"}}, READS, .predefined = true},
    {"alias/aws/workmail", PROTECTS("WorkMail data"), "auto-workmail-1",
     {{THROUGH("WorkMail", "WorkMail"),
       ACTIONS("kms:Decrypt", "kms:CreateGrant", "kms:ReEncrypt*", "kms:DescribeKey", "kms:Encrypt"), "workmail"}},
     READS, .revokes = true},
    {"alias/aws/xray", PROTECTS("X-Ray data"), "auto-xray-1", // form
     {{THROUGH("X-Ray", "X-Ray"), GRANTING, "xray"}}, READS, .revokes = true, .predefined = true},
};
// clang-format on
const size_t managed_keys_n = sizeof managed_keys / sizeof managed_keys[0];
