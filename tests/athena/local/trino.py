"""Install, configure, start and stop the query engine that stands behind the local Athena.

Version 406: it runs on Java 17, knows MERGE and partition projection, and refuses what Athena
refuses (later versions coerce `timestamp(3)` when they create an Iceberg table).
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSION = "406"
START_SECONDS = 120.0
HIVE_CATALOG = "awsdatacatalog"
ICEBERG_CATALOG = "iceberg"
# What Athena allows in one write; a Trino writer counts the same way.
MAX_PARTITIONS = 100
PLUGIN_SERVICE = "META-INF/services/io.trino.spi.Plugin"


class TrinoError(RuntimeError):
    """The engine could not be installed or started; the message says what to do."""


def cache_folder() -> Path:
    """Where the engine is kept between runs."""
    return Path(os.environ.get("TEST_CACHE", "~/.cache/spanishgas")).expanduser()


def install(cache: Path | None = None) -> Path:
    """The engine's folder, put together on first use (about 350 MB, half a minute).

    Raises:
        TrinoError: no Java 17 or Maven, or a part that cannot be fetched.
    """
    home = (cache or cache_folder()) / f"trino-{VERSION}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"trino-{VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once install it once
        if (home / "lib").is_dir():
            return home
        for program in ("java", "javac", "mvn"):
            if shutil.which(program) is None:
                raise TrinoError(f"{program} is not on the PATH; install a JDK 17 and Maven")
        building = home.with_name(home.name + ".building")
        shutil.rmtree(building, ignore_errors=True)
        _fetch(building)
        _add_own_classes(building)
        building.rename(home)
    return home


def _fetch(folder: Path) -> None:
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(HERE / "trino-pom.xml")]
    _run([*command, f"-Dtrino.home={folder}", "generate-resources"], "fetch the query engine")
    (folder / "unpacked" / f"trino-iceberg-{VERSION}").rename(folder / "plugin")
    for leftover in ("unpacked", "markers"):
        shutil.rmtree(folder / leftover)
    # A cache that nothing here configures, a third of the plugin.
    for jar in folder.glob("plugin/alluxio-*"):
        jar.unlink()
    (folder / "plugin").rename(folder / "lakehouse")
    (folder / "plugin").mkdir()
    (folder / "lakehouse").rename(folder / "plugin" / "lakehouse")


def _add_own_classes(folder: Path) -> None:
    """Compile the Hive plugin's announcement and the launcher, which no archive here holds."""
    plugin = folder / "plugin" / "lakehouse"
    classes = folder / "classes"
    classpath = f"{folder / 'lib'}/*:{plugin}/*"
    sources = [str(path) for path in sorted((HERE / "java").glob("*.java"))]
    _run(["javac", "-cp", classpath, "-d", str(classes), *sources], "compile the launcher")
    _jar(folder / "lib" / "launcher.jar", classes, "spanishgas/trino/Launcher.class")
    own_plugin = plugin / "hive-plugin.jar"
    _jar(own_plugin, classes, "spanishgas/trino/HivePlugin.class")
    with zipfile.ZipFile(own_plugin, "a") as jar:
        jar.writestr(PLUGIN_SERVICE, "spanishgas.trino.HivePlugin\n")
    shutil.rmtree(classes)


def _jar(target: Path, classes: Path, name: str) -> None:
    with zipfile.ZipFile(target, "w") as jar:
        jar.write(classes / name, name)


