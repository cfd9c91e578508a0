"""Run the manifest beside this file: python airbyte_source.py URL KEY QUERY [offset, for the strategy that goes wrong]."""

import json
import sys
from pathlib import Path

import yaml
from airbyte_cdk.models import AirbyteStream, ConfiguredAirbyteCatalog, ConfiguredAirbyteStream, DestinationSyncMode, SyncMode, Type
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

url, key, query, *wrong = sys.argv[1:]
config = {"url": url, "key": key, "query": json.loads(query)}
manifest = yaml.safe_load(Path(__file__).with_name("airbyte_manifest.yaml").read_text())
if wrong:
    manifest["streams"][0]["retriever"]["paginator"]["pagination_strategy"] = {"type": "OffsetIncrement", "page_size": 50}
stream = AirbyteStream(name="conversions", json_schema={}, supported_sync_modes=[SyncMode.full_refresh])
catalog = ConfiguredAirbyteCatalog(
    streams=[ConfiguredAirbyteStream(stream, SyncMode.full_refresh, DestinationSyncMode.append)]
)
source = ConcurrentDeclarativeSource(catalog=catalog, config=config, state=[], source_config=manifest)
messages = source.read(__import__("logging").getLogger("airbyte"), config, catalog, [])
print(sum(1 for message in messages if message.type == Type.RECORD))
