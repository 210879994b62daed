package management

import (
	"context"
	"sync"
	"time"

	"thump/broker"
)

// sampleInterval is how often the counters are read, RabbitMQ's default.
const sampleInterval = 5 * time.Second

// rates keeps two samples of all counters. A rate is what a counter grew between
// them, so that it is a steady number however often the API is asked.
type rates struct {
	broker *broker.Broker // static

	mu           sync.Mutex
	before, last *sample // guarded by mu; themselves immutable
}

// sample is all counters at one moment, by the key of their object.
type sample struct {
	at    time.Time
	stats map[string][]stat
}

func (r *rates) run(ctx context.Context) {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	r.take(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			r.take(now)
		}
	}
}

func (r *rates) take(now time.Time) {
	s := &sample{at: now, stats: map[string][]stat{}}
	total := newTotals(r.broker)
	s.stats[keyOverview] = total.messageStats
	s.stats[keyLengths] = total.lengths
	s.stats[keyChurn] = total.churn
	s.stats[keyNode] = nodeStats()
	for _, v := range r.broker.VHosts() {
		exchanges := v.Exchanges()
		state := v.State()
		s.stats[key("vhost", v.Name())] = vhostStats(state, exchanges)
		s.stats[key("vhost lengths", v.Name())] = lengths(state.Ready, state.Unacked)
		for _, x := range exchanges {
			s.stats[key("exchange", v.Name(), x.Name)] = exchangeStats(x)
		}
		for _, q := range v.Queues() {
			s.stats[key("queue", v.Name(), q.Name)] = queueStats(q)
			s.stats[key("queue lengths", v.Name(), q.Name)] = lengths(q.Ready, q.Unacked)
		}
	}
	for _, c := range r.broker.Details() {
		s.stats[key("connection", c.Name)] = connectionStats(c)
		for _, ch := range c.ChannelList {
			s.stats[key("channel", channelName(c, ch))] = channelStats(ch)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before, r.last = r.last, s
}

// Keys of what there is one of.
const (
	keyOverview = "overview"
	keyLengths  = "overview lengths"
	keyChurn    = "churn"
	keyNode     = "node"
)

func key(kind string, names ...string) string {
	for _, n := range names {
		kind += "\x00" + n
	}
	return kind
}

// put writes numbers into o, each with its rate, which come from the samples of
// the key.
func (r *rates) put(o object, key string, stats []stat) {
	r.mu.Lock()
	before, last := r.before, r.last
	r.mu.Unlock()
	for i, s := range stats {
		o[s.name] = s.value
		o[s.name+"_details"] = object{"rate": growth(before, last, key, i)}
	}
}

// growth is how fast a number grew from one sample to the other, per second.
func growth(before, last *sample, key string, i int) rate {
	if before == nil || last == nil {
		return 0
	}
	a, b := before.stats[key], last.stats[key]
	seconds := last.at.Sub(before.at).Seconds()
	if i >= len(b) || seconds <= 0 {
		return 0
	}
	grown := b[i].value
	if i < len(a) {
		grown -= a[i].value
	}
	return rate(float64(grown) / seconds)
}

// putMessages writes message_stats, unless nothing has happened yet.
func (r *rates) putMessages(o object, key string, stats []stat) {
	if nothing(stats) {
		return
	}
	m := object{}
	r.put(m, key, stats)
	o["message_stats"] = m
}
