import json, sys, pika

connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
channel = connection.channel()
channel.confirm_delivery()
metric = {"name": sys.argv[2], "labels": {"shop": "7"}, "value": float(sys.argv[3])}
channel.basic_publish("thump.metrics", "shop.till.orders", json.dumps(metric),
                      pika.BasicProperties(content_type="application/json", delivery_mode=2), mandatory=True)
connection.close()
