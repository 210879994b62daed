"""Where messages go: headers, exchange to exchange, alternate exchanges, CC and BCC,
dead-lettering with x-death, TTL, length limits, priorities."""
import pika
from session import *

P = pika.BasicProperties
ch = connect().channel()


def headers():
    bindings = {
        "all": {"x-match": "all", "a": 1, "b": "two"}, "any": {"x-match": "any", "a": 1, "b": "two"},
        "plain": {"a": 1}, "none": {}, "presence": {"a": None}, "x-ignored": {"x-match": "all", "x-a": 1, "a": 1},
        "all-with-x": {"x-match": "all-with-x", "x-a": 1}, "any-with-x": {"x-match": "any-with-x", "x-a": 1, "z": 1},
        "any none": {"x-match": "any"}, "true": {"a": True},
    }
    ch.exchange_declare("h", "headers")
    for name, args in bindings.items():
        ch.queue_declare(name)
        ch.queue_bind(name, "h", "ignored", args)
    for h in ({}, {"a": 1}, {"a": 1, "b": "two"}, {"b": "two"}, {"a": "1"}, {"a": True}, {"a": None}, {"x-a": 1}, {"x-a": 1, "a": 1}, None):
        ch.basic_publish("h", "k", b"", P(headers=h))
        settle(ch)
        show(f"headers {plain(h)}", [name for name in bindings if fetch(ch, name)])
    remove(*bindings, exchanges=["h"])


def exchange_to_exchange():
    for name, kind in (("e1", "topic"), ("e2", "fanout"), ("e3", "direct")):
        ch.exchange_declare(name, kind)
    for q in ("q1", "q2", "q3"):
        ch.queue_declare(q)
    ch.exchange_bind("e2", "e1", "a.*")
    ch.exchange_bind("e3", "e2")
    ch.exchange_bind("e1", "e3", "a.round")  # a cycle
    ch.queue_bind("q1", "e1", "a.#")
    ch.queue_bind("q2", "e2")
    ch.queue_bind("q3", "e3", "a.b")
    for key in ("a.b", "a.c", "a.b.c", "a.round"):
        ch.basic_publish("e1", key, key.encode())
    settle(ch)
    for q in ("q1", "q2", "q3"):
        drain(f"exchange to exchange {q}", ch, q)
    remove("q1", "q2", "q3", exchanges=["e1", "e2", "e3"])


def alternate():
    ch.exchange_declare("rest", "fanout")
    ch.exchange_declare("x", "direct", arguments={"alternate-exchange": "rest"})
    ch.exchange_declare("astray", "direct", arguments={"alternate-exchange": "missing"})
    for q in ("known", "others"):
        ch.queue_declare(q)
    ch.queue_bind("known", "x", "known")
    ch.queue_bind("others", "rest")
    returned = []
    ch.add_on_return_callback(lambda c, m, p, b: returned.append(message(m, p, b)))
    ch.basic_publish("x", "known", b"1", mandatory=True)
    ch.basic_publish("x", "unknown", b"2", mandatory=True)
    ch.basic_publish("astray", "unknown", b"3", mandatory=True)
    pump(ch, lambda: returned)
    drain("alternate, known", ch, "known")
    drain("alternate, others", ch, "others")
    show("alternate, returned", returned)
    remove("known", "others", exchanges=["x", "rest", "astray"])


def carbon_copies():
    for q in ("a", "b", "c"):
        ch.queue_declare(q)
    ch.basic_publish("", "a", b"mail", P(headers={"CC": ["b", "a"], "BCC": ["c"], "x": 1}))
    settle(ch)
    for q in ("a", "b", "c"):
        drain(f"CC, BCC {q}", ch, q)
    remove("a", "b", "c")


