-- One day of it. scripts/query says this for every day that has log files.
ALTER TABLE cloudtrail_logs_<s3 bucket name>
ADD PARTITION (year='2019', month='03', day= '11')
LOCATION 's3://<your-cloudtrail-s3-bucket>/AWSLogs/<account-number>/CloudTrail/<region>/2019/03/11/';
