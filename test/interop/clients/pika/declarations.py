"""Declaring, redeclaring and deleting: what is fine and what is refused, with
which code and text."""
import pika
from session import *

owner = connect()
mine = owner.channel()
mine.queue_declare("exclusive", exclusive=True)
mine.queue_declare("plain")
mine.queue_declare("durable", durable=True)
mine.queue_declare("limited", arguments={"x-max-length": 10, "x-message-ttl": 60000})
mine.queue_declare("consumed")
mine.basic_consume("consumed", lambda *a: None, consumer_tag="first", exclusive=True)
mine.queue_declare("shared")
mine.basic_consume("shared", lambda *a: None, consumer_tag="second")
mine.queue_declare("filled")
mine.basic_publish("", "filled", b"1")
mine.exchange_declare("x", "direct", durable=True)
mine.exchange_declare("bound", "fanout")
mine.queue_bind("plain", "bound")
mine.exchange_declare("within", "fanout", internal=True)
settle(mine)

# Queues.
attempt("declare again", lambda ch: ch.queue_declare("plain"))
attempt("declare again, another durable", lambda ch: ch.queue_declare("plain", durable=True))
attempt("declare again, another auto_delete", lambda ch: ch.queue_declare("plain", auto_delete=True))
attempt("declare again, not durable", lambda ch: ch.queue_declare("durable"))
attempt("declare again, same arguments", lambda ch: ch.queue_declare("limited", arguments={"x-max-length": 10, "x-message-ttl": 60000}))
attempt("declare again, no arguments", lambda ch: ch.queue_declare("limited"))
attempt("declare again, another length", lambda ch: ch.queue_declare("limited", arguments={"x-max-length": 11, "x-message-ttl": 60000}))
attempt("declare again, one argument missing", lambda ch: ch.queue_declare("limited", arguments={"x-max-length": 10}))
attempt("declare again, one argument more", lambda ch: ch.queue_declare("limited", arguments={"x-max-length": 10, "x-message-ttl": 60000, "x-expires": 60000}))
attempt("declare again, an unknown argument", lambda ch: ch.queue_declare("plain", arguments={"x-unknown": 1}))
attempt("declare another's exclusive queue", lambda ch: ch.queue_declare("exclusive", exclusive=True))
attempt("declare passive another's exclusive queue", lambda ch: ch.queue_declare("exclusive", passive=True))
attempt("bind another's exclusive queue", lambda ch: ch.queue_bind("exclusive", "amq.fanout"))
attempt("get from another's exclusive queue", lambda ch: message(*ch.basic_get("exclusive")))
attempt("consume another's exclusive queue", lambda ch: ch.basic_consume("exclusive", print))
attempt("purge another's exclusive queue", lambda ch: ch.queue_purge("exclusive"))
attempt("delete another's exclusive queue", lambda ch: ch.queue_delete("exclusive"))
attempt("declare passive", lambda ch: ch.queue_declare("limited", passive=True))
attempt("declare passive, other settings", lambda ch: ch.queue_declare("limited", passive=True, durable=True, arguments={"x-max-length": 1}))
attempt("declare passive, missing", lambda ch: ch.queue_declare("missing", passive=True))
attempt("declare reserved", lambda ch: ch.queue_declare("amq.mine"))
attempt("declare passive reserved", lambda ch: ch.queue_declare("amq.mine", passive=True))
attempt("declare a long name", lambda ch: ch.queue_declare("n" * 255))
attempt("declare unicode", lambda ch: ch.queue_declare("Häschen"))
for name in ("n" * 255, "Häschen"):
    attempt(f"delete {name[:5]}", lambda ch: ch.queue_delete(name))
attempt("delete missing", lambda ch: ch.queue_delete("missing"))
attempt("delete if unused, used", lambda ch: ch.queue_delete("consumed", if_unused=True))
attempt("delete if empty, filled", lambda ch: ch.queue_delete("filled", if_empty=True))
attempt("purge missing", lambda ch: ch.queue_purge("missing"))
attempt("purge", lambda ch: ch.queue_purge("filled"))
attempt("purge empty", lambda ch: ch.queue_purge("filled"))
attempt("no queue was declared", lambda ch: ch.queue_purge(""))
attempt("get, no queue was declared", lambda ch: message(*ch.basic_get("")))
attempt("bind, no queue was declared", lambda ch: ch.queue_bind("", "amq.direct"))

BAD = {
    "x-message-ttl": [-1, "60", 1.5, 2 ** 40, True],
    "x-expires": [0, -1, "60"],
    "x-max-length": [-1, "60", 0],
    "x-max-length-bytes": [-1, "60"],
    "x-overflow": ["drop-tail", 5],
    "x-dead-letter-exchange": [5],
    "x-dead-letter-routing-key": [5, "alone"],
    "x-max-priority": [-1, 256, "5", 0],
    "x-single-active-consumer": ["true", 1],
    "x-queue-mode": ["lazy", "eager", 5],
    "x-queue-type": ["nonsense", 5],
    "x-queue-version": [1, 3],
    "x-queue-master-locator": ["client-local"],
}
for name, values in BAD.items():
    for value in values:
        attempt(f"declare {name}={value!r}", lambda ch: ch.queue_declare("bad", auto_delete=True, arguments={name: value}))
        remove("bad")
