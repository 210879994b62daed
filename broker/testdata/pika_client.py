"""Drives the broker at argv[1] through pika as the pipeline and its users do."""
import sys

import pika
import pika.exceptions

connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
ch = connection.channel()

# A tap: an exclusive queue of one's own on the fanout exchange.
ch.exchange_declare("py.metrics", "fanout", durable=True)
tap = ch.queue_declare("", exclusive=True).method.queue
assert tap.startswith("amq.gen-"), tap
ch.queue_bind(tap, "py.metrics")
ch.basic_publish("py.metrics", "g.h.cpu", b"batch", pika.BasicProperties(content_type="text/plain", headers={"host": "h", "n": 1}))
method, properties, body = next(ch.consume(tap, inactivity_timeout=10))
assert (body, method.routing_key, properties.headers) == (b"batch", "g.h.cpu", {"host": "h", "n": 1}), (body, method, properties)
ch.basic_ack(method.delivery_tag)
ch.cancel()

# Confirms, persistence, mandatory.
ch.confirm_delivery()
ch.queue_declare("py.durable", durable=True)
ch.basic_publish("", "py.durable", b"kept" * 100000, pika.BasicProperties(delivery_mode=2), mandatory=True)
method, _, body = ch.basic_get("py.durable")
assert body == b"kept" * 100000 and not method.redelivered
ch.basic_nack(method.delivery_tag, requeue=True)
method, _, body = ch.basic_get("py.durable")
assert method.redelivered
ch.basic_reject(method.delivery_tag, requeue=False)
try:
    ch.basic_publish("", "py.nobody", b"x", mandatory=True)
    raise SystemExit("a message for nobody was not returned")
except pika.exceptions.UnroutableError:
    pass

# Prefetch, and requeue by recover.
for i in range(5):
    ch.basic_publish("", "py.durable", b"%d" % i)
ch.basic_qos(prefetch_count=2)
got = []
tag = ch.basic_consume("py.durable", lambda c, m, p, b: got.append(b))
connection.process_data_events(time_limit=0.3)
assert got == [b"0", b"1"], got
ch.basic_recover(requeue=True)
connection.process_data_events(time_limit=0.3)
assert got == [b"0", b"1", b"0", b"1"], got
ch.basic_cancel(tag)

# Exceptions stay on their channel.
for code, wrong in (
    (406, lambda c: c.queue_declare("py.durable", durable=False)),
    (404, lambda c: c.queue_declare("py.none", passive=True)),
    (403, lambda c: c.queue_declare("amq.mine")),
):
    try:
        wrong(connection.channel())
        raise SystemExit(f"no exception {code}")
    except pika.exceptions.ChannelClosedByBroker as e:
        assert e.reply_code == code, e

# Topic routing, exchange to exchange, delete.
ch.exchange_declare("py.topic", "topic")
ch.exchange_bind("py.topic", "py.metrics")
ch.queue_declare("py.disk")
ch.queue_bind("py.disk", "py.topic", "*.h.disk")
ch.basic_publish("py.metrics", "g.h.cpu", b"no")
ch.basic_publish("py.metrics", "g.h.disk", b"yes")
assert ch.basic_get("py.disk", auto_ack=True)[2] == b"yes"
assert ch.basic_get("py.disk", auto_ack=True)[0] is None
ch.queue_delete("py.disk")
ch.queue_delete("py.durable")
ch.exchange_delete("py.topic")
ch.exchange_delete("py.metrics")

# Transactions: publishes and acks become true together.
tx = connection.channel()
tx.queue_declare("py.tx")
tx.tx_select()
tx.basic_publish("", "py.tx", b"rolled back")
tx.tx_rollback()
tx.basic_publish("", "py.tx", b"committed")
assert tx.basic_get("py.tx")[0] is None
tx.tx_commit()
method, _, body = tx.basic_get("py.tx")
assert body == b"committed", body
tx.basic_ack(method.delivery_tag)
tx.tx_rollback()
tx.basic_ack(method.delivery_tag)
tx.tx_commit()
tx.queue_delete("py.tx")

# Direct reply-to.
answers = []
rpc = connection.channel()
rpc.basic_consume("amq.rabbitmq.reply-to", lambda c, m, p, b: answers.append((p.correlation_id, b)), auto_ack=True)
rpc.queue_declare("py.rpc", exclusive=True)
rpc.basic_publish("", "py.rpc", b"ask", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="1"))
_, properties, _ = ch.basic_get("py.rpc", auto_ack=True)
ch.basic_publish("", properties.reply_to, b"answer", pika.BasicProperties(correlation_id=properties.correlation_id))
for _ in range(50):
    if not answers:
        connection.process_data_events(0.1)
assert answers == [("1", b"answer")], answers

# Priorities of messages, and further routing keys.
ch.queue_declare("py.priority", exclusive=True, arguments={"x-max-priority": 3})
for priority in (0, 3, 1):
    ch.basic_publish("", "py.priority", str(priority).encode(), pika.BasicProperties(priority=priority))
assert [ch.basic_get("py.priority", auto_ack=True)[2] for _ in range(3)] == [b"3", b"1", b"0"]
ch.basic_publish("", "py.none", b"cc", pika.BasicProperties(headers={"BCC": ["py.priority"]}))
_, properties, body = ch.basic_get("py.priority", auto_ack=True)
assert body == b"cc" and properties.headers == {}, properties
connection.close()
print("ok")
