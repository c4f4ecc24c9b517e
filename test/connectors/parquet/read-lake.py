"""Prints the files named as one table: its types, and its rows with every value as text, as JSON."""
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def text(value):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {key: text(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [text(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


# One file by one: by a folder, pyarrow would make columns of the names of folders.
tables = [pq.ParquetFile(name).read() for name in sys.argv[1:]]
table = pa.concat_tables(tables, promote_options="permissive").sort_by("_offset")
types = {field.name: str(field.type) for field in table.schema}
print(json.dumps({"types": types, "rows": [text(row) for row in table.to_pylist()]}))
