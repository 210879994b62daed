package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/alertmanager/cluster"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// Cluster is how several instances find each other: Alertmanager's gossip shares
// silences, what was notified, and acknowledgements, so that people are told once.
type Cluster struct {
	Listen string   // address of the gossip, TCP and UDP; empty: this one is alone
	Peers  []string // addresses of some of the others
}

const (
	// peerTimeout is how long the second instance waits for the first to say that
	// it has notified, and each further one for those before it.
	peerTimeout = 15 * time.Second
	// leaveTimeout bounds the farewell.
	leaveTimeout = time.Second
)

// join opens the gossip; it is nil if this instance is alone.
func (c *Cluster) join(log *slog.Logger, reg prometheus.Registerer) (*cluster.Peer, error) {
	if c.Listen == "" {
		return nil, nil
	}
	p, err := cluster.Create(log, reg, c.Listen, "", c.Peers, true,
		cluster.DefaultPushPullInterval, cluster.DefaultGossipInterval, cluster.DefaultTCPTimeout, cluster.DefaultResolvePeersTimeout,
		cluster.DefaultProbeTimeout, cluster.DefaultProbeInterval, nil, false, "", "")
	if err != nil {
		return nil, fmt.Errorf("open the gossip of alerting on %s: %w", c.Listen, err)
	}
	return p, nil
}

// share gives the peers what changes here, besides the disk.
func (n *Notifier) share(notified, silenced func()) {
	tellNotified, tellSilenced := func([]byte) {}, func([]byte) {}
	n.gossipAcks = func() {}
	if n.peer != nil {
		tellNotified = n.peer.AddState("nfl", n.nflog, n.reg).Broadcast
		tellSilenced = n.peer.AddState("sil", n.silences, n.reg).Broadcast
		acks := n.peer.AddState("ack", acksState{n}, n.reg)
		n.gossipAcks = func() {
			if b, err := (acksState{n}).MarshalBinary(); err == nil {
				acks.Broadcast(b)
			}
		}
	}
	n.nflog.SetBroadcast(func(b []byte) { notified(); tellNotified(b) })
	n.silences.SetBroadcast(func(b []byte) { silenced(); tellSilenced(b) })
}

// gossip takes part until ctx ends.
func (n *Notifier) gossip(ctx context.Context) {
	if n.peer == nil {
		return
	}
	if err := n.peer.Join(cluster.DefaultReconnectInterval, cluster.DefaultReconnectTimeout); err != nil {
		n.log.Warn("no other instance of alerting is reachable, trying again", "err", err)
	}
	n.peer.Settle(ctx, 10*cluster.DefaultGossipInterval)
	<-ctx.Done()
	if err := n.peer.Leave(leaveTimeout); err != nil {
		n.log.Debug("left the other instances without a farewell", "err", err)
	}
}

// wait is how long this instance leaves it to those before it to notify.
func (n *Notifier) wait() time.Duration {
	if n.peer == nil {
		return 0
	}
	return time.Duration(n.peer.Position()) * peerTimeout
}

// settling is what the pipeline waits for at the start; nil: nothing.
func (n *Notifier) settling() amnotify.Peer {
	if n.peer == nil {
		return nil
	}
	return n.peer
}

// member is this instance as Alertmanager's API shows it; nil if it is alone.
func (n *Notifier) member() cluster.ClusterPeer {
	if n.peer == nil {
		return nil
	}
	return n.peer
}

// Leads tells whether this is the instance, of several, that publishes.
func (n *Notifier) Leads() bool { return n.peer == nil || n.peer.Position() == 0 }

// acksState is the acknowledgements as peers exchange them.
type acksState struct{ *Notifier }

// MarshalBinary implements cluster.State.
func (s acksState) MarshalBinary() ([]byte, error) {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return json.Marshal(s.ledger.acks)
}

// Merge implements cluster.State: of two acknowledgements the later one holds.
func (s acksState) Merge(b []byte) error {
	var theirs map[model.Fingerprint]Ack
	if err := json.Unmarshal(b, &theirs); err != nil {
		return fmt.Errorf("read acknowledgements of a peer: %w", err)
	}
	for fp, a := range theirs {
		if ours := s.ledger.ack(fp); (ours == nil || ours.At.Before(a.At)) && s.ledger.acknowledge(fp, &a) {
			s.noted()
		}
	}
	return nil
}
