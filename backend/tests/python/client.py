"""What a program of another language sees: no generated code, only what the collector says about itself by reflection.

Usage: client.py ADDRESS. Prints what it found as one JSON object. It tails first and says so with the line "tailing", so
that whoever started it can have something stored then.
"""

import json
import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

PATIENCE_S = 60


class Service:
    """A service whose methods are known by reflection."""

    def __init__(self, channel, pool, name):
        self.channel = channel
        self.methods = pool.FindServiceByName(name).methods_by_name

    def call(self, name, **fields):
        method = self.methods[name]
        request = json_format.ParseDict(fields, GetMessageClass(method.input_type)())
        kind = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        call = kind(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        return call(request, timeout=PATIENCE_S)


def walk(service, **filter):
    """All titles, a page of two at a time."""
    titles, token = [], ""
    while True:
        page = service.call(
            "ListFaults", filter=filter, pageSize=2, pageToken=token, readMask="id,record.title"
        )
        for fault in page.faults:
            assert fault.id and not fault.agent_id and not fault.record.HasField("custom"), fault
            titles.append(fault.record.title)
        token = page.next_page_token
        if not token:
            return titles


def main():
    channel = grpc.insecure_channel(sys.argv[1])
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    query = Service(channel, pool, "telemetry.v1.Query")
    issues = Service(channel, pool, "telemetry.v1.Issues")
    hosts = Service(channel, pool, "telemetry.v1.Hosts")

    tail = query.call("TailFaults", filter={"query": "class:custom"})
    # The collector answers the call once it knows from where on it tails.
    tail.initial_metadata()
    print("tailing", flush=True)
    tailed = next(tail).record.title
    tail.cancel()

    try:
        query.call("ListFaults", filter={"query": "kernl:6.1"})
        refused = "nothing"
    except grpc.RpcError as error:
        refused = f"{error.code().name}: {error.details()}"
    listed = issues.call("ListIssues")
    changed = issues.call(
        "ChangeIssue",
        issue=listed.issues[0].issue,
        who="python",
        change={"state": "ISSUE_STATE_RESOLVED", "note": "mended"},
    )
    print(
        json.dumps(
            {
                "services": sorted(database.get_services()),
                "tailed": tailed,
                "all": walk(query),
                "filtered": walk(query, query="severity>=high"),
                "refused": refused,
                "issue": json_format.MessageToDict(changed)["state"],
                "history": changed.history[0].who,
                "hosts": [host.host.hostname for host in hosts.call("ListHosts").hosts],
            }
        )
    )


if __name__ == "__main__":
    main()