attempt("declare quorum, not durable", lambda ch: ch.queue_declare("bad", arguments={"x-queue-type": "quorum"}))
attempt("declare quorum, exclusive", lambda ch: ch.queue_declare("bad", durable=True, exclusive=True, arguments={"x-queue-type": "quorum"}))
attempt("declare quorum, auto-delete", lambda ch: ch.queue_declare("bad", durable=True, auto_delete=True, arguments={"x-queue-type": "quorum"}))
attempt("declare quorum, priorities", lambda ch: ch.queue_declare("bad", durable=True, arguments={"x-queue-type": "quorum", "x-max-priority": 3}))
remove("bad")

# Exchanges.
attempt("exchange again", lambda ch: ch.exchange_declare("x", "direct", durable=True))
attempt("exchange again, another type", lambda ch: ch.exchange_declare("x", "fanout", durable=True))
attempt("exchange again, another durable", lambda ch: ch.exchange_declare("x", "direct"))
attempt("exchange again, another auto_delete", lambda ch: ch.exchange_declare("x", "direct", durable=True, auto_delete=True))
attempt("exchange again, another internal", lambda ch: ch.exchange_declare("x", "direct", durable=True, internal=True))
attempt("exchange again, with an alternate", lambda ch: ch.exchange_declare("x", "direct", durable=True, arguments={"alternate-exchange": "y"}))
attempt("exchange passive", lambda ch: ch.exchange_declare("x", passive=True))
attempt("exchange passive, missing", lambda ch: ch.exchange_declare("missing", passive=True))
attempt("exchange of an unknown type", lambda ch: ch.exchange_declare("bad", "nonsense"))
attempt("exchange reserved", lambda ch: ch.exchange_declare("amq.mine", "direct"))
attempt("exchange predeclared", lambda ch: ch.exchange_declare("amq.direct", "direct", durable=True))
attempt("exchange predeclared, another type", lambda ch: ch.exchange_declare("amq.direct", "fanout", durable=True))
attempt("exchange default", lambda ch: ch.exchange_declare("", "direct", durable=True))
attempt("exchange default passive", lambda ch: ch.exchange_declare("", passive=True))
attempt("exchange with a bad alternate", lambda ch: ch.exchange_declare("bad", "direct", arguments={"alternate-exchange": 5}))
attempt("delete exchange missing", lambda ch: ch.exchange_delete("missing"))
attempt("delete exchange predeclared", lambda ch: ch.exchange_delete("amq.direct"))
attempt("delete exchange default", lambda ch: ch.exchange_delete(""))
attempt("delete exchange if unused, used", lambda ch: ch.exchange_delete("bound", if_unused=True))
for kind in ("direct", "fanout", "topic", "headers", "match"):
    attempt(f"exchange amq.{kind}", lambda ch: ch.exchange_declare(f"amq.{kind}", passive=True))

# Bindings.
attempt("bind", lambda ch: ch.queue_bind("plain", "x", "k"))
attempt("bind again", lambda ch: ch.queue_bind("plain", "x", "k"))
attempt("bind a missing queue", lambda ch: ch.queue_bind("missing", "x", "k"))
attempt("bind to a missing exchange", lambda ch: ch.queue_bind("plain", "missing", "k"))
attempt("bind to the default exchange", lambda ch: ch.queue_bind("plain", "", "k"))
attempt("unbind", lambda ch: ch.queue_unbind("plain", "x", "k"))
attempt("unbind again", lambda ch: ch.queue_unbind("plain", "x", "k"))
attempt("unbind a missing queue", lambda ch: ch.queue_unbind("missing", "x", "k"))
attempt("unbind from a missing exchange", lambda ch: ch.queue_unbind("plain", "missing", "k"))
attempt("unbind from the default exchange", lambda ch: ch.queue_unbind("plain", "", "plain"))
attempt("bind exchange", lambda ch: ch.exchange_bind("bound", "x", "k"))
attempt("bind exchange to itself", lambda ch: ch.exchange_bind("x", "x", "k"))
attempt("bind a missing exchange", lambda ch: ch.exchange_bind("missing", "x", "k"))
attempt("bind exchange to a missing one", lambda ch: ch.exchange_bind("x", "missing", "k"))
attempt("bind exchange to the default", lambda ch: ch.exchange_bind("x", "", "k"))
attempt("bind the default exchange", lambda ch: ch.exchange_bind("", "x", "k"))
attempt("unbind exchange", lambda ch: ch.exchange_unbind("bound", "x", "k"))
attempt("unbind exchange again", lambda ch: ch.exchange_unbind("bound", "x", "k"))
attempt("bind headers, bad x-match", lambda ch: ch.queue_bind("plain", "amq.headers", "", {"x-match": "some"}))
attempt("bind headers, number as x-match", lambda ch: ch.queue_bind("plain", "amq.headers", "", {"x-match": 5}))
attempt("bind headers, no x-match", lambda ch: ch.queue_bind("plain", "amq.headers", "", {"a": 5}))

