"""The operations of Athena, as a state machine over threads."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.athena.local import results, strict
from tests.athena.local.lexer import ParseError
from tests.athena.local.recorder import Recorder
from tests.athena.local.router import Context, Router
from tests.athena.local.statements import Statement, classify, unload
from tests.athena.local.strict import bucket_and_prefix
from tests.athena.local.trino_client import QueryCancelledError, TrinoQueryError, TrinoResult

PAGE_ROWS = 1000
CONCURRENT_QUERIES = 4
_CATEGORIES = {"INTERNAL_ERROR": 1, "USER_ERROR": 2}
# Athena's own numbers: 233 is what dbt's adapter retries on.
_ICEBERG_ERROR, _DEFAULT_ERROR = 233, 1000


class ApiError(Exception):
    """An answer with an error code instead of a result."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Execution:
    """One query execution and what became of it."""

    query_id: str
    sql: str
    context: Context
    work_group: str
    catalog: str
    submitted: float = field(default_factory=time.time)
    state: str = "QUEUED"
    statement: Statement | None = None
    reason: str | None = None
    error: dict[str, Any] | None = None
    result: TrinoResult = field(default_factory=TrinoResult)
    rows: list[list[str | None]] = field(default_factory=list)
    completed: float | None = None

    @property
    def result_file(self) -> str:
        suffix = "csv" if self.statement is not None and self.statement.kind == "DML" else "txt"
        return f"{self.context.output}{self.query_id}.{suffix}"

    @property
    def manifest(self) -> str | None:
        """Where the names of the files that an UNLOAD wrote are listed, one a line."""
        is_unload = self.statement is not None and self.statement.subkind == "UNLOAD"
        return f"{self.context.output}{self.query_id}-manifest.csv" if is_unload else None


