// Package vhost is the broker's semantics: the exchanges, queues, bindings and
// consumers of one virtual host. It never sees a socket, a frame or a file:
// sessions call it and receive deliveries through Receiver, durable messages go
// through the journal, durable definitions through Definitions.
//
// # Who owns what
//
// Definitions (which exchanges, queues and bindings exist) change under VHost.mu.
// Publishers never take that lock: they read persistent maps and immutable
// matchers through atomic pointers, which the holder of VHost.mu replaces.
// What a queue holds, and to whom it gives it, is guarded by Queue.mu alone.
//
// Lock order: VHost.life (timers only), VHost.mu, then Queue.mu, then the locks of a Receiver. The
// journal's locks are leaves. No queue's lock is held while another queue's is
// taken: what falls out of a queue is dead-lettered after its lock is released.
//
// # A message
//
// A publish borrows its bytes. A message that a waiting consumer takes without
// acknowledgement is never copied; any other is copied once, for all queues. A
// message in the journal needs no copy at all: beyond the memory budget, and
// while it is unacknowledged, a queue remembers only its journal id.
package vhost
