"""A rate limit service that knows nothing of the mesh, on Envoy's own messages (PyPI: grpcio, xds-protos).

    rate_limits.py

It does what envoy/service/ratelimit/v3/rls.proto says and no more: a descriptor's `limit` is counted in fixed windows, by
the descriptor's entries; hits count when they are asked for, whatever the answer. It says its port on standard output, then
each request, as a line of JSON. An entry `key: agent:silent` is answered by an overall code alone, as old servers do.
"""

import json
import sys
import threading
import time
from concurrent import futures

import grpc
from envoy.service.ratelimit.v3 import rls_pb2, rls_pb2_grpc
from envoy.type.v3 import ratelimit_unit_pb2

Response = rls_pb2.RateLimitResponse
SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "MONTH": 30 * 86400}

counts = {}
lock = threading.Lock()


def say(value):
    print(json.dumps(value), flush=True)


class Service(rls_pb2_grpc.RateLimitServiceServicer):
    def ShouldRateLimit(self, request, context):
        with lock:
            said = [self.descriptor(request, one) for one in request.descriptors]
            say(
                {
                    "domain": request.domain,
                    "metadata": [key for key, _ in context.invocation_metadata()],
                    "descriptors": [
                        {
                            "entries": [[entry.key, entry.value] for entry in one.entries],
                            "limit": one.limit.requests_per_unit,
                            "unit": ratelimit_unit_pb2.RateLimitUnit.Name(one.limit.unit),
                            "hits": hits(request, one),
                        }
                        for one in request.descriptors
                    ],
                }
            )
        over = any(status.code == Response.OVER_LIMIT for status in said)
        answer = Response(overall_code=Response.OVER_LIMIT if over else Response.OK)
        if not any(entry.value == "agent:silent" for one in request.descriptors for entry in one.entries):
            answer.statuses.extend(said)
        return answer

    def descriptor(self, request, one):
        seconds = SECONDS[ratelimit_unit_pb2.RateLimitUnit.Name(one.limit.unit)]
        now = time.time()
        key = (tuple((e.key, e.value) for e in one.entries), int(now // seconds))
        counts[key] = counts.get(key, 0) + hits(request, one)
        most = one.limit.requests_per_unit
        status = Response.DescriptorStatus(
            code=Response.OVER_LIMIT if counts[key] > most else Response.OK,
            limit_remaining=max(0, most - counts[key]),
        )
        status.current_limit.requests_per_unit = most
        status.duration_until_reset.seconds = int(seconds - now % seconds) + 1
        return status


def hits(request, one):
    return one.hits_addend.value if one.HasField("hits_addend") else max(1, request.hits_addend)


server = grpc.server(futures.ThreadPoolExecutor(4))
rls_pb2_grpc.add_RateLimitServiceServicer_to_server(Service(), server)
say({"port": server.add_insecure_port("127.0.0.1:0")})
server.start()
sys.stdin.read()
server.stop(0)
