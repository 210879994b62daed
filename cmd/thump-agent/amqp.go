//go:build !redis

package main

import "thump/internal/bus"

// transports besides AMQP: none, for a small program.
func transports() []bus.Transport { return nil }
