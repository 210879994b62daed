package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestInstancesNotifyOnce runs alerting twice, each a process with a queue of its
// own: people are told once, a silence holds in both, and when the first is
// killed the second tells.
func TestInstancesNotifyOnce(t *testing.T) {
	if os.Getenv("THUMP_LONG_TESTS") == "" {
		t.Skip("takes a minute: set THUMP_LONG_TESTS=1")
	}
	h, dir, a := newHook(t), t.TempDir(), ports(t, 6)
	rules, config := filepath.Join(dir, "orders.yml"), filepath.Join(dir, "alertmanager.yml")
	write(t, rules, orderRules)
	write(t, config, fmt.Sprintf(hookOnly, h.server.URL))
	broker := launch(t, "thump", "broker", "--data-dir", filepath.Join(dir, "broker"), "--amqp", a[0], "--http", a[1], "--management", "127.0.0.1:0")
	eventually(t, 20*time.Second, "broker ready", func() error { return getOK(t.Context(), "http://"+a[1]+"/readyz") })
	start := func(name, addr, gossip string) *daemon {
		d := launch(t, "thump", "alerting", "--data-dir", filepath.Join(dir, "data"+name), "--bus", "amqp://guest:guest@"+a[0]+"/", "--http", addr,
			"--rules", rules, "--alertmanager-config", config,
			"--alerting-cluster-listen", gossip, "--alerting-cluster-peer", a[4]+","+a[5], "--alerting-cluster-name", name)
		eventually(t, 20*time.Second, "alerting ready", func() error { return getOK(t.Context(), "http://"+addr+"/readyz") })
		return d
	}
	first, second := start("", a[2], a[4]), start("b", a[3], a[5])
	for _, addr := range a[2:4] {
		eventually(t, 40*time.Second, "two members, settled", func() error { return members(addr, 2) })
	}
	b := connect(t, "amqp://guest:guest@"+a[0]+"/")
	orders(t, b, 101)
	h.expect(t, "firing")
	for _, addr := range a[2:4] {
		eventually(t, 20*time.Second, "both know it", func() error { return fires("http://" + addr) })
	}
	h.silent(t, 18*time.Second) // the second waits 15 s for the first
	orders(t, b, 3)
	h.expect(t, "resolved")
	h.silent(t, 3*time.Second) // meanwhile the first tells the second by gossip

	// The one that is left tells, whichever of the two notified before.
	first.kill()
	orders(t, b, 102)
	h.expectWithin(t, "firing", 60*time.Second)
	h.silent(t, 3*time.Second)
	second.stop()
	broker.stop()
}

// members checks how many instances one sees, and that it is ready to notify.
func members(addr string, want int) error {
	res, err := http.Get("http://" + addr + "/api/v2/status")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var s struct {
		Cluster struct {
			Status string
			Peers  []any
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		return err
	}
	if len(s.Cluster.Peers) != want || s.Cluster.Status != "ready" {
		return fmt.Errorf("%d members, %s", len(s.Cluster.Peers), s.Cluster.Status)
	}
	return nil
}

func fires(url string) error {
	res, err := http.Get(url + "/api/v2/alerts")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var all []any
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		return err
	}
	if len(all) != 1 {
		return errors.New("does not fire")
	}
	return nil
}
