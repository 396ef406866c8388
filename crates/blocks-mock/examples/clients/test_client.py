"""Shows Python tests that send requests to `blocks mock` and use its control plane, with pytest."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest


def call(method, url, body=None, key=None):
    """Sends one request, and returns the status and the decoded body."""
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"ApiKey {key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture(scope="module")
def server():
    blocks = os.environ.get("BLOCKS", "blocks")
    process = subprocess.Popen(
        [blocks, "mock", "--quiet", "--reply-after", "1h"], stdout=subprocess.PIPE, text=True
    )
    exports = process.stdout.readline() + process.stdout.readline()
    yield re.search(r"BASE_URL=(\S+)", exports)[1], re.search(r"API_KEY=(\S+)", exports)[1]
    process.terminate()
    process.wait()


@pytest.fixture(autouse=True)
def reset(server):
    assert call("POST", server[0] + "/_mock/reset")[0] == 200


def create(server, message):
    url, key = server
    return call("POST", url + "/rest/v1/sessions", {"message": message, "agent_name": "claude"}, key)


def test_a_failed_create_has_taken_effect(server):
    fault = {"status": {"status": 503, "body": '{"error": "try later"}', "after_effect": True}}
    rule = {"operation": "createSession", "when": {"times": 1}, "fault": fault}
    assert call("POST", server[0] + "/_mock/faults", rule)[0] == 200
    assert create(server, "Go.") == (503, {"error": "try later"})
    sessions = call("GET", server[0] + "/_mock/sessions")[1]["items"]
    assert [session["title"] for session in sessions] == ["Go."]


def test_a_turn_is_finished_by_the_test(server):
    url, key = server
    _, session = create(server, "Go.")
    final = re.sub(r"^https?://[^/]+", url, session["_links"]["final_message"]["href"])
    assert call("GET", final, key=key)[1]["items"] == []
    finish = f"{url}/_mock/sessions/{session['id']}/finish"
    assert call("POST", finish, {"text": "Three hearts."})[0] == 200
    assert call("GET", final, key=key)[1]["items"][0]["message"] == "Three hearts."
    requests = call("GET", url + "/_mock/requests/wait?operation=listThreadMessages&count=2")[1]
    assert [request["status"] for request in requests["items"]] == [200, 200]


def test_no_requests_and_faults_are_left(server):
    assert call("GET", server[0] + "/_mock/requests")[1]["items"] == []
    assert call("GET", server[0] + "/_mock/faults")[1]["items"] == []