def _run(command: list[str], purpose: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrinoError(f"cannot {purpose}:\n{(done.stdout + done.stderr)[-2000:]}")


class Trino:
    """One single-node server whose metastore and object store are at `aws_endpoint`."""

    def __init__(self, home: Path, work: Path, port: int, aws_endpoint: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._home = home
        self._work = work
        self._port = port
        self._aws_endpoint = aws_endpoint
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._work / "trino.log"

    def start(self) -> None:
        """Start the server and return at once; `wait` for it before the first query."""
        self._configure()
        atexit.register(self.stop)  # an interrupted test run must not leave it behind
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(), cwd=self._work, stdout=log, stderr=log
            )

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Return when the server takes queries.

        Raises:
            TrinoError: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise TrinoError(f"the query engine did not start:\n{self._log_end()}")
            if "SERVER STARTED" in self.log.read_text(errors="replace") and self._answers():
                return
            time.sleep(0.25)
        raise TrinoError(f"the query engine was not ready in {seconds:.0f} s:\n{self._log_end()}")

    def stop(self) -> None:
        """End the server; nothing of it is kept, so there is nothing to wait for."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/v1/info", timeout=5) as response:
                return b'"starting":false' in response.read()
        except (urllib.error.URLError, OSError):
            return False

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])

    def _command(self) -> list[str]:
        return [
            *("java", "-Xmx3G", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            "-XX:ReservedCodeCacheSize=512M",
            *("-Dfile.encoding=UTF-8", "-Djdk.attach.allowAttachSelf=true", "-Duser.timezone=UTC"),
            *("-Dnode.environment=local", f"-Dnode.data-dir={self._work / 'data'}"),
            *(f"-Dconfig={self._work / 'config.properties'}",),
            *("-cp", f"{self._home / 'lib'}/*", "spanishgas.trino.Launcher", VERSION),
        ]

    def _configure(self) -> None:
        catalogs = self._work / "catalog"
        catalogs.mkdir(parents=True, exist_ok=True)
        _write(self._work / "config.properties", self._server_properties())
        _write(catalogs / f"{HIVE_CATALOG}.properties", self._hive_properties())
        _write(catalogs / f"{ICEBERG_CATALOG}.properties", self._iceberg_properties())

    def _server_properties(self) -> dict[str, str]:
        return {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(self._port),
            "discovery.uri": self.url,
            "plugin.dir": str(self._home / "plugin"),
            "catalog.config-dir": str(self._work / "catalog"),
            "task.concurrency": "2",
            "task.max-worker-threads": "4",
            # One writer a query, so that the limit of partitions holds for the query.
            "task.writer-count": "1",
            "task.partitioned-writer-count": "1",
            "scale-writers": "false",
            "task.scale-writers.enabled": "false",
            "query.max-memory-per-node": "1GB",
        }

    def _metastore_properties(self) -> dict[str, str]:
        return {
            "hive.metastore.glue.region": "us-east-1",
            "hive.metastore.glue.endpoint-url": self._aws_endpoint,
            "hive.metastore.glue.aws-access-key": "local",
            "hive.metastore.glue.aws-secret-key": "local",
            "hive.metastore.glue.default-warehouse-dir": "s3://warehouse-default/",
            "hive.metastore.glue.partitions-segments": "1",
            "hive.s3.endpoint": self._aws_endpoint,
            "hive.s3.path-style-access": "true",
            "hive.s3.ssl.enabled": "false",
            "hive.s3.aws-access-key": "local",
            "hive.s3.aws-secret-key": "local",
        }

    def _hive_properties(self) -> dict[str, str]:
        return {
            "connector.name": "hive",
            "hive.metastore": "glue",
            **self._metastore_properties(),
            "hive.security": "allow-all",
            "hive.non-managed-table-writes-enabled": "true",
            "hive.non-managed-table-creates-enabled": "true",
            "hive.iceberg-catalog-name": ICEBERG_CATALOG,
            "hive.partition-projection-enabled": "true",
            "hive.recursive-directories": "true",
            "parquet.optimized-writer.enabled": "true",
            "hive.max-partitions-per-writers": str(MAX_PARTITIONS),
            "hive.collect-column-statistics-on-write": "false",
            "hive.table-statistics-enabled": "false",
        }

    def _iceberg_properties(self) -> dict[str, str]:
        return {
            "connector.name": "iceberg",
            "iceberg.catalog.type": "glue",
            **self._metastore_properties(),
            "iceberg.hive-catalog-name": HIVE_CATALOG,
            "iceberg.file-format": "PARQUET",
            "iceberg.max-partitions-per-writer": str(MAX_PARTITIONS),
        }


def _write(path: Path, properties: Mapping[str, str]) -> None:
    path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
