// Package amqp is the broker's wire format: the frames, methods, field tables,
// message properties and exceptions of AMQP 0-9-1 with RabbitMQ's extensions.
// It turns bytes into values and back; it never sees a socket and starts no
// goroutine.
//
// The methods are generated from the specification that the client library
// ships; the rest is written by hand.
package amqp

//go:generate go run ./internal/gen -o methods_gen.go
