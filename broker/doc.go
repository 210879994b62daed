// Package broker is the second stage: it takes what agents publish and hands it
// to every subscriber's queue. It is an AMQP 0-9-1 server that RabbitMQ's
// clients drive unchanged.
//
// The work is split in four. Package amqp is the wire, this package the session
// (listener, connection, channel), package vhost the semantics (exchanges,
// queues, bindings), package journal the storage. RabbitMQ 4.x is the reference
// for whatever the specification leaves open.
//
// A connection has two goroutines: one reads and owns the session's state, one
// writes what any queue has encoded into the connection's buffer. The lock order
// is vhost, queue, connection.
package broker
