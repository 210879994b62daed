"""How messages reach a client: acknowledging, prefetch, redelivery, basic.get,
returns, consumer cancellation, transactions and confirms."""
import decimal

import pika
from session import *

P = pika.BasicProperties


def fill(ch, queue, n, **declare):
    ch.queue_declare(queue, **declare)
    for i in range(n):
        ch.basic_publish("", queue, b"%d" % i)
    settle(ch)


def get():
    ch = connect().channel()
    fill(ch, "q", 4)
    show("get", message(*ch.basic_get("q")))
    show("get", message(*ch.basic_get("q")))
    show("get no ack", message(*ch.basic_get("q", auto_ack=True)))
    ch.basic_nack(2)
    show("get, requeued", message(*ch.basic_get("q")))
    ch.basic_reject(1)
    show("get, requeued first", message(*ch.basic_get("q")))
    show("recover", reply(ch.basic_recover(True)))
    for _ in range(4):
        show("get after recover", message(*ch.basic_get("q")))
    ch.basic_ack(0, multiple=True)
    show("get, all is acknowledged", message(*ch.basic_get("q")))
    ch.queue_delete("q")
    ch.connection.close()


def requeue_order():
    ch = connect().channel()
    fill(ch, "q", 6)
    for _ in range(5):
        ch.basic_get("q")
    for tag in (4, 2, 1):
        ch.basic_reject(tag)
    ch.basic_nack(5, multiple=True)
    settle(ch)
    drain("requeued in any order", ch, "q")
    fill(ch, "q", 6)
    held, _ = take(ch, 6, queue="q")
    ch.connection.close()
    ch = connect().channel()
    eventually(ch, "q", 6)
    drain("after the connection's end", ch, "q")
    ch.queue_delete("q")
    ch.connection.close()


def prefetch():
    ch = connect().channel()
    fill(ch, "q", 10)
    ch.basic_qos(prefetch_count=3)
    got, tag = take(ch, 3, queue="q")
    idle(ch)
    show("prefetch of a consumer", len(got))
    ch.basic_ack(got[-1][0].delivery_tag, multiple=True)
    pump(ch, lambda: len(got) == 6)
    idle(ch)
    show("prefetch, after an ack of all", len(got), [g[0].delivery_tag for g in got])
    ch.basic_cancel(tag)
    ch.connection.close()
    ch = connect().channel()
    eventually(ch, "q", 7)
    ch.basic_qos(prefetch_count=4, global_qos=True)
    a, _ = take(ch, 4, queue="q", consumer_tag="a")
    b = []
    ch.basic_consume("q", lambda c, m, p, x: b.append(m), consumer_tag="b")
    idle(ch)
    show("prefetch of a channel", len(a), len(b))
    ch.basic_qos(prefetch_count=6, global_qos=True)
    pump(ch, lambda: len(a) + len(b) == 6)
    show("prefetch of a channel, raised", len(a) + len(b))
    ch.connection.close()
    remove("q")


def round_robin():
    ch = connect().channel()
    ch.queue_declare("q")
    seen = []
    for tag in ("a", "b", "c"):
        ch.basic_consume("q", lambda c, m, p, b: seen.append(f"{m.consumer_tag}{b.decode()}"), consumer_tag=tag, auto_ack=True)
    for i in range(9):
        ch.basic_publish("", "q", b"%d" % i)
    pump(ch, lambda: len(seen) == 9)
    show("round robin", seen)
    ch.queue_delete("q")
    ch.connection.close()


def priorities_of_consumers():
    ch = connect().channel()
    ch.queue_declare("q")
    ch.basic_qos(prefetch_count=2)
    seen = []
    for tag, priority in (("low", -5), ("none", None), ("high", 10)):
        ch.basic_consume("q", lambda c, m, p, b: seen.append(m.consumer_tag), consumer_tag=tag,
                         arguments=None if priority is None else {"x-priority": priority})
    for i in range(7):
        ch.basic_publish("", "q", b"%d" % i)
    pump(ch, lambda: len(seen) == 6)
    show("consumer priorities", sorted(seen[:2]), sorted(seen[2:4]), sorted(seen[4:]))
    ch.connection.close()
    remove("q")


def cancellation():
    ch, other = connect().channel(), connect().channel()
    other.queue_declare("q")
    seen = []
    ch.add_on_cancel_callback(lambda frame: seen.append(reply(frame)))
    ch.basic_consume("q", print, consumer_tag="mine")
    other.queue_delete("q")
    pump(ch, lambda: seen)
    show("cancelled by the broker", seen)
    show("cancel again", ch.basic_cancel("mine"))
    show("the channel lives", reply(ch.queue_declare("q", auto_delete=True)))
    ch.connection.close()
    other.queue_delete("q")
    other.connection.close()


