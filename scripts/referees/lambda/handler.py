"""A transform of Firehose's, whose records say what becomes of them: the first word of
a record's data is what the handler does, with the record or with the whole batch."""

import base64
import time


def result(record, status, data):
    return {"recordId": record["recordId"], "result": status, "data": data}


def encoded(data):
    return base64.b64encode(data).decode()


def results(event, record):
    """What is returned of one record."""
    data = base64.b64decode(record["data"])
    word = data.split(b" ")[0].decode()
    if word == "drop":
        return [result(record, "Dropped", None)]
    if word == "fail":
        return [result(record, "ProcessingFailed", record["data"])]
    if word == "forget":
        return []
    if word == "twice":
        return [result(record, "Ok", record["data"])] * 2
    if word == "extra":
        return [result(record, "Ok", record["data"]), {"recordId": "extra", "result": "Ok", "data": record["data"]}]
    if word == "null":
        return [result(record, "Ok", None)]
    if word == "text":
        return [result(record, "Ok", "no base64!")]
    if word == "status":
        return [result(record, "Fine", record["data"])]
    if word == "lines":
        return [result(record, "Ok", base64.encodebytes(data * 100).decode())]
    if word == "key":
        return [dict(result(record, "Ok", record["data"]), metadata={"partitionKeys": {"customer": "ada/é", "n": 7}})]
    if word == "tell":
        metadata = record["kinesisRecordMetadata"]
        told = "|".join(str(x) for x in (event["deliveryStreamArn"], event["sourceKinesisStreamArn"], event["region"], metadata["shardId"], metadata["partitionKey"],
                                         metadata["sequenceNumber"], metadata["subsequenceNumber"], metadata["approximateArrivalTimestamp"], record["approximateArrivalTimestamp"]))
        return [result(record, "Ok", encoded(told.encode()))]
    return [result(record, "Ok", encoded(data.upper()))]


def handler(event, _context):
    for record in event["records"]:
        words = base64.b64decode(record["data"]).split(b" ")
        if words[0] == b"raise":
            raise ValueError("raised on purpose")
        if words[0] == b"sleep":
            time.sleep(60)
        if words[0] == b"nothing":
            return None
        if words[0] == b"object":
            return {}
        if words[0] == b"string":
            return "records"
        if words[0] == b"much" and len(event["records"]) > int(words[1]):
            return {"records": [result(r, "Ok", encoded(b"x" * (5 << 20))) for r in event["records"]]}
    return {"records": [r for record in event["records"] for r in results(event, record)]}
