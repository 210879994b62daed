"""The tasks of the worker that work.py starts."""
import os

import celery
from kombu import Exchange, Queue

app = celery.Celery("tasks", broker=os.environ["BROKER"], backend="rpc://")
app.conf.update(
    task_queues=[Queue("work", Exchange("work"), routing_key="work"), Queue("urgent", Exchange("urgent"), routing_key="urgent", max_priority=10)],
    task_default_queue="work", task_default_exchange="work", task_default_routing_key="work",
    task_acks_late=True, worker_prefetch_multiplier=1, broker_connection_retry=False, result_expires=60,
)


@app.task
def add(x, y):
    return x + y


@app.task(bind=True, max_retries=3)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def fail():
    raise ValueError("as asked")
