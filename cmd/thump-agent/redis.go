//go:build redis

package main

import (
	"thump/internal/bus"
	"thump/internal/bus/redis"
)

// transports besides AMQP. Redis makes the program a quarter larger: it is built
// in by -tags redis (make agent-redis).
func transports() []bus.Transport { return []bus.Transport{redis.Transport()} }
