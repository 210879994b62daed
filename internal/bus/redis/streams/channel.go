package streams

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// Ear listens to channels. It is not repaired: an error of Next ends it.
type Ear struct{ ps *redis.PubSub }

// quiet is how long a channel may say nothing before the server is asked whether
// it is still there.
const quiet = 5 * time.Second

// Listen subscribes to channels and patterns and returns once all of them are
// taken up.
func (s *Store) Listen(ctx context.Context, channels, patterns []string) (*Ear, error) {
	// The client picks the node of a cluster by the first channel, and its first
	// use dials.
	ps := s.rdb.Subscribe(ctx, channels...)
	if len(patterns) > 0 {
		if err := ps.PSubscribe(ctx, patterns...); err != nil {
			return nil, errors.Join(err, ps.Close())
		}
	}
	for range len(channels) + len(patterns) {
		if _, err := ps.ReceiveTimeout(ctx, quiet); err != nil {
			return nil, errors.Join(err, ps.Close())
		}
	}
	return &Ear{ps}, nil
}

// Close ends it; Next returns.
func (e *Ear) Close() error { return e.ps.Close() }

// Next waits for what is said next.
func (e *Ear) Next(ctx context.Context) (*redis.Message, error) {
	asked := false
	for {
		m, err := e.ps.ReceiveTimeout(ctx, quiet)
		var slow net.Error
		switch {
		case errors.As(err, &slow) && slow.Timeout() && !asked && ctx.Err() == nil:
			asked = true
			if err := e.ps.Ping(ctx); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return nil, err
		}
		asked = false
		if m, ok := m.(*redis.Message); ok {
			return m, nil
		}
	}
}

// Unpack reads what Publish sends to a channel: each field with its length
// before it, four bytes, big-endian.
func Unpack(payload string) ([]string, error) {
	var fields []string
	for b := []byte(payload); len(b) > 0; {
		if len(b) < 4 {
			return nil, errors.New("cut off in a length")
		}
		n := binary.BigEndian.Uint32(b)
		if uint64(n) > uint64(len(b)-4) {
			return nil, fmt.Errorf("a field of %d bytes in %d", n, len(b)-4)
		}
		fields = append(fields, string(b[4:4+n]))
		b = b[4+n:]
	}
	return fields, nil
}
