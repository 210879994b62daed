package agent

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"thump/agent/spool"
	"thump/internal/telemetry"
)

// outbox makes batches into messages, spools them and hands them to the publisher.
type outbox struct {
	// Static after construction.
	host, group string
	boot        string // names this start of the agent
	spool       *spool.Spool
	publisher   *publisher

	mu  sync.Mutex // guards all below, and the order of what is handed on
	enc telemetry.Encoder
	seq uint64
}

func newOutbox(cfg *Config, s *spool.Spool, p *publisher) *outbox {
	var boot [8]byte
	rand.Read(boot[:]) // never fails
	return &outbox{host: cfg.Host, group: cfg.Group, boot: hex.EncodeToString(boot[:]), spool: s, publisher: p}
}

// put takes what one run of a probe read at t; the series may be reused afterwards.
func (o *outbox) put(probe string, interval time.Duration, t time.Time, series []telemetry.Series) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seq++
	m := o.enc.Encode(&telemetry.Batch{
		Host: o.host, Group: o.group, Probe: probe, Interval: interval,
		Boot: o.boot, Seq: o.seq, Time: t, Series: series,
	})
	o.publisher.offer(item{ref: o.spool.Append(m), message: m})
}
