# Ruby's client Bunny: what it sees, one line for each step.
require "bunny"

def show(step, *seen)
  puts "#{step}: #{seen.map(&:inspect).join(' ')}"
end

def tables(headers)
  headers&.map { |k, v| [k, v] }&.sort_by(&:first)
end

def attempt(step, connection)
  channel = connection.create_channel
  show(step, yield(channel))
rescue Bunny::Exception => e
  show(step, e.class, e.message)
ensure
  channel.close if channel&.open?
end

def wait
  200.times { return if yield; sleep 0.05 }
  abort "waited too long"
end

connection = Bunny.new(host: "127.0.0.1", port: ARGV[0].to_i, recovery_attempts: 0, log_level: Logger::FATAL, read_timeout: 30).start
show("heartbeat, channels, frames", connection.heartbeat, connection.channel_max, connection.frame_max)
ch = connection.create_channel
show("confirm", ch.confirm_select.class)

q = ch.queue("bunny", durable: true, arguments: { "x-max-length" => 100, "x-message-ttl" => 600_000 })
10.times { |i| q.publish("message #{i}", persistent: true, headers: { n: i, f: 1.5, s: "text", t: true, l: [1, "a"] }, type: "kind", timestamp: 1_700_000_000) }
show("confirmed", ch.wait_for_confirms, ch.nacked_set.to_a)
show("counts", q.message_count, q.consumer_count)

delivery, properties, body = q.pop(manual_ack: true)
show("pop", delivery.delivery_tag.to_i, delivery.redelivered?, delivery.routing_key, tables(properties[:headers]), properties[:type], properties[:timestamp], body)
ch.nack(delivery.delivery_tag, false, true)
delivery, _, body = q.pop(manual_ack: true)
show("pop again", delivery.redelivered?, body)
ch.ack(delivery.delivery_tag)

ch.prefetch(3)
seen = Queue.new
consumer = q.subscribe(manual_ack: true) { |d, _, b| seen << [d, b] }
wait { seen.size == 3 }
sleep 0.2
show("prefetch", seen.size)
9.times { d, b = seen.pop; show("consumed", d.redelivered?, b); ch.ack(d.delivery_tag) }
show("cancel", consumer.cancel.class)
show("left", q.message_count)
show("pop from an empty queue", q.pop)

returned = Queue.new
x = ch.topic("bunny.topic", auto_delete: true)
x.on_return { |info, p, b| returned << [info.reply_code, info.reply_text, info.exchange, info.routing_key, b] }
x.publish("lost", routing_key: "no.queue", mandatory: true)
show("returned", returned.pop)
tap = ch.queue("", exclusive: true).bind(x, routing_key: "a.*").bind("amq.fanout")
show("server-named", tap.server_named?, tap.name.start_with?("amq.gen-"))
%w[a.b b.a a.b.c].each { |k| x.publish(k, routing_key: k) }
ch.wait_for_confirms
show("topic", tap.pop.last, tap.pop.last)

other = connection.create_channel
cancelled = Queue.new
victim = other.queue("bunny.victim")
victim.subscribe_with(Bunny::Consumer.new(other, victim, "tag").tap { |c| c.on_cancellation { |m| cancelled << m.consumer_tag } })
ch.queue_delete("bunny.victim")
show("cancelled", cancelled.pop)

attempt("another length", connection) { |c| c.queue("bunny", durable: true, arguments: { "x-max-length" => 5 }) }
attempt("a float as length", connection) { |c| c.queue("bunny.bad", arguments: { "x-max-length" => 5.0 }) }
attempt("missing queue", connection) { |c| c.queue("missing", passive: true) }
attempt("missing exchange", connection) { |c| c.exchange("missing", passive: true) }
attempt("transaction", connection) { |c| [c.tx_select, c.tx_commit, c.tx_rollback].map(&:class) }
attempt("recover", connection) { |c| c.basic_recover(true).class }
attempt("queue exists", connection) { connection.queue_exists?("bunny") && !connection.queue_exists?("missing") }
begin
  Bunny.new(host: "127.0.0.1", port: ARGV[0].to_i, pass: "wrong", recovery_attempts: 0, log_level: Logger::FATAL).start
rescue Bunny::Exception => e
  show("wrong password", e.class, e.message)
end
show("delete", q.delete.message_count)
connection.close
show("closed", connection.closed?)
