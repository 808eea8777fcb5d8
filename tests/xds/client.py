"""An xDS client for the scenarios, with grpcio and Envoy's own messages (PyPI: grpcio, xds-protos).

    client.py sotw|delta SCENARIOS.json

It asks the server under test for what only that can do ("serve", "snapshot", "status") with a line of JSON on standard
output, and reads the answer from standard input. `scenarios/README.md` says what the steps mean.

Nothing here waits for a while to see whether something comes: a request whose answer is certain is sent, and what
arrives before that answer is what came.
"""

import json
import queue
import sys

import grpc
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from google.protobuf import wrappers_pb2

PREFIX = "type.googleapis.com/"
PROBE = "probe"
PATIENCE = 30

# For each type: its message, and where the fixtures keep name and revision.
TYPES = {
    "cds": (cluster_pb2.Cluster, lambda m: (m.name, str(m.connect_timeout.seconds))),
    "eds": (
        endpoint_pb2.ClusterLoadAssignment,
        lambda m: (m.cluster_name, str(m.policy.overprovisioning_factor.value)),
    ),
    "sds": (secret_pb2.Secret, lambda m: (m.name, "1")),
    "lds": (listener_pb2.Listener, lambda m: (m.name, m.stat_prefix)),
    "rds": (route_pb2.RouteConfiguration, lambda m: (m.name, m.internal_only_headers[0])),
    "ecds": (extension_pb2.TypedExtensionConfig, lambda m: (m.name, _text(m.typed_config))),
}


def _text(packed):
    value = wrappers_pb2.StringValue()
    assert packed.Unpack(value), packed.type_url
    return value.value


def url_of(short):
    return PREFIX + TYPES[short][0].DESCRIPTOR.full_name if short in TYPES else short


def short_of(url):
    return next(short for short in TYPES if url_of(short) == url)


def ask(**request):
    print(json.dumps(request), flush=True)
    return json.loads(sys.stdin.readline())


class Failure(Exception):
    pass


class Stream:
    """One stream; requests go out as they are put, responses are collected by gRPC's threads."""

    def __init__(self, method):
        self.outgoing = queue.Queue()
        self.first = True
        self.call = method(iter(self.outgoing.get, None))

    def send(self, request):
        if self.first:
            request.node.id = "client.py"
            request.node.cluster = "scenarios"
            self.first = False
        self.outgoing.put(request)

    def receive(self):
        return next(self.call)

    def close(self):
        self.outgoing.put(None)
        self.call.cancel()


class Client:
    """What both variants do alike."""

    def __init__(self, channel):
        self.stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
        self.kept = {}
        self.in_force = False
        self.connect()

    def connect(self):
        if getattr(self, "stream", None):
            self.stream.close()
        self.stream = Stream(lambda requests: self.method()(requests, timeout=PATIENCE, wait_for_ready=True))
        self.waiting = []
        self.names = {}
        self.accepted = {}
        self.probe_nonce = ""

    def next(self):
        return self.waiting.pop(0) if self.waiting else self.stream.receive()

    def settle(self):
        """Waits until the server has taken in everything sent so far."""
        if not self.in_force:
            return
        self.send_probe()
        while True:
            response = self.stream.receive()
            if short_of(response.type_url) != "sds":
                self.waiting.append(response)
                continue
            self.probe_nonce = response.nonce
            self.finish_probe(response)
            return

    def resolve(self, text, field):
        text = text or ""
        return field(self.kept[text[1:]]) if text.startswith("$") else text

    def step(self, step):
        verb = next(key for key in step if key not in ("as", "names", "message"))
        value = step[verb]
        if verb == "snapshot":
            self.settle()
            ask(do="snapshot", snapshot=value)
            self.in_force = True
            self.settle()
        elif verb == "connect":
            self.connect()
        elif verb == "send":
            self.names[value["type"]] = value.get("names", [])
            self.stream.send(self.request(value))
        elif verb in ("ack", "nack"):
            response = self.kept[value]
            short = short_of(response.type_url)
            if "names" in step:
                self.names[short] = step["names"]
            self.stream.send(self.answer(response, step.get("message")))
            if verb == "ack":
                self.accepted[short] = response
        elif verb == "expect":
            response = self.next()
            self.kept[step["as"]] = response
            found = (short_of(response.type_url), sorted(self.resources(response)), self.removed(response))
            wanted = (value["type"], value["resources"], value.get("removed", []))
            if found != wanted:
                raise Failure(f"got {found}")
            if not response.nonce:
                raise Failure("the response has no nonce")
        elif verb == "nothing":
            self.settle()
            if self.waiting:
                raise Failure(f"got {[short_of(r.type_url) for r in self.waiting]}")
        elif verb == "status":
            self.settle()
            status = ask(do="status", type=value["type"])
            if status != {key: value[key] for key in ("sent", "acked", "nacked")}:
                raise Failure(f"got {status}")
        else:
            raise Failure(f"`{verb}` is no step")


