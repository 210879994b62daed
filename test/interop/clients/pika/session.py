"""What the programs in this folder share: connecting to the broker that the
command line names, and printing what a client sees, one line for each step."""
import datetime
import sys
import time

import pika
from pika import exceptions

PORT = int(sys.argv[1])
PATIENCE = 30  # seconds


def connect(user="guest", password="guest", vhost="/", **more):
    """Opens a connection of its own."""
    return pika.BlockingConnection(pika.ConnectionParameters(
        "127.0.0.1", PORT, vhost, pika.PlainCredentials(user, password), **more))


def show(step, *seen):
    print(f"{step}: " + " ".join(str(s) for s in seen), flush=True)


def plain(value):
    """Renders a field of a table: dictionaries by key, times without their value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {plain(v)}" for k, v in sorted(value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(plain(v) for v in value) + "]"
    if isinstance(value, datetime.datetime):
        return "TIME"
    return repr(value)


def properties(p):
    """Renders those properties of a message that are set."""
    return plain({k: v for k, v in vars(p).items() if v is not None})


def message(method, props, body):
    """Renders a delivery, an answer to basic.get, or a return."""
    if method is None:
        return "nothing"
    seen = {k: v for k, v in vars(method).items() if k not in ("consumer_tag",)}
    if len(body) > 60:
        body = b"%d bytes" % len(body)
    return f"{type(method).__name__} {plain(seen)} {properties(props)} {body!r}"


def reply(frame):
    """Renders the broker's answer to a method."""
    method = getattr(frame, "method", frame)
    if method is None:
        return "done"
    return f"{type(method).__name__} {plain(vars(method))}"


def attempt(step, action, **login):
    """Runs action(channel) on a connection of its own and shows what it returns, or
    the exception that the broker answers with."""
    try:
        connection = connect(**login)
    except exceptions.AMQPError as e:
        show(step, "cannot connect:", refusal(e))
        return
    try:
        seen = action(connection.channel())
        show(step, seen if isinstance(seen, str) else reply(seen))
    except exceptions.AMQPError as e:
        show(step, refusal(e))
    finally:
        if connection.is_open:
            connection.close()


def refusal(e):
    kind = type(e).__name__
    if isinstance(e, (exceptions.ConnectionClosed, exceptions.ChannelClosed)):
        return f"{kind} {e.reply_code} {e.reply_text}"
    return f"{kind} {e}"


def settle(channel):
    """Makes a round trip, after which an exception for what was sent before is here."""
    channel.basic_qos(prefetch_count=0)


def eventually(channel, queue, messages):
    """Waits until a queue holds so many ready messages."""
    end = time.time() + PATIENCE
    while True:
        n = channel.queue_declare(queue, passive=True).method.message_count
        if n == messages:
            return
        if time.time() > end:
            raise SystemExit(f"queue {queue} has {n} messages, not {messages}")
        time.sleep(0.02)


def fetch(channel, queue, n=1000):
    """Takes up to n messages out of a queue."""
    out = []
    while len(out) < n:
        got = channel.basic_get(queue, auto_ack=True)
        if got[0] is None:
            break
        out.append(got)
    return out


def drain(step, channel, queue):
    """Shows all that a queue holds."""
    for i, got in enumerate(fetch(channel, queue)):
        show(f"{step} {i}", message(*got))
    show(f"{step} end", "empty")


def take(channel, n, **how):
    """Consumes n messages and returns them."""
    got = []

    def receive(ch, method, props, body):
        got.append((method, props, body))

    tag = channel.basic_consume(on_message_callback=receive, **how)
    pump(channel, lambda: len(got) >= n)
    return got, tag


def pump(channel, done):
    """Processes what arrives until done() holds."""
    end = time.time() + PATIENCE
    while not done():
        if time.time() > end:
            raise SystemExit("waited too long")
        channel.connection.process_data_events(time_limit=0.05)


def idle(channel, seconds=0.3):
    """Processes what arrives for a while: to see that nothing does."""
    channel.connection.process_data_events(time_limit=seconds)


def remove(*queues, exchanges=()):
    connection = connect()
    channel = connection.channel()
    for q in queues:
        channel.queue_delete(q)
    for x in exchanges:
        channel.exchange_delete(x)
    connection.close()
