#!/usr/bin/env python3
"""A second client in another language, made from the .proto files alone.

Creates a study on a running search-server, waits until it has ended, reads the front and checks
it, and checks what the protocol promises about repeated requests. Starts nothing itself. Needs
protoc, python3-grpcio and python3-protobuf. Exit code 0 when everything held, 1 with one line on
standard error otherwise, 2 for wrong usage.
"""

import argparse
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import uuid

import grpc

PROTO_ROOT = pathlib.Path(__file__).resolve().parents[2] / "proto"
PROTOS = ["types", "study_service", "trial_service", "worker_service", "artifact_service"]
CALL_SECONDS = 10
REASON_KEY = "voxbit-reason"
# Direction of every metric an objective may name; docs/metrics.md has the table.
HIGHER_IS_BETTER = {"miou", "accuracy", "instance_miou", "class_miou", "balanced_accuracy"}

# The only message of the standard health service (grpc.health.v1) is a single field in each
# direction; spelled out here, because its .proto is not part of this repository.
HEALTH_PROTO = """
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
"""


class Broken(Exception):
    """Something that the protocol promises did not hold."""


def expect(condition, message):
    if not condition:
        raise Broken(message)


def generate(folder):
    """Generates the message modules into `folder` and imports them, by short name."""
    health = pathlib.Path(folder) / "health.proto"
    health.write_text(HEALTH_PROTO)
    subprocess.run(
        ["protoc", f"--proto_path={PROTO_ROOT}", f"--python_out={folder}"]
        + [f"voxbit/v1/{name}.proto" for name in PROTOS],
        check=True,
    )
    subprocess.run(
        ["protoc", f"--proto_path={folder}", f"--python_out={folder}", "health.proto"], check=True
    )
    sys.path.insert(0, folder)
    modules = {name: importlib.import_module(f"voxbit.v1.{name}_pb2") for name in PROTOS}
    modules["health"] = importlib.import_module("health_pb2")
    return modules


class Client:
    """Unary calls by method path: what the gRPC plug-in would generate."""

    def __init__(self, channel, modules):
        self.channel = channel
        self.study = modules["study_service"]
        self.trial = modules["trial_service"]
        self.types = modules["types"]
        self.health = modules["health"]

    def call(self, method, request, answer):
        stub = self.channel.unary_unary(
            method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return stub(request, timeout=CALL_SECONDS)

    def create_study(self, request_id, config):
        request = self.study.CreateStudyRequest(request_id=request_id, config_json=config)
        return self.call("/voxbit.v1.StudyService/CreateStudy", request, self.types.Study)

    def get_study(self, name):
        request = self.study.GetStudyRequest(name=name)
        return self.call("/voxbit.v1.StudyService/GetStudy", request, self.types.Study)

    def get_front(self, name):
        request = self.trial.GetFrontRequest(study=name)
        return self.call(
            "/voxbit.v1.TrialService/GetFront", request, self.trial.GetFrontResponse
        )

    def list_trials(self, name):
        """All trials, read in small pages on purpose."""
        trials = []
        request = self.trial.ListTrialsRequest(study=name, page_size=3)
        while True:
            page = self.call(
                "/voxbit.v1.TrialService/ListTrials", request, self.trial.ListTrialsResponse
            )
            expect(len(page.trials) <= 3, "ListTrials answered with more than page_size trials")
            trials.extend(page.trials)
            if not page.next_page_token:
                return trials
            request.page_token = page.next_page_token

    def health_status(self):
        request = self.health.HealthCheckRequest()
        answer = self.call(
            "/grpc.health.v1.Health/Check", request, self.health.HealthCheckResponse
        )
        return self.health.HealthCheckResponse.ServingStatus.Name(answer.status)


def expect_status(call, code, reason):
    """The error that `call` must end with."""
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code() == code, f"expected {code.name}, got {error.code().name}: "
               f"{error.details()}")
        trailers = {key: value for key, value in (error.trailing_metadata() or ())}
        if reason is not None:
            expect(
                trailers.get(REASON_KEY) == reason,
                f"expected reason {reason}, got {trailers.get(REASON_KEY)}",
            )
        return error
    raise Broken(f"expected {code.name}, but the call succeeded")


def metric_key(measurement):
    return f"{measurement.metric}[{measurement.target}]" if measurement.target else (
        measurement.metric)


def scores(trial, metrics):
    """Values turned so that larger is better; None when one is missing."""
    values = {metric_key(m): m.value for m in trial.measured}
    turned = []
    for key in metrics:
        if key not in values:
            return None
        higher = key.split("[")[0] in HIGHER_IS_BETTER
        turned.append(values[key] if higher else -values[key])
    return turned


def dominates(a, b):
    return all(x >= y for x, y in zip(a, b)) and any(x > y for x, y in zip(a, b))