def revision(short, packed):
    message = TYPES[short][0]()
    assert packed.Unpack(message), packed.type_url
    return "@".join(TYPES[short][1](message))


class Sotw(Client):
    """State of the world."""

    def method(self):
        return self.stub.StreamAggregatedResources

    def send_probe(self):
        # Given up and wanted again, the probe is certain to come.
        for names in ([], [PROBE]):
            request = discovery_pb2.DiscoveryRequest(type_url=url_of("sds"), resource_names=names)
            request.response_nonce = self.probe_nonce
            self.stream.send(request)

    def finish_probe(self, response):
        request = discovery_pb2.DiscoveryRequest(type_url=response.type_url, resource_names=[PROBE])
        request.version_info, request.response_nonce = response.version_info, response.nonce
        self.stream.send(request)

    def request(self, value):
        request = discovery_pb2.DiscoveryRequest(
            type_url=url_of(value["type"]),
            resource_names=value.get("names", []),
            version_info=self.resolve(value.get("version"), lambda r: r.version_info),
            response_nonce=self.resolve(value.get("nonce"), lambda r: r.nonce),
        )
        if value.get("error"):
            request.error_detail.message = value["error"]
        return request

    def answer(self, response, error):
        short = short_of(response.type_url)
        request = discovery_pb2.DiscoveryRequest(
            type_url=response.type_url,
            resource_names=self.names.get(short, []),
            version_info=response.version_info,
            response_nonce=response.nonce,
        )
        if error:
            request.error_detail.message = error
            last_good = self.accepted.get(short)
            request.version_info = last_good.version_info if last_good else ""
        return request

    def resources(self, response):
        return [revision(short_of(response.type_url), packed) for packed in response.resources]

    def removed(self, response):
        return []


class Delta(Client):
    """Incremental."""

    def method(self):
        return self.stub.DeltaAggregatedResources

    def send_probe(self):
        request = discovery_pb2.DeltaDiscoveryRequest(
            type_url=url_of("sds"), resource_names_subscribe=[PROBE]
        )
        self.stream.send(request)

    def finish_probe(self, response):
        assert [r.name for r in response.resources] == [PROBE], response
        self.stream.send(self.answer(response, None))

    def request(self, value):
        request = discovery_pb2.DeltaDiscoveryRequest(
            type_url=url_of(value["type"]),
            resource_names_subscribe=value.get("subscribe", []),
            resource_names_unsubscribe=value.get("unsubscribe", []),
            response_nonce=self.resolve(value.get("nonce"), lambda r: r.nonce),
        )
        for name, version in value.get("initial", {}).items():
            known = self.resolve(version, lambda r: next(x.version for x in r.resources if x.name == name))
            request.initial_resource_versions[name] = known
        if value.get("error"):
            request.error_detail.message = value["error"]
        return request

    def answer(self, response, error):
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        if error:
            request.error_detail.message = error
        return request

    def resources(self, response):
        short = short_of(response.type_url)
        for resource in response.resources:
            if not resource.version or revision(short, resource.resource).split("@")[0] != resource.name:
                raise Failure(f"the resource is named {resource.name} and has version `{resource.version}`")
        return [revision(short, resource.resource) for resource in response.resources]

    def removed(self, response):
        return list(response.removed_resources)


def main():
    variant = {"sotw": Sotw, "delta": Delta}[sys.argv[1]]
    with open(sys.argv[2], encoding="utf-8") as file:
        scenarios = json.load(file)
    failures = 0
    for scenario in scenarios:
        with grpc.insecure_channel(ask(do="serve")["address"]) as channel:
            client = variant(channel)
            for number, step in enumerate(scenario["steps"], 1):
                try:
                    client.step(step)
                except (Failure, grpc.RpcError, StopIteration) as error:
                    print(f"{scenario['name']}, step {number} {step}: {error!r}", file=sys.stderr)
                    failures += 1
                    break
            client.stream.close()
    print(f"{len(scenarios) - failures} of {len(scenarios)} scenarios of {sys.argv[1]} hold", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