# Publishing and consuming.


def publish(exchange, key="k", properties=None, **how):
    def run(ch):
        ch.basic_publish(exchange, key, b"body", properties, **how)
        settle(ch)
        return "accepted"
    return run


attempt("publish to a missing exchange", publish("missing"))
attempt("publish to an internal exchange", publish("within"))
attempt("publish, wrong user id", publish("", "plain", pika.BasicProperties(user_id="bob")))
attempt("publish, own user id", publish("", "plain", pika.BasicProperties(user_id="guest")))
attempt("publish, expiration no number", publish("", "plain", pika.BasicProperties(expiration="soon")))
attempt("publish, expiration negative", publish("", "plain", pika.BasicProperties(expiration="-1")))
attempt("publish, expiration empty", publish("", "plain", pika.BasicProperties(expiration="")))
attempt("publish, expiration too long", publish("", "plain", pika.BasicProperties(expiration="99999999999999")))
attempt("publish, expiration with spaces", publish("", "plain", pika.BasicProperties(expiration=" 5")))
attempt("publish, CC no list", publish("", "plain", pika.BasicProperties(headers={"CC": "other"})))
attempt("publish, BCC no strings", publish("", "plain", pika.BasicProperties(headers={"BCC": [5]})))
attempt("publish, priority 255", publish("", "plain", pika.BasicProperties(priority=255)))
attempt("consume a missing queue", lambda ch: ch.basic_consume("missing", print))
attempt("consume an exclusively consumed queue", lambda ch: ch.basic_consume("consumed", print))
attempt("consume exclusively a consumed queue", lambda ch: ch.basic_consume("shared", print, exclusive=True))
attempt("get from a missing queue", lambda ch: message(*ch.basic_get("missing")))
attempt("consume, bad priority", lambda ch: ch.basic_consume("shared", print, arguments={"x-priority": "high"}))
attempt("ack an unknown tag", lambda ch: (ch.basic_ack(1), settle(ch), "accepted")[2])
attempt("ack all of nothing", lambda ch: (ch.basic_ack(0, multiple=True), settle(ch), "accepted")[2])
attempt("ack up to an unknown tag", lambda ch: (ch.basic_ack(5, multiple=True), settle(ch), "accepted")[2])
attempt("nack an unknown tag", lambda ch: (ch.basic_nack(1), settle(ch), "accepted")[2])
attempt("reject an unknown tag", lambda ch: (ch.basic_reject(1), settle(ch), "accepted")[2])
attempt("prefetch by size", lambda ch: ch.basic_qos(prefetch_size=1))
attempt("recover without requeue", lambda ch: ch.basic_recover(False))
attempt("recover", lambda ch: ch.basic_recover(True))
attempt("flow off", lambda ch: str(ch.flow(False)))
attempt("flow on", lambda ch: str(ch.flow(True)))
attempt("confirms in a transaction", lambda ch: (ch.tx_select(), ch.confirm_delivery())[1])
attempt("transaction with confirms", lambda ch: (ch.confirm_delivery(), ch.tx_select())[1])
attempt("commit without a transaction", lambda ch: ch.tx_commit())
attempt("rollback without a transaction", lambda ch: ch.tx_rollback())

# Logging in.
attempt("wrong password", lambda ch: "in", password="wrong")
attempt("unknown user", lambda ch: "in", user="nobody")
attempt("unknown vhost", lambda ch: "in", vhost="nowhere")
attempt("frame_max too small", lambda ch: "in", frame_max=4096)
attempt("channel_max 1", lambda ch: (ch.connection.channel(), "in")[1], channel_max=1)

# Auto-delete.
ch = owner.channel()
ch.queue_declare("auto", auto_delete=True)
tag = ch.basic_consume("auto", lambda *a: None)
ch.basic_cancel(tag)
attempt("auto-delete queue after its last consumer", lambda ch: ch.queue_declare("auto", passive=True))
ch.exchange_declare("auto.x", "fanout", auto_delete=True)
ch.queue_bind("plain", "auto.x")
ch.queue_unbind("plain", "auto.x")
attempt("auto-delete exchange after its last binding", lambda ch: ch.exchange_declare("auto.x", passive=True))
ch.exchange_declare("auto.y", "fanout", auto_delete=True)
ch.queue_declare("bound to auto.y")
ch.queue_bind("bound to auto.y", "auto.y")
ch.queue_delete("bound to auto.y")
attempt("auto-delete exchange after its last queue", lambda ch: ch.exchange_declare("auto.y", passive=True))
ch.exchange_declare("auto.z", "fanout", auto_delete=True)
attempt("auto-delete exchange never bound", lambda ch: ch.exchange_declare("auto.z", passive=True))
owner.close()
attempt("exclusive queue after its connection", lambda ch: ch.queue_declare("exclusive", passive=True))

remove("plain", "durable", "limited", "consumed", "shared", "filled", exchanges=["x", "bound", "within", "auto.z"])
