"""A Celery worker with its client, and kombu by itself: what they see, one line for
each step."""
import os
import signal
import socket
import subprocess
import sys
import time

PORT = int(sys.argv[1])
os.environ["BROKER"] = f"amqp://guest:guest@127.0.0.1:{PORT}//"
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)

import celery
from kombu import Connection, Consumer, Exchange, Queue

from tasks import add, app, fail, flaky

PATIENCE = 60


def show(step, *seen):
    print(f"{step}: " + " ".join(repr(s) for s in seen), flush=True)


def with_celery():
    worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool=threads", "--concurrency=2", "-n", "worker@localhost", "-l", "ERROR"],
                              cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "C_FORCE_ROOT": "1"})
    try:
        show("add", add.delay(2, 3).get(timeout=PATIENCE))
        show("many", [r.get(timeout=PATIENCE) for r in [add.delay(i, i) for i in range(20)]])
        show("group", celery.group(add.s(i, 1) for i in range(5))().get(timeout=PATIENCE))
        show("chain", celery.chain(add.s(1, 2), add.s(10))().get(timeout=PATIENCE))
        show("retried", flaky.delay().get(timeout=PATIENCE))
        show("urgent", add.apply_async((4, 4), queue="urgent", priority=9).get(timeout=PATIENCE))
        show("countdown", add.apply_async((5, 5), countdown=0.2).get(timeout=PATIENCE))
        failed = fail.delay()
        show("failed", failed.get(timeout=PATIENCE, propagate=False), failed.status)
        show("ping", app.control.ping(timeout=2))
        show("registered", [sorted(t for t in names if not t.startswith("celery.")) for answer in app.control.inspect(timeout=2).registered().values() for names in [answer]])
        revoked = add.apply_async((1, 1), countdown=3600)
        app.control.revoke(revoked.id)
        show("revoked", revoked.id in str(app.control.inspect(timeout=2).revoked()))
    finally:
        worker.send_signal(signal.SIGTERM)
        show("worker ends", worker.wait(PATIENCE))


def with_kombu():
    with Connection(os.environ["BROKER"]) as connection:
        exchange = Exchange("kombu", type="topic", durable=False)
        queue = Queue("kombu", exchange, routing_key="a.#", durable=False)
        producer = connection.Producer(serializer="json")
        for key in ("a", "a.b", "b", "a.b.c"):
            producer.publish({"key": key}, exchange=exchange, routing_key=key, declare=[queue], headers={"h": 1}, expiration=60, compression="zlib")
        got = []

        def receive(body, message):
            got.append((body, message.delivery_info["routing_key"], message.delivery_info["redelivered"], message.headers, message.properties.get("expiration")))
            message.reject() if len(got) == 2 else message.ack()

        with Consumer(connection, [queue], callbacks=[receive], accept=["json"]):
            while len(got) < 3:
                connection.drain_events(timeout=PATIENCE)
        for g in got:
            show("kombu received", *g)
        try:
            connection.drain_events(timeout=0.3)
            show("kombu", "more came")
        except socket.timeout:
            show("kombu", "nothing more")
        simple = connection.SimpleQueue("kombu.simple")
        simple.put("hello")
        message = simple.get(timeout=PATIENCE)
        show("kombu simple", message.payload)
        message.requeue()
        message = simple.get(timeout=PATIENCE)
        show("kombu requeued", message.payload, message.delivery_info["redelivered"])
        message.ack()
        show("kombu left", simple.qsize())
        simple.close()
        simple.queue.delete()
        show("kombu deleted", queue(connection).delete())
        exchange(connection).delete()


with_celery()
with_kombu()
