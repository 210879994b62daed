import sys, pika

channel = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, "thump.metrics")
for n, (method, properties, body) in enumerate(channel.consume(queue, auto_ack=True), 1):
    print(method.routing_key, properties.headers["host"], properties.headers["probe"], properties.timestamp, len(body))
    if n == int(sys.argv[2]):
        break
