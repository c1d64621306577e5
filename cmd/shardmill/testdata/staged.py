"""Prints the rows of staged objects as duckdb reads them: a line of JSON each, all texts.

Arguments: the columns, with commas between, and the files.
"""

import json
import sys

import duckdb

columns, files = sys.argv[1].split(","), sys.argv[2:]
types = {"n": "BIGINT", "amount": "DECIMAL(18,2)", "ratio": "DOUBLE", "ok": "BOOLEAN", "day": "DATE"}
read = duckdb.read_json(files, format="newline_delimited", compression="gzip", columns={c: types.get(c, "VARCHAR") for c in columns})
for row in read.select(*(duckdb.ColumnExpression(c).cast("VARCHAR") for c in columns)).fetchall():
    print(json.dumps(row, ensure_ascii=False))