def single_active():
    ch, other = connect().channel(), connect().channel()
    ch.queue_declare("q", arguments={"x-single-active-consumer": True})
    first, second = [], []
    ch.basic_consume("q", lambda c, m, p, b: first.append(b), auto_ack=True)
    other.basic_consume("q", lambda c, m, p, b: second.append(b), auto_ack=True)
    for i in range(4):
        ch.basic_publish("", "q", b"%d" % i)
    pump(ch, lambda: len(first) == 4)
    show("single active consumer", first, second)
    ch.connection.close()
    ch = connect().channel()
    ch.basic_publish("", "q", b"next")
    pump(other, lambda: second)
    show("single active consumer, the next", second)
    other.connection.close()
    ch.queue_delete("q")
    ch.connection.close()


def returns():
    ch = connect().channel()
    seen = []
    ch.add_on_return_callback(lambda c, m, p, b: seen.append(message(m, p, b)))
    ch.basic_publish("", "nobody's", b"lost", P(content_type="text/plain", headers={"a": 1}), mandatory=True)
    ch.basic_publish("amq.direct", "nobody's", b"", mandatory=True)
    ch.basic_publish("amq.direct", "nobody's", b"dropped")
    pump(ch, lambda: len(seen) == 2)
    for s in seen:
        show("returned", s)
    ch.connection.close()


def transactions():
    ch, other = connect().channel(), connect().channel()
    ch.queue_declare("q", durable=True)
    show("tx.select", reply(ch.tx_select()))
    ch.basic_publish("", "q", b"one", P(delivery_mode=2))
    show("before the commit", reply(other.queue_declare("q", passive=True)))
    show("commit", reply(ch.tx_commit()))
    show("after the commit", reply(other.queue_declare("q", passive=True)))
    ch.basic_publish("", "q", b"two", P(delivery_mode=2))
    show("rollback", reply(ch.tx_rollback()))
    ch.tx_commit()
    show("after the rollback", reply(other.queue_declare("q", passive=True)))
    got = ch.basic_get("q")
    ch.basic_ack(got[0].delivery_tag)
    ch.tx_rollback()
    ch.basic_ack(got[0].delivery_tag)
    show("ack again after the rollback", reply(ch.tx_commit()))
    ch.basic_publish("missing", "q", b"three")
    try:
        show("commit of a publish to a missing exchange", reply(ch.tx_commit()))
    except pika.exceptions.AMQPError as e:
        show("commit of a publish to a missing exchange", refusal(e))
    ch.connection.close()
    show("at the end", reply(other.queue_delete("q")))
    other.connection.close()


def direct_reply():
    server, client = connect().channel(), connect().channel()
    server.queue_declare("rpc")
    replies = []
    client.basic_consume("amq.rabbitmq.reply-to", lambda c, m, p, b: replies.append((m, p, b)), auto_ack=True)
    client.basic_publish("", "rpc", b"ask", P(reply_to="amq.rabbitmq.reply-to", correlation_id="7"))
    got, _ = take(server, 1, queue="rpc", auto_ack=True)
    address = got[0][1].reply_to
    show("direct reply-to", address.startswith("amq.rabbitmq.reply-to."))
    server.basic_publish("", address, b"answer", P(correlation_id="7"))
    pump(client, lambda: replies)
    m, p, b = replies[0]
    show("direct reply", m.exchange == "" and m.routing_key == address, m.redelivered, properties(p), b)
    show("passive declare of an address", server.queue_declare(address, passive=True).method.queue == address)
    client.connection.close()
    server.queue_delete("rpc")
    server.connection.close()
    attempt("direct reply-to, with acks", lambda ch: ch.basic_consume("amq.rabbitmq.reply-to", print))
    attempt("direct reply-to, no consumer", lambda ch: (ch.basic_publish("", "rpc", b"", P(reply_to="amq.rabbitmq.reply-to")), settle(ch))[1])


def what_properties_survive():
    ch = connect().channel()
    ch.queue_declare("q")
    everything = P("text/plain", "gzip", {"s": "text", "n": 5, "big": 2 ** 40, "d2": decimal.Decimal("1.5"), "t": True, "none": None, "l": [1, "a", {"x": []}],
                   "d": {"nested": {"deep": 1}}, "bytes": b"\x00\xff"}, 2, 9, "correlation", "reply", "60000", "id", 1700000000, "type", "guest", "app", "cluster")
    for body in (b"", b"x", b"y" * 131064, b"z" * 131065, b"w" * 500000):
        ch.basic_publish("", "q", body, everything)
        show(f"a body of {len(body)} bytes", message(*ch.basic_get("q", auto_ack=True)))
    ch.queue_delete("q")
    ch.connection.close()


for step in (get, requeue_order, prefetch, round_robin, priorities_of_consumers, cancellation, single_active, returns,
             transactions, direct_reply, what_properties_survive):
    step()
