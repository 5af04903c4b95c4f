"""A local Athena: the AWS API on one port, and behind it a real Trino and real files.

`server` answers S3, Glue, STS and DynamoDB with moto and Athena with `api`, which routes Hive DDL
to Glue (`ddl`) and everything else to Trino (`router`, `trino`). `strict` refuses what AWS refuses.
Start one by hand with `python -m tests.athena.local`.
"""