def check_front(client, name):
    """The front is exactly the set of succeeded trials that no succeeded trial dominates."""
    front = client.get_front(name)
    metrics = list(front.metrics)
    expect(metrics, "the front does not say what was compared")
    succeeded = [
        trial
        for trial in client.list_trials(name)
        if trial.state == client.types.TRIAL_STATE_SUCCEEDED
    ]
    expect(succeeded, "no trial succeeded")
    points = {trial.number: scores(trial, metrics) for trial in succeeded}
    complete = {number: point for number, point in points.items() if point is not None}
    expect(len(complete) == len(points), "a succeeded trial lacks a measurement of an objective")
    best = {
        number
        for number, point in complete.items()
        if not any(dominates(other, point) for other in complete.values())
    }
    told = {trial.number for trial in front.trials}
    expect(told == best, f"the front has trials {sorted(told)}, the true one {sorted(best)}")
    others = {trial.number for trial in front.dominated}
    expect(others == set(complete) - best, "the dominated trials are not the other succeeded ones")
    first = [scores(trial, metrics)[0] for trial in front.trials]
    expect(first == sorted(first, reverse=True), "the front is not best first by its first metric")
    expect(front.hypervolume >= 0, "the hypervolume is negative")
    return front


def wait_until_finished(client, name, timeout_s):
    """The ended study; an ended one must have completed."""
    give_up = time.monotonic() + timeout_s
    final = {
        client.types.STUDY_STATE_COMPLETED,
        client.types.STUDY_STATE_FAILED,
        client.types.STUDY_STATE_STOPPED,
    }
    while True:
        study = client.get_study(name)
        if study.state in final:
            break
        expect(time.monotonic() < give_up, f"the study has not ended after {timeout_s} s")
        time.sleep(0.2)
    state = client.types.StudyState.Name(study.state)
    expect(
        study.state == client.types.STUDY_STATE_COMPLETED,
        f"the study ended as {state}: {study.message}",
    )
    expect(study.finished_ms >= study.created_ms, "the study ended before it began")
    return study


def print_front(front):
    for trial in front.trials:
        values = {metric_key(m): m.value for m in trial.measured}
        shown = "  ".join(f"{key} {values[key]:.6g}" for key in front.metrics)
        print(f"trial {trial.number:4d}  {shown}")
    print(
        f"front of {len(front.trials)} among {len(front.trials) + len(front.dominated)}, "
        f"hypervolume {front.hypervolume:.6g}"
    )


def check_repeated_requests(client, request_id, config, name):
    again = client.create_study(request_id, config)
    expect(again.name == name, "the repeated request answered with another study")
    other = config + "\n// another body\n"
    expect_status(
        lambda: client.create_study(request_id, other),
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
    )
    expect_status(
        lambda: client.create_study(str(uuid.uuid4()), config),
        grpc.StatusCode.ALREADY_EXISTS,
        None,
    )


def check_errors(client):
    expect_status(
        lambda: client.get_study("no-such-study"), grpc.StatusCode.NOT_FOUND, None
    )
    error = expect_status(
        lambda: client.create_study(str(uuid.uuid4()), '{"name": "x", "sead": 1}'),
        grpc.StatusCode.INVALID_ARGUMENT,
        None,
    )
    expect("sead" in error.details(), f"the error does not name the wrong key: {error.details()}")


def run(arguments, folder):
    client_modules = generate(folder)
    config = arguments.study.read_text()
    with grpc.insecure_channel(
        arguments.server,
        options=[("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)],
    ) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=CALL_SECONDS)
        except grpc.FutureTimeoutError:
            raise Broken(f"no server at {arguments.server}") from None
        client = Client(channel, client_modules)
        status = client.health_status()
        expect(status == "SERVING", f"the health service says {status}")
        check_errors(client)

        request_id = str(uuid.uuid4())
        study = client.create_study(request_id, config)
        expect(json.loads(study.config_json)["name"] == study.name, "the configuration has "
               "another name than the study")
        check_repeated_requests(client, request_id, config, study.name)
        wait_until_finished(client, study.name, arguments.timeout)
        print_front(check_front(client, study.name))
        # The answer is kept after the end, too.
        check_repeated_requests(client, request_id, config, study.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("server", help="HOST:PORT of a running search-server")
    parser.add_argument("study", type=pathlib.Path, help="file with one study")
    parser.add_argument(
        "--timeout", type=float, default=600, help="how long the study may take, s [default: 600]"
    )
    arguments = parser.parse_args()
    if not arguments.study.is_file():
        parser.error(f"{arguments.study}: no such file")
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(arguments, folder)
        except Broken as broken:
            print(f"interop: {broken}", file=sys.stderr)
            return 1
        except grpc.RpcError as error:
            print(f"interop: {error.code().name}: {error.details()}", file=sys.stderr)
            return 1
    print("interop: everything held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
