#!/usr/bin/env python3
"""Compares a stream with the objects that were made of it.

    truth.py --endpoint URL --stream NAME --objects DIR

The truth is what the stream says of each record: shard, sequence number and
sub-sequence number. It is read over the wire, and aggregated records are taken
apart here; nothing of the product is used. Each record is a line that begins
with its number, which no other record has.

Demanded: every record in exactly one object and with the content that was put;
in an object consecutive records of one shard, in order; no key written twice
with different content, nor tried to be; the files on disk are those that were
written. Prints what is wrong by name, then totals as one line of JSON. Exits
with 1 if anything is wrong.

Python 3, standard library only. Access key and secret are local, local.
"""

import argparse
import base64
import collections
import datetime
import gzip
import hashlib
import hmac
import json
import os
import sys
import urllib.request

MAGIC = b"\xf3\x89\x9a\xc2"
NUMBER = 12  # digits at the beginning of each record
SHOWN = 15  # problems of one kind that are printed in full


class Stream:
    """The part of Kinesis that reads."""

    def __init__(self, endpoint, name):
        self.endpoint, self.name = endpoint, name
        self.host = endpoint.split("//", 1)[1].rstrip("/")

    def call(self, operation, **parameters):
        body = json.dumps(parameters).encode()
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": self.host,
            "x-amz-date": now,
            "x-amz-target": "Kinesis_20131202." + operation,
        }
        headers["authorization"] = sign(headers, body, now)
        request = urllib.request.Request(self.endpoint, data=body, headers=headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def shards(self):
        answer = self.call("ListShards", StreamName=self.name)
        while True:
            yield from (shard["ShardId"] for shard in answer["Shards"])
            if not answer.get("NextToken"):
                return
            answer = self.call("ListShards", NextToken=answer["NextToken"])

    def records(self, shard):
        """Yields sequence number and data, to the end or the tip of the shard."""
        iterator = self.call(
            "GetShardIterator", StreamName=self.name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = self.call("GetRecords", ShardIterator=iterator)
            for record in answer["Records"]:
                yield int(record["SequenceNumber"]), base64.b64decode(record["Data"])
            if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                return
            iterator = answer.get("NextShardIterator")


def sign(headers, body, now):
    """Signature version 4."""
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        ["POST", "/", ""]
        + [f"{name}:{headers[name]}" for name in sorted(headers)]
        + ["", names, hashlib.sha256(body).hexdigest()]
    )
    scope = f"{now[:8]}/us-east-1/kinesis/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4local"
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential=local/{scope}, SignedHeaders={names}, Signature={signature}"


def user_records(data):
    """The data of each user record of an aggregated record; of another, None."""
    if not data.startswith(MAGIC) or len(data) < len(MAGIC) + 16:
        return None
    message = data[len(MAGIC) : -16]
    if hashlib.md5(message).digest() != data[-16:]:
        return None
    return [
        next(value for number, value in fields(record) if number == 3)
        for number, record in fields(message)
        if number == 3
    ]


def fields(message):
    """Number and value of each field of a protobuf message."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        value, at = varint(message, at)
        if tag & 7 == 2:
            value, at = message[at : at + value], at + value
        yield tag >> 3, value


def varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


class Truth:
    """What was put."""

    def __init__(self):
        self.places = {}  # number: (shard, index in the shard, digest)
        self.shards = {}  # shard: [(sequence, sub-sequence, users in the record), ...]
        self.numbers = {}  # shard: [number, ...]
        self.bytes = 0

    def read(self, stream, wrong):
        for shard in stream.shards():
            self.shards[shard], self.numbers[shard] = [], []
            for sequence, data in stream.records(shard):
                users = user_records(data)
                lines = [data] if users is None else users
                for sub, line in enumerate(lines):
                    self.add(shard, (sequence, sub, 0 if users is None else len(users)), line, wrong)

    def add(self, shard, position, line, wrong):
        number = line[:NUMBER]
        if number in self.places:
            wrong("the input has a record twice", f"{number} is at {self.name(number)} and in {shard} at {position[:2]}")
        self.places[number] = (shard, len(self.shards[shard]), digest(line))
        self.shards[shard].append(position)
        self.numbers[shard].append(number)
        self.bytes += len(line)

    def name(self, number):
        shard, index, _ = self.places[number]
        sequence, sub, _ = self.shards[shard][index]
        return f"{shard} {sequence}/{sub} (record {int(number)})"


def digest(line):
    return hashlib.blake2b(line, digest_size=8).digest()


class Objects:
    """What was archived."""

    def __init__(self, truth, wrong):
        self.truth, self.wrong = truth, wrong
        self.found = collections.defaultdict(list)  # number: keys
        self.count = self.bytes = 0
        self.split_aggregates = 0  # objects that begin or end within an aggregated record

    def read(self, directory):
        keys = set()
        for path, _, names in os.walk(directory):
            for name in names:
                key = os.path.relpath(os.path.join(path, name), directory)
                keys.add(key)
                self.read_one(key, os.path.join(path, name))
        return keys

    def read_one(self, key, path):
        self.count += 1
        self.bytes += os.path.getsize(path)
        with gzip.open(path) if key.endswith(".gz") else open(path, "rb") as f:
            content = f.read()
        lines = content.splitlines(keepends=True)
        if not lines:
            self.wrong("an object is empty", key)
        indexes = []
        for line in lines:
            number = line[:NUMBER]
            if number not in self.truth.places:
                self.wrong("an object has what was never put", f"{key}: {line[:60]!r}")
                continue
            self.found[number].append(key)
            shard, index, put = self.truth.places[number]
            indexes.append((shard, index))
            if digest(line) != put:
                self.wrong("a record is changed", f"{self.truth.name(number)} in {key}")
        self.check_run(key, indexes)

    def check_run(self, key, indexes):
        if not indexes:
            return
        shard, first = indexes[0]
        for i, (other, index) in enumerate(indexes):
            if other != shard or index != first + i:
                number = self.truth.numbers[other][index]
                self.wrong("an object is not a run of one shard", f"{key}: its record {i} is {self.truth.name(number)}")
                return
        _, sub, _ = self.truth.shards[shard][first]
        _, last_sub, users = self.truth.shards[shard][first + len(indexes) - 1]
        if sub > 0 or users > 0 and last_sub < users - 1:
            self.split_aggregates += 1

    def check(self):
        for number in self.truth.places:
            keys = self.found.get(number, [])
            if not keys:
                self.wrong("a record is in no object", self.truth.name(number))
            elif len(keys) > 1:
                self.wrong("a record is in several objects", f"{self.truth.name(number)}: {', '.join(keys)}")


def check_writes(endpoint, bucket, files, wrong):
    """Returns how many writes were refused because the key had an object, and totals."""
    with urllib.request.urlopen(endpoint + "/_localaws/writes", timeout=60) as answer:
        log = json.load(answer)
    if len(log) >= 10_000:
        wrong("the log of writes is full", f"{len(log)} writes")
    stored, refused = collections.defaultdict(list), 0
    tried = collections.defaultdict(set)
    for write in log:
        if write["bucket"] != bucket or write["op"] not in ("PutObject", "CompleteMultipartUpload"):
            continue
        if write["sha256"] and write["op"] == "PutObject":
            tried[write["key"]].add(write["sha256"])
        if write["status"] == 200:
            stored[write["key"]].append((write["etag"], write["size"]))
        elif write["status"] == 412:
            refused += 1
    for key, writes in stored.items():
        if len(set(writes)) > 1:
            wrong("a key was written twice with different content", f"{key}: {writes}")
        elif len(writes) > 1:
            wrong("a key was written twice", f"{key}: {writes}")
    for key, sums in tried.items():
        if len(sums) > 1:
            wrong("a key was to be written with different content", f"{key}: {sorted(sums)}")
    for key in sorted(files ^ set(stored)):
        wrong("files and log of writes differ", f"{key} is {'on disk only' if key in files else 'in the log only'}")
    uploads = sum(1 for write in log if write["op"] == "CompleteMultipartUpload" and write["status"] == 200)
    return refused, len(log), sum(1 for write in log if write["sha256"]), uploads


def main():
    parser = argparse.ArgumentParser()
    for name in ("endpoint", "stream", "objects"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()
    problems = collections.Counter()

    def wrong(kind, what):
        problems[kind] += 1
        if problems[kind] <= SHOWN:
            print(f"WRONG: {kind}: {what}")

    truth = Truth()
    truth.read(Stream(arguments.endpoint, arguments.stream), wrong)
    objects = Objects(truth, wrong)
    files = objects.read(arguments.objects)
    objects.check()
    refused, writes, summed, uploads = check_writes(arguments.endpoint, os.path.basename(arguments.objects), files, wrong)
    for kind, count in problems.items():
        print(f"WRONG: {count} times: {kind}")
    if not truth.places:
        wrong("the stream is empty", arguments.stream)
    positions = [position for shard in truth.shards.values() for position in shard]
    print(
        json.dumps(
            {
                "shards": len(truth.shards),
                "records": len(truth.places),
                "bytes": truth.bytes,
                "in_aggregates": sum(1 for position in positions if position[2] > 0),
                "objects": objects.count,
                "object_bytes": objects.bytes,
                "objects_that_split_an_aggregate": objects.split_aggregates,
                "delivered": len(objects.found),
                "missing": sum(1 for number in truth.places if number not in objects.found),
                "twice": sum(1 for keys in objects.found.values() if len(keys) > 1),
                "keys_with_two_contents": problems["a key was written twice with different content"]
                + problems["a key was to be written with different content"],
                "writes": writes,
                "writes_with_sha256": summed,
                "writes_refused": refused,
                "uploads_in_parts": uploads,
                "problems": sum(problems.values()),
            }
        )
    )
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
