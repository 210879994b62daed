// Package redis carries the bus on a Redis, or on what speaks its protocol. How
// AMQP's nouns are kept there:
//
//	exchange, queue, binding   entries of one hash, {thump}:topology, that all share
//	queue of a fanout          a consumer group of the stream {thump}:exchange:EXCHANGE
//	any other queue            the one group of the stream {thump}:queue:QUEUE
//	server-named queue         channels: {thump}:live:EXCHANGE for a fanout, else {thump}:live:EXCHANGE:KEY
//	publish, confirm           a script: XADD to each stream, PUBLISH to each channel; its reply
//	no queue is bound          no stream, and PUBLISH reached nobody
//	ack, reject                XACK; XADD to the dead-letter queue's stream and XACK
//	redelivery                 XCLAIM of what consumers without a lease have pending
//	exclusive                  a lease in {thump}:exclusive:QUEUE, renewed every second, void after five
//	x-max-length, drop-head    XTRIM; what a group had not dealt with is counted in {thump}:lost
//
// docs/bus.md says the same to people, and what differs.
package redis

import (
	"context"
	"errors"
	"fmt"

	"thump/internal/bus"
	"thump/internal/bus/redis/streams"
)

// Transport is Redis as a transport of the bus.
func Transport() bus.Transport { return transport{} }

type transport struct{}

// Schemes implements bus.Transport.
func (transport) Schemes() []string { return streams.Schemes }

// Dial implements bus.Transport.
func (transport) Dial(cfg bus.Config, o bus.Options) bus.Dial {
	s := &shared{cfg: cfg, opts: o, metrics: newMetrics(o.Registerer, o.Name)}
	return s.dial
}

// shared is what the links of one bus have in common.
type shared struct {
	cfg     bus.Config
	opts    bus.Options
	metrics *metrics
}

func (s *shared) dial(ctx context.Context, rawURL string) (bus.Link, error) {
	if len(s.cfg.URLs) > 1 {
		return nil, errors.New("several URLs of Redis: its servers go into one URL, redis-sentinel://… or redis-cluster://… with &addr=HOST:PORT")
	}
	l, err := s.open(ctx, rawURL)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", bus.Redact(rawURL), err)
	}
	return l, nil
}
