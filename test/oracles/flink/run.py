"""Runs the queries of this folder on Flink, in this process's own mini cluster: python3 run.py FOLDER. FOLDER/parameters.json has what the queries name
besides the macros below, and which tables are asked for; the rows come into FOLDER/<table>.rows.json: {"columns": [...], "rows": [[text or null, ...], ...]}."""

import json
import os
import re
import sys
from datetime import datetime, timedelta

# No Python code runs in the queries, so no workers for it are wanted, nor the packages that they need.
os.environ["_python_worker_execution_mode"] = "process"

from pyflink.table import EnvironmentSettings, TableEnvironment  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
EPOCH = datetime(1970, 1, 1)
# White space as ECMAScript's trim() has it.
SPACE = "[\\t\\n\\x0B\\f\\r \\xA0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000\\uFEFF]+"
MACROS = {
    "iso": "DATE_FORMAT({0}, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''')",
    "ms": "(CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', {0}) AS BIGINT) * 1000)",
    "trimmed": "REGEXP_REPLACE({0}, '^" + SPACE + "|" + SPACE + "$', '')",
    "visitor": "CASE WHEN userId IS NULL THEN CONCAT('anonymous:', anonymousId) ELSE CONCAT('user:', CAST(userId AS STRING)) END",
}


def statements(name, parameters):
    """The statements of a file, without comments, macros and parameters put in."""

    def put(match):
        macro, argument = match.group(1), match.group(2)
        return MACROS[macro].replace("{0}", argument or "") if macro in MACROS else str(parameters[macro])

    with open(os.path.join(HERE, name + ".sql"), encoding="utf-8") as file:
        lines = [line for line in file.read().split("\n") if not line.startswith("--")]
    text = re.sub(r"\$\{(\w+)(?::([^}]*))?\}", put, "\n".join(lines))
    return [each for each in (part.strip() for part in text.split(";")) if each]


def text_of(value):
    """As verify has it: times in ms, booleans in lower case."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str((value - EPOCH) // timedelta(milliseconds=1))
    return str(value)


def main(folder):
    with open(os.path.join(folder, "parameters.json"), encoding="utf-8") as file:
        parameters = json.load(file)
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    config = environment.get_config()
    # One reader per file, or records of a partition overtake each other.
    config.set("parallelism.default", "1")
    config.set("pipeline.auto-watermark-interval", "1 ms")
    config.set("table.local-time-zone", "UTC")
    for statement in statements("inputs", parameters):
        environment.execute_sql(statement)
    for table in parameters["tables"]:
        *before, query = statements(table, parameters)
        for statement in before:
            environment.execute_sql(statement)
        result = environment.execute_sql(query)
        columns = list(result.get_resolved_schema().get_column_names())
        with result.collect() as rows:
            found = [[text_of(value) for value in row] for row in rows]
        with open(os.path.join(folder, table + ".rows.json"), "w", encoding="utf-8") as file:
            json.dump({"columns": columns, "rows": found}, file)


main(sys.argv[1])
