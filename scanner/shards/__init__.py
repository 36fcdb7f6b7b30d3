"""Scans cut into shards: a manifest of files, one part of results a shard, and a merge that refuses to lose a row."""
