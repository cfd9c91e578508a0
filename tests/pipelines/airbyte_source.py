"""Run the Airbyte manifest beside this file."""

import logging
from pathlib import Path

import yaml
from airbyte_cdk.models import AirbyteStream, ConfiguredAirbyteCatalog, ConfiguredAirbyteStream, DestinationSyncMode, SyncMode
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

MANIFEST = Path(__file__).with_name("airbyte_manifest.yaml")


def load(url: str, key: str, query: dict, paginator: str = "right") -> None:
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    if paginator == "adds the number of records":
        manifest["streams"][0]["retriever"]["paginator"]["pagination_strategy"] = {"type": "OffsetIncrement", "page_size": 50}
    config = {"url": url, "key": key, "query": query}
    stream = AirbyteStream(name="conversions", json_schema={}, supported_sync_modes=[SyncMode.full_refresh])
    catalog = ConfiguredAirbyteCatalog(streams=[ConfiguredAirbyteStream(stream, SyncMode.full_refresh, DestinationSyncMode.append)])
    source = ConcurrentDeclarativeSource(catalog=catalog, config=config, state=[], source_config=manifest)
    for _ in source.read(logging.getLogger("airbyte"), config, catalog, []):
        pass
