-- 1: calls made to DynamoDB.
SELECT * FROM cloudtrail_logs_<S3 bucket name>
WHERE year='2019' AND month='03' AND day='11'
AND eventsource = 'dynamodb.amazonaws.com'
LIMIT 1000;