class AthenaApi:
    """`handle(operation, request)` answers one call."""

    def __init__(self, router: Router, athena: Any, s3: Any, recorder: Recorder) -> None:
        self._router = router
        self._athena = athena
        self._s3 = s3
        self._recorder = recorder
        self._executions: dict[str, Execution] = {}
        self.fault: str | None = None  # statements that contain it fail
        self.latency_seconds = 0.0  # that each query waits before it begins
        self._pool = ThreadPoolExecutor(CONCURRENT_QUERIES, thread_name_prefix="athena")
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "StartQueryExecution": self._start,
            "StopQueryExecution": self._stop,
            "GetQueryExecution": lambda r: {"QueryExecution": _describe(self._find(r))},
            "BatchGetQueryExecution": self._batch_get,
            "ListQueryExecutions": self._list,
            "GetQueryResults": self._results,
            "GetQueryRuntimeStatistics": self._runtime,
            "GetDataCatalog": self._catalog,
        }

    def knows(self, operation: str) -> bool:
        """Work groups and the rest are moto's."""
        return operation in self._operations

    def handle(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one call.

        Raises:
            ApiError: the call is refused.
        """
        return self._operations[operation](request)

    def engine_seconds(self, since: float) -> float:
        """How long queries that were submitted after a moment (Unix time) have computed."""
        executions = (it for it in self._executions.values() if it.submitted >= since)
        return sum(execution.result.engine_milliseconds for execution in executions) / 1000

    def close(self) -> None:
        """Stop every running query."""
        for execution in self._executions.values():
            execution.context.cancel.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        sql = request["QueryString"]
        if message := strict.check_query_size(sql):
            raise ApiError("InvalidRequestException", message)
        name = request.get("WorkGroup", "primary")
        group = self._work_group(name)
        asked = request.get("ResultConfiguration", {}).get("OutputLocation")
        given = group.get("ResultConfiguration", {}).get("OutputLocation")
        output = given if given and group.get("EnforceWorkGroupConfiguration") else asked or given
        if not output:
            raise ApiError(
                "InvalidRequestException",
                "No output location provided. An output location is required either through the "
                "Workgroup result configuration setting or as an API input.",
            )
        where = request.get("QueryExecutionContext", {})
        query_id = str(uuid.uuid4())
        context = Context(
            query_id=query_id,
            database=(where.get("Database") or "").lower() or None,
            output=output.rstrip("/") + "/",
            scan_limit=group.get("BytesScannedCutoffPerQuery"),
        )
        execution = Execution(query_id, sql, context, name, where.get("Catalog", "AwsDataCatalog"))
        self._executions[query_id] = execution
        self._pool.submit(self._run, execution)
        return {"QueryExecutionId": query_id}

    def _work_group(self, name: str) -> dict[str, Any]:
        group = self._athena.get_work_group(WorkGroup=name).get("WorkGroup")
        if not group:  # moto answers with nothing
            raise ApiError("InvalidRequestException", f"WorkGroup {name} is not found.")
        configuration: dict[str, Any] = group.get("Configuration", {})
        return configuration

    def _run(self, execution: Execution) -> None:
        execution.state = "RUNNING"
        time.sleep(self.latency_seconds)
        try:
            statement = execution.statement = classify(execution.sql)
            self._recorder.statement(statement.form)
            if self.fault is not None and self.fault in execution.sql:
                raise TrinoQueryError("GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", "made to fail")
            execution.result = self._router.run(statement, execution.context)
            execution.rows = results.text_rows(execution.result)
            self._write_result(execution)
            execution.state = "SUCCEEDED"
        except QueryCancelledError as error:
            execution.reason, execution.state = str(error), "CANCELLED"
        except ParseError as error:
            _fail(execution, f"FAILED: ParseException {error}", "USER_ERROR", "")
        except TrinoQueryError as error:
            _fail(execution, str(error), error.kind, error.name)
        except Exception as error:  # a query must never stay RUNNING for ever
            _fail(execution, f"GENERIC_INTERNAL_ERROR: {error!r}", "INTERNAL_ERROR", "")
        finally:
            execution.completed = time.time()

    def _write_result(self, execution: Execution) -> None:
        names = [column["name"] for column in execution.result.columns]
        is_select = execution.statement is not None and execution.statement.has_result
        body = results.csv_file(names, execution.rows) if is_select else b""
        self._put(execution.result_file, body)
        if execution.statement is not None and execution.manifest is not None:
            bucket, prefix = bucket_and_prefix(unload(execution.statement).location)
            written = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
            lines = [f"s3://{bucket}/{entry['Key']}\n" for entry in written]
            self._put(execution.manifest, "".join(lines).encode())

    def _put(self, place: str, body: bytes) -> None:
        bucket, prefix = bucket_and_prefix(place)
        self._s3.put_object(Bucket=bucket, Key=prefix.rstrip("/"), Body=body)

    def _find(self, request: dict[str, Any]) -> Execution:
        query_id = request["QueryExecutionId"]
        if query_id not in self._executions:
            raise ApiError("InvalidRequestException", f"QueryExecution {query_id} was not found")
        return self._executions[query_id]

    def _batch_get(self, request: dict[str, Any]) -> dict[str, Any]:
        known = [i for i in request["QueryExecutionIds"] if i in self._executions]
        unknown = [i for i in request["QueryExecutionIds"] if i not in self._executions]
        return {
            "QueryExecutions": [_describe(self._executions[i]) for i in known],
            "UnprocessedQueryExecutionIds": [{"QueryExecutionId": i} for i in unknown],
        }

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        group = request.get("WorkGroup", "primary")
        found = [e for e in self._executions.values() if e.work_group == group]
        found.sort(key=lambda execution: execution.submitted, reverse=True)
        return {"QueryExecutionIds": [execution.query_id for execution in found]}

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        self._find(request).context.cancel.set()
        return {}

    def _results(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._find(request)
        if execution.state != "SUCCEEDED":
            raise ApiError(
                "InvalidRequestException",
                f"Query has not yet finished. Current state: {execution.state}",
            )
        columns = execution.result.columns
        has_result = execution.statement is not None and (
            execution.statement.has_result or execution.statement.kind == "UTILITY"
        )
        rows = execution.rows if has_result else []
        if execution.statement is not None and execution.statement.has_result:
            rows = [[column["name"] for column in columns], *rows]
        first = int(request.get("NextToken") or 0)
        last = first + min(int(request.get("MaxResults") or PAGE_ROWS), PAGE_ROWS)
        answer: dict[str, Any] = {
            "UpdateCount": execution.result.update_count or 0,
            "ResultSet": {
                "Rows": [{"Data": [_datum(text) for text in row]} for row in rows[first:last]],
                "ResultSetMetadata": {"ColumnInfo": [results.column_info(c) for c in columns]},
            },
        }
        if last < len(rows):
            answer["NextToken"] = str(last)
        return answer

    def _runtime(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._find(request)
        timeline = {"TotalExecutionTimeInMillis": execution.result.engine_milliseconds}
        rows = {"InputBytes": execution.result.scanned_bytes, "OutputRows": len(execution.rows)}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}

    def _catalog(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["Name"].lower() != "awsdatacatalog":
            raise ApiError("InvalidRequestException", f"DataCatalog {request['Name']} not found")
        parameters = {"catalog-id": "123456789012"}
        catalog = {"Name": "AwsDataCatalog", "Type": "GLUE", "Parameters": parameters}
        return {"DataCatalog": catalog}


def _fail(execution: Execution, message: str, kind: str, name: str) -> None:
    is_iceberg = name.startswith("ICEBERG_")
    execution.reason = message
    execution.error = {
        "ErrorCategory": _CATEGORIES.get(kind, 3),
        "ErrorType": _ICEBERG_ERROR if is_iceberg else _DEFAULT_ERROR,
        "Retryable": False,
        "ErrorMessage": message,
    }
    execution.state = "FAILED"


def _datum(text: str | None) -> dict[str, str]:
    return {} if text is None else {"VarCharValue": text}


def _describe(execution: Execution) -> dict[str, Any]:
    """The QueryExecution structure."""
    status: dict[str, Any] = {
        "State": execution.state,
        "SubmissionDateTime": execution.submitted,
    }
    if execution.completed is not None:
        status["CompletionDateTime"] = execution.completed
    if execution.reason is not None:
        status["StateChangeReason"] = execution.reason
    if execution.error is not None:
        status["AthenaError"] = execution.error
    described: dict[str, Any] = {
        "QueryExecutionId": execution.query_id,
        "Query": execution.sql,
        "WorkGroup": execution.work_group,
        "QueryExecutionContext": {"Catalog": execution.catalog},
        "ResultConfiguration": {"OutputLocation": execution.result_file},
        "EngineVersion": {"EffectiveEngineVersion": "Athena engine version 3"},
        "Status": status,
        "Statistics": {
            "DataScannedInBytes": execution.result.scanned_bytes,
            "EngineExecutionTimeInMillis": execution.result.engine_milliseconds,
            "TotalExecutionTimeInMillis": int(
                1000 * ((execution.completed or time.time()) - execution.submitted)
            ),
        },
    }
    if execution.manifest is not None:
        described["Statistics"]["DataManifestLocation"] = execution.manifest
    if execution.context.database:
        described["QueryExecutionContext"]["Database"] = execution.context.database
    if execution.statement is not None:
        described["StatementType"] = execution.statement.kind
        described["SubstatementType"] = execution.statement.subkind
    return described
