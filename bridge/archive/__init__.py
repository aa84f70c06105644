"""The archive: old days of the event log as compressed files with checksums, in a folder or in S3."""
