package command

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/vfs/faulty"
)

// answers is a bus that keeps what is published.
type answers struct {
	bus.Bus
	mu   sync.Mutex
	all  []control.Outcome
	keys []string
}

func (a *answers) Publish(_ context.Context, _ string, m *bus.Message) error {
	var o control.Outcome
	if err := control.Decode(m, &o); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all, a.keys = append(a.all, o), append(a.keys, m.Key)
	return nil
}

// agent is a runner with what it logs and answers.
type agent struct {
	*Runner
	answers *answers
	log     bytes.Buffer
}

func newAgent(t *testing.T, disk *faulty.FS, key ed25519.PrivateKey, allow ...[]string) *agent {
	t.Helper()
	a := &agent{answers: &answers{}}
	cfg := DefaultConfig()
	cfg.Key, cfg.Allow = base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)), allow
	var err error
	a.Runner, err = New(cfg, Deps{
		Bus: a.answers, Logger: slog.New(slog.NewTextHandler(&a.log, nil)), FS: disk, Dir: "/agent", Host: "web01", Groups: []string{"web"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func request(t *testing.T, key ed25519.PrivateKey, c control.Command) *bus.Message {
	t.Helper()
	c.Timeout, c.ReplyTo = config.Duration(time.Minute), control.ReplyKey("x")
	m, err := control.Encode(control.CommandType, "host.web01", &c)
	if err != nil {
		t.Fatal(err)
	}
	control.Sign(m, key)
	return m
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// take hands a message over and returns the last state answered, "" for no answer.
func (a *agent) take(t *testing.T, m *bus.Message) control.State {
	t.Helper()
	before := len(a.answers.all)
	a.Take(t.Context(), m)
	a.Wait()
	if len(a.answers.all) == before {
		return ""
	}
	return a.answers.all[len(a.answers.all)-1].State
}

func disk(t *testing.T) *faulty.FS {
	t.Helper()
	d := faulty.New()
	if err := d.MkdirAll("/agent"); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTake(t *testing.T) {
	key, now := newKey(t), time.Now()
	echo := []string{"/bin/echo", "status", "*"}
	good := control.Command{ID: "1", Issued: now, Groups: []string{"web"}, Argv: []string{"echo", "status", "nginx"}}
	with := func(change func(*control.Command)) *bus.Message {
		c := good
		change(&c)
		return request(t, key, c)
	}
	altered := request(t, key, good)
	altered.Body = bytes.Replace(altered.Body, []byte("nginx"), []byte("other"), 1)
	for _, c := range []struct {
		name string
		m    *bus.Message
		want control.State
		says string // in the log
	}{
		{"allowed", request(t, key, good), control.Done, "remote command taken"},
		{"not allowed", with(func(c *control.Command) { c.Argv = []string{"/bin/rm", "-r", "/x"} }), control.Denied, "not allowed by this agent's configuration"},
		{"more arguments", with(func(c *control.Command) { c.Argv = []string{"echo", "status", "a", "b"} }), control.Denied, "not allowed"},
		{"an option for a name", with(func(c *control.Command) { c.Argv = []string{"echo", "status", "-e"} }), control.Denied, "not allowed"},
		{"another program of that name", with(func(c *control.Command) { c.Argv = []string{"/tmp/echo", "status", "a"} }), control.Denied, "not allowed"},
		{"altered", altered, "", "not signed by the server's key, or altered"},
		{"another key", request(t, newKey(t), good), "", "not signed by the server's key"},
		{"stale", with(func(c *control.Command) { c.Issued = now.Add(-3 * time.Minute) }), control.Denied, "stale"},
		{"of the future", with(func(c *control.Command) { c.Issued = now.Add(3 * time.Minute) }), control.Denied, "stale"},
		{"another group", with(func(c *control.Command) { c.Groups = []string{"db"} }), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAgent(t, disk(t), key, echo)
			if got := a.take(t, c.m); got != c.want || !strings.Contains(a.log.String(), c.says) {
				t.Errorf("state %q, want %q; log\n%s\nwant %q in it", got, c.want, &a.log, c.says)
			}
		})
	}
	if got := newAgent(t, disk(t), key).take(t, request(t, key, good)); got != control.Denied {
		t.Errorf("nothing allowed: state %q", got)
	}
}

// TestReplay: a request runs once, also after a power cut.
func TestReplay(t *testing.T) {
	key, d := newKey(t), disk(t)
	m := request(t, key, control.Command{ID: "1", Issued: time.Now(), All: true, Argv: []string{"echo"}})
	a := newAgent(t, d, key, []string{"/bin/echo"})
	if got := a.take(t, m); got != control.Done {
		t.Fatalf("state %q, log\n%s", got, &a.log)
	}
	for _, b := range []*agent{a, newAgent(t, d.Kill(), key, []string{"/bin/echo"})} {
		if got := b.take(t, m); got != "" || !strings.Contains(b.log.String(), "replayed") {
			t.Errorf("again: state %q, log\n%s", got, &b.log)
		}
	}
}