def dead_letters():
    ch.queue_declare("grave")
    ch.exchange_declare("dlx", "fanout")
    ch.queue_bind("grave", "dlx")

    def work(**arguments):
        ch.queue_delete("work")
        ch.queue_declare("work", arguments={"x-dead-letter-exchange": "dlx", **{k.replace("_", "-"): v for k, v in arguments.items()}})

    def buried(step, n=1):
        eventually(ch, "grave", n)
        drain(step, ch, "grave")

    work()
    ch.basic_publish("", "work", b"1", P(headers={"mine": 1, "CC": ["other"]}, expiration="600000"))
    got = ch.basic_get("work")
    ch.basic_reject(got[0].delivery_tag, requeue=False)
    buried("rejected")
    ch.basic_publish("", "work", b"1")
    got = ch.basic_get("work")
    ch.basic_nack(got[0].delivery_tag, requeue=False)
    buried("nacked")
    work(x_dead_letter_routing_key="tomb")
    ch.basic_publish("", "work", b"1", P(expiration="1", headers={"CC": ["other"]}))
    buried("expired by its own time")
    work(x_message_ttl=1)
    ch.basic_publish("", "work", b"1")
    buried("expired by the queue's time")
    work(x_message_ttl=60000)
    ch.basic_publish("", "work", b"1", P(expiration="1"))
    buried("expired, the shorter time")
    work(x_message_ttl=0)
    ch.basic_publish("", "work", b"1")
    buried("expired at once")
    work(x_max_length=2)
    for i in range(4):
        ch.basic_publish("", "work", b"%d" % i)
    buried("max-length", 2)
    drain("max-length, kept", ch, "work")
    work(x_max_length_bytes=10)
    for i in range(4):
        ch.basic_publish("", "work", b"%d23" % i)
    buried("max-length-bytes")
    drain("max-length-bytes, kept", ch, "work")
    work(x_max_length=1, x_overflow="reject-publish-dlx")
    for i in range(2):
        ch.basic_publish("", "work", b"%d" % i)
    buried("reject-publish-dlx")
    drain("reject-publish-dlx, kept", ch, "work")
    work(x_max_length=0)
    ch.basic_publish("", "work", b"none fits")
    buried("max-length 0")
    work()
    ch.basic_publish("", "work", b"1", P(headers={"x-death": "no list"}))
    ch.basic_reject(ch.basic_get("work")[0].delivery_tag, requeue=False)
    buried("an x-death that is none")

    # Through several queues, and round in a cycle.
    ch.queue_declare("one", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "two"})
    ch.queue_declare("two", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "one"})
    ch.basic_publish("", "one", b"round")
    for q in ("one", "two", "one", "two", "one"):
        eventually(ch, q, 1)
        got = ch.basic_get(q)
        show(f"round, at {q}", message(*got))
        ch.basic_reject(got[0].delivery_tag, requeue=False)
    eventually(ch, "two", 1)
    ch.queue_purge("two")
    ch.queue_declare("cycle", arguments={"x-message-ttl": 1000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "cycle"})
    ch.basic_publish("", "cycle", b"round")
    eventually(ch, "cycle", 1)  # RabbitMQ may count before it has the message
    eventually(ch, "cycle", 0)
    show("a cycle without a rejection ends", message(*ch.basic_get("cycle")))
    ch.queue_declare("nowhere", arguments={"x-dead-letter-exchange": "missing"})
    ch.basic_publish("", "nowhere", b"1")
    ch.basic_reject(ch.basic_get("nowhere")[0].delivery_tag, requeue=False)
    show("a missing dead-letter exchange", reply(ch.queue_declare("nowhere", passive=True)))
    remove("work", "grave", "one", "two", "cycle", "nowhere", exchanges=["dlx"])


def expiry():
    ch.queue_declare("short", arguments={"x-expires": 300})
    end = time.time() + PATIENCE
    other = connect()
    while time.time() < end:
        time.sleep(0.6)
        try:
            other.channel().queue_declare("short", passive=True)
        except pika.exceptions.ChannelClosedByBroker as e:
            show("an expired queue", refusal(e))
            break
    other.close()
    ch.queue_declare("q", arguments={"x-message-ttl": 1000})
    ch.basic_publish("", "q", b"gone soon")
    eventually(ch, "q", 1)
    show("before its time", reply(ch.queue_declare("q", passive=True)))
    eventually(ch, "q", 0)
    show("after its time", message(*ch.basic_get("q")))
    ch.basic_publish("", "q", b"held")
    got = ch.basic_get("q")
    time.sleep(1.5)
    ch.basic_nack(got[0].delivery_tag)
    settle(ch)
    eventually(ch, "q", 0)
    show("requeued after its time", message(*ch.basic_get("q")))
    ch.queue_delete("q")


def priorities():
    ch.queue_declare("p", arguments={"x-max-priority": 5})
    for i, priority in enumerate((None, 1, 5, 3, 9, 0, 3, 1)):
        ch.basic_publish("", "p", b"%d" % i, P(priority=priority))
    settle(ch)
    ch.basic_nack(ch.basic_get("p")[0].delivery_tag)
    settle(ch)
    drain("priorities", ch, "p")
    ch.queue_delete("p")


def length():
    ch.queue_declare("l", arguments={"x-max-length": 3})
    for i in range(6):
        ch.basic_publish("", "l", b"%d" % i)
    settle(ch)
    held = [ch.basic_get("l") for _ in range(2)]
    for i in range(6, 9):
        ch.basic_publish("", "l", b"%d" % i)
    settle(ch)
    show("length, unacknowledged ones do not count", reply(ch.queue_declare("l", passive=True)))
    ch.basic_nack(held[-1][0].delivery_tag, multiple=True)
    settle(ch)
    drain("length, after a requeue", ch, "l")
    ch.queue_delete("l")


def quorum():
    ch.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 2, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "grave"})
    ch.queue_declare("grave")
    ch.basic_publish("", "quorum", b"1", P(delivery_mode=2))
    eventually(ch, "quorum", 1)
    for _ in range(3):
        got, tag = take(ch, 1, queue="quorum")
        show("quorum", message(*got[0]))
        ch.basic_cancel(tag)
        ch.basic_nack(got[0][0].delivery_tag)
        settle(ch)
    eventually(ch, "grave", 1)
    drain("quorum, beyond the delivery limit", ch, "grave")
    remove("quorum", "grave")


for step in (headers, exchange_to_exchange, alternate, carbon_copies, dead_letters, expiry, priorities, length, quorum):
    step()
ch.connection.close()
