package broker

import (
	"net"
	"sync"
	"time"
)

// How logins are slowed down: each that fails doubles the wait of the next from
// the same address, up to the longest.
const (
	firstLoginWait   = 25 * time.Millisecond
	longestLoginWait = time.Second
	loginMemory      = time.Minute // after which an address is as good as new
	maxLoginPeers    = 10000       // addresses remembered; beyond, all are forgotten
)

// throttle remembers the addresses that have failed to log in.
type throttle struct {
	mu    sync.Mutex
	peers map[string]failedLogins
}

type failedLogins struct {
	count int
	last  time.Time
}

// fail notes a failed login and returns how long its answer has to wait.
func (t *throttle) fail(peer net.Addr, now time.Time) time.Duration {
	host := hostOf(peer)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.peers == nil || len(t.peers) >= maxLoginPeers {
		t.peers = make(map[string]failedLogins)
	}
	f := t.peers[host]
	if now.Sub(f.last) > loginMemory {
		f.count = 0
	}
	f.count++
	f.last = now
	t.peers[host] = f
	return min(firstLoginWait<<min(f.count-1, 10), longestLoginWait)
}

// succeed forgets an address.
func (t *throttle) succeed(peer net.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.peers, hostOf(peer))
}

func hostOf(peer net.Addr) string {
	host, _, err := net.SplitHostPort(peer.String())
	if err != nil {
		return peer.String()
	}
	return host
}
