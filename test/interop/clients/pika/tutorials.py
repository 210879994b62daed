"""Every step of RabbitMQ's tutorials, as a client sees it."""
import pika
from session import *

persistent = pika.BasicProperties(delivery_mode=2)


def hello_world():
    sender, receiver = connect().channel(), connect().channel()
    show("hello declare", reply(sender.queue_declare("hello")))
    sender.basic_publish("", "hello", b"Hello World!")
    eventually(sender, "hello", 1)
    got, tag = take(receiver, 1, queue="hello", auto_ack=True)
    show("hello received", message(*got[0]))
    show("hello declared again", reply(sender.queue_declare("hello")))
    show("hello cancel", receiver.basic_cancel(tag))
    sender.connection.close()
    receiver.connection.close()


def work_queues():
    sender = connect().channel()
    sender.queue_declare("task_queue", durable=True)
    workers = [connect().channel() for _ in range(2)]
    held = [[], []]
    for worker, mine in zip(workers, held):
        worker.basic_qos(prefetch_count=1)
        worker.basic_consume("task_queue", lambda ch, m, p, b, mine=mine: mine.append((m, p, b)))
    for i in range(6):
        sender.basic_publish("", "task_queue", b"task %d" % i, persistent)
    for worker, mine in zip(workers, held):
        pump(worker, lambda: len(mine) == 1)
        idle(worker)
        show("work queues, prefetch 1, held by one worker", len(mine))
    show("work queues, first tasks", sorted(b.decode() for mine in held for _, _, b in mine))
    show("work queues, waiting", reply(sender.queue_declare("task_queue", passive=True)))
    quick = held[0]
    for n in range(2, 5):  # one works on, the other never acknowledges
        workers[0].basic_ack(quick[-1][0].delivery_tag)
        pump(workers[0], lambda: len(quick) == n)
        show("work queues, next", message(*quick[-1]))
    slow = held[1][0][2].decode()
    workers[1].connection.close()
    workers[0].basic_ack(quick[-1][0].delivery_tag)
    pump(workers[0], lambda: len(quick) == 5)
    show("work queues, the lost worker's task again", quick[-1][2].decode() == slow, "redelivered", quick[-1][0].redelivered)
    workers[0].basic_ack(quick[-1][0].delivery_tag)
    pump(workers[0], lambda: len(quick) == 6)
    workers[0].basic_ack(quick[-1][0].delivery_tag)
    settle(workers[0])
    workers[0].connection.close()
    show("work queues, at the end", reply(sender.queue_delete("task_queue")))
    sender.connection.close()


def publish_subscribe():
    sender = connect().channel()
    show("logs exchange", reply(sender.exchange_declare("logs", "fanout")))
    subscribers = [connect().channel() for _ in range(2)]
    tapped = []
    for s in subscribers:
        declared = s.queue_declare("", exclusive=True)
        show("logs queue", reply(declared))
        show("logs bind", reply(s.queue_bind(declared.method.queue, "logs")))
        tapped.append(declared.method.queue)
    sender.basic_publish("logs", "", b"info: to all")
    sender.basic_publish("logs", "ignored", b"info: to all again")
    for s, q in zip(subscribers, tapped):
        got, _ = take(s, 2, queue=q, auto_ack=True)
        for g in got:
            show("logs received", message(*g))
        s.connection.close()
    sender.exchange_delete("logs")
    sender.connection.close()


def routing(kind, exchange, subscriptions, sent):
    sender = connect().channel()
    sender.exchange_declare(exchange, kind)
    for name, keys in subscriptions.items():
        sender.queue_declare(name)
        for key in keys:
            sender.queue_bind(name, exchange, key)
    for key in sent:
        sender.basic_publish(exchange, key, key.encode())
    settle(sender)
    for name in subscriptions:
        drain(f"{exchange} {name}", sender, name)
        sender.queue_delete(name)
    sender.exchange_delete(exchange)
    sender.connection.close()


def rpc():
    server, client = connect().channel(), connect().channel()
    server.queue_declare("rpc_queue")
    server.basic_qos(prefetch_count=1)

    def answer(ch, method, props, body):
        ch.basic_publish("", props.reply_to, b"%d" % (int(body) ** 2), pika.BasicProperties(correlation_id=props.correlation_id))
        ch.basic_ack(method.delivery_tag)

    server.basic_consume("rpc_queue", answer)
    callback = client.queue_declare("", exclusive=True).method.queue
    replies = []
    client.basic_consume(callback, lambda ch, m, p, b: replies.append((m, p, b)), auto_ack=True)
    for n in range(3):
        client.basic_publish("", "rpc_queue", b"%d" % n, pika.BasicProperties(reply_to=callback, correlation_id=f"call {n}"))
        idle(server)
        pump(client, lambda: len(replies) == n + 1)
        show("rpc", message(*replies[-1]))
    server.queue_delete("rpc_queue")
    server.connection.close()
    client.connection.close()


def confirms():
    channel = connect().channel()
    show("confirms select", reply(channel.confirm_delivery()))
    channel.queue_declare("confirmed", durable=True)
    for i in range(10):
        channel.basic_publish("", "confirmed", b"%d" % i, persistent, mandatory=True)
    show("confirms", reply(channel.queue_declare("confirmed", passive=True)))
    try:
        channel.basic_publish("", "nobody's", b"lost", persistent, mandatory=True)
        show("confirms, unroutable", "accepted")
    except pika.exceptions.UnroutableError as e:
        show("confirms, unroutable", [message(r.method, r.properties, r.body) for r in e.messages])
    channel.queue_declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    for i in range(2):
        try:
            channel.basic_publish("", "full", b"%d" % i)
            show("confirms, full queue", "accepted")
        except pika.exceptions.NackError as e:
            show("confirms, full queue", "nack", len(e.messages))
    channel.queue_delete("full")
    show("confirms, deleted", reply(channel.queue_delete("confirmed")))
    channel.connection.close()


hello_world()
remove("hello")
work_queues()
publish_subscribe()
routing("direct", "direct_logs", {"errors": ["error"], "all": ["info", "warning", "error"], "twice": ["info", "info"]},
        ["info", "error", "debug", "warning", ""])
routing("topic", "topic_logs", {"orange": ["*.orange.*"], "rabbit": ["*.*.rabbit", "lazy.#"], "every": ["#"], "none": [""], "deep": ["a.#.z"]},
        ["quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox", "lazy.brown.fox", "lazy.pink.rabbit",
         "quick.brown.fox", "orange", "quick.orange.new.rabbit", "lazy.orange.new.rabbit", "lazy", "", "a.z", "a.b.c.z", "a..z", "."])
rpc()
confirms()
