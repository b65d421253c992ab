"""Drives our agent with the published Python coordinator 0.1.0, unchanged.

Arguments: the port of the agent, the checkout. Prints one JSON object with what it was answered.
"""

import json
import sys
import time

import coord.dispatch
import coord.network
import httpx
from coord.config import Config
from coord.models import Machine, Proposal, Repo

port, checkout = int(sys.argv[1]), sys.argv[2]
# The one thing that its command line cannot set.
coord.network.AGENT_PORT = coord.dispatch.AGENT_PORT = port

machine = Machine(name="lab", host="127.0.0.1", repos=["lab"], repo_paths={"lab": checkout})
config = Config(repos=[Repo(name="lab", github="o/lab")], machines=[machine])


def wait(identity):
    while True:
        status = coord.network.fetch_status(machine)
        for row in status["completed"]:
            if row["id"] == identity:
                return row
        time.sleep(0.05)


def assign(number, title, briefing):
    proposal = Proposal(
        id=number, machine_name="lab", repo_name="lab", issue_number=number,
        issue_title=title, rationale="", files_likely=["a.txt"], briefing=briefing,
    )
    return coord.dispatch.dispatch(proposal, config)


health = coord.network.check_machine(machine)
assert health.is_online, health
repos = coord.network.fetch_repos(machine)

done = assign(1, "Größe: write a file", "steps: commit")
completed = wait(done["id"])
code, log = coord.network.fetch_log(machine, done["id"])
assert code == 200, code
with httpx.stream("GET", f"http://127.0.0.1:{port}/stream/{done['id']}", timeout=30) as answer:
    stream = answer.read().decode()

running = assign(2, "Wait for ever", "steps: sleep")
cancel = httpx.post(f"http://127.0.0.1:{port}/cancel/{running['id']}", timeout=15)
cancelled = wait(running["id"])

print(json.dumps({
    "health": health.health, "repos": repos, "assigned": done, "completed": completed,
    "log": log.decode(), "stream": stream, "cancel": cancel.json(), "cancelled": cancelled,
}))
