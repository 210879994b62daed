package pipeline

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.yaml.in/yaml/v3"
)

// command runs one of the programs to its end.
func command(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return o.String(), e.String(), exit.ExitCode()
	}
	return o.String(), e.String(), 0
}

// done is command for one that has to succeed.
func done(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, errs, code := command(t, program, args...)
	if code != 0 {
		t.Fatalf("%s %s: code %d\n%s%s", program, strings.Join(args, " "), code, out, errs)
	}
	return out
}

// invited makes a token and returns the arguments of the line that it prints.
func invited(t *testing.T, data string, args ...string) []string {
	t.Helper()
	line := strings.Fields(done(t, "thump", append([]string{"token", "create", "--data-dir", data}, args...)...))
	if len(line) != 7 || line[0] != "thump-agent" || line[1] != "join" || line[3] != "--token" || line[5] != "--ca-pin" {
		t.Fatalf("token create prints %q", line)
	}
	return line[1:]
}

// member is a host with its own configuration and data.
type member struct{ config, data string }

func newMember(t *testing.T) member {
	dir := t.TempDir()
	return member{filepath.Join(dir, "etc", "agent.yaml"), filepath.Join(dir, "data")}
}

// joining are the arguments by which the host joins, without a service.
func (m member) joining(line []string, host string) []string {
	return append(line, "--host", host, "--config", m.config, "--data-dir", m.data, "--no-service")
}

func (m member) run(t *testing.T) *daemon {
	t.Helper()
	return launch(t, "thump-agent", "run", "--config", m.config)
}

// TestJoin is a new user's way: token, join, the host is seen; revoked, it is out;
// another joins, and leaves.
func TestJoin(t *testing.T) {
	p := up(t, t.TempDir(), "--amqps", "127.0.0.1:0", "--host", "server")
	web, start := newMember(t), time.Now()
	line := invited(t, p.data, "--group", "web,production", "--uses", "2", "--expires", "1h")
	done(t, "thump-agent", web.joining(line, "web01")...)
	if info, err := os.Stat(web.config); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("configuration: %v, %v; want mode 0600", info, err)
	}
	a := web.run(t)
	one(t, p.url(), `up{instance="web01",group="web"} == 1`, 30*time.Second)
	t.Logf("token -> join -> host seen: %v", time.Since(start).Round(time.Millisecond))
	if out := done(t, "thump", "host", "list", "--data-dir", p.data); !regexp.MustCompile(`web01 +web,production `).MatchString(out) {
		t.Errorf("host list prints\n%s", out)
	}
	if out, _, _ := command(t, "thump-agent", "status", "--config", web.config); !strings.Contains(out, "lets this host in") {
		t.Errorf("status prints\n%s", out)
	}
	checkRights(t, web)

	done(t, "thump", "host", "revoke", "--data-dir", p.data, "web01")
	eventually(t, 20*time.Second, "the agent is out", func() error {
		if !strings.Contains(a.log.String(), "the broker refuses name or password") {
			return errors.New("not yet")
		}
		return nil
	})
	a.stop()

	done(t, "thump-agent", newMember(t).joining(line, "web01")...) // its name is free again, and the token has one use left
	db := newMember(t)
	done(t, "thump-agent", db.joining(invited(t, p.data, "--group", "db"), "db01")...)
	b := db.run(t)
	one(t, p.url(), `up{instance="db01",group="db"} == 1`, 30*time.Second)
	if out := done(t, "thump-agent", "leave", "--config", db.config, "--purge"); !strings.Contains(out, "removed this host's login") {
		t.Errorf("leave prints\n%s", out)
	}
	if out := done(t, "thump", "host", "list", "--data-dir", p.data); strings.Contains(out, "db01") {
		t.Errorf("after leaving, host list prints\n%s", out)
	}
	b.stop()
	noSecrets(t, p.log.String()+a.log.String()+b.log.String(), line, db, web)
	p.stop()
}

// TestJoinRefused: each reason has words and a code of its own.
func TestJoinRefused(t *testing.T) {
	p := up(t, t.TempDir(), "--amqps", "127.0.0.1:0", "--host", "server")
	fresh := func() []string { return invited(t, p.data) }
	swap := func(line []string, i int, with string) []string {
		c := append([]string{}, line...)
		c[i] = with
		return c
	}
	const server, token, pin = 1, 3, 5
	used := fresh()
	done(t, "thump-agent", newMember(t).joining(used, "taken")...)
	revoked := fresh()
	done(t, "thump", "token", "revoke", "--data-dir", p.data, strings.Split(revoked[token], "-")[0])
	expired := invited(t, p.data, "--expires", "1s")
	eventually(t, 20*time.Second, "the token expires", func() error {
		if out := done(t, "thump", "token", "list", "--data-dir", p.data); !strings.Contains(out, "expired") {
			return errors.New(out)
		}
		return nil
	})
	good := invited(t, p.data, "--uses", "0")
	joined := newMember(t)
	done(t, "thump-agent", joined.joining(good, "joined")...)
	for _, c := range []struct {
		name string
		line []string
		host string
		code int
		says string
	}{
		{"used up", used, "a", 3, "is used up: it was for 1 hosts"},
		{"revoked", revoked, "a", 3, "was revoked on"},
		{"expired", expired, "a", 3, "expired on"},
		{"wrong secret", swap(good, token, strings.Split(good[token], "-")[0]+"-GUESS"), "a", 3, "token not accepted: it is wrong"},
		{"unknown token", swap(good, token, "00000000-GUESS"), "a", 3, "token not accepted: it is wrong"},
		{"no token", swap(good, token, "guess"), "a", 1, "want ID-SECRET"},
		{"existing host", good, "taken", 4, "host taken has joined already"},
		{"same key", good, "jo.ined", 0, ""},
		{"a name with the same key", good, "jo:ined", 4, "host jo.ined has joined already"},
		{"wrong pin", swap(good, pin, "sha256:"+strings.Repeat("0", 64)), "a", 5, "no certificate that it shows has the pin sha256:000"},
		{"no pin", swap(good, pin, "x"), "a", 1, "want sha256: and 64"},
		{"plain", swap(good, server, "amqp://"+p.amqp), "a", 1, "over TLS only"},
		{"TLS to a plain port", swap(good, server, "amqps://"+p.amqp), "a", 6, "does not speak TLS"},
		{"nobody there", swap(good, server, "amqps://127.0.0.1:1"), "a", 6, "connection refused"},
		{"empty name", good, "\x01", 1, "holds a character that is none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, errs, code := command(t, "thump-agent", newMember(t).joining(c.line, c.host)...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("code %d, want %d; says\n%s\nwant %q in it", code, c.code, errs, c.says)
			}
		})
	}
	_, errs, code := command(t, "thump-agent", joined.joining(good, "b")...)
	if code != 4 || !strings.Contains(errs, "leave") {
		t.Errorf("a host that has joined joins again: code %d\n%s", code, errs)
	}
	p.stop()
}

// settings is what join has written.
func (m member) settings(t *testing.T) (url, ca string) {
	t.Helper()
	text, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Bus struct {
			URLs []string
			CA   string
		}
	}
	if err := yaml.Unmarshal(text, &c); err != nil || len(c.Bus.URLs) != 1 {
		t.Fatalf("configuration %s: %v", text, err)
	}
	return c.Bus.URLs[0], c.Bus.CA
}

// checkRights tries with a host's own login what a host may not do.
func checkRights(t *testing.T, m member) {
	t.Helper()
	url, ca := m.settings(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	conn, err := amqp.DialConfig(url, amqp.Config{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	bind := func(key string) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclare("", false, true, true, false, nil)
			if err != nil {
				t.Errorf("own queue: %v", err)
				return nil
			}
			return ch.QueueBind(q.Name, key, "thump.control", false, nil)
		}
	}
	publish := func(exchange string) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			closed := ch.NotifyClose(make(chan *amqp.Error, 1))
			if err := ch.Confirm(false); err != nil {
				return err
			}
			c, err := ch.PublishWithDeferredConfirm(exchange, "k", false, false, amqp.Publishing{Body: []byte("{}")})
			if err != nil {
				return err
			}
			select {
			case err := <-closed:
				return err
			case <-c.Done():
				return nil
			case <-time.After(20 * time.Second):
				t.Errorf("publish to %s: neither confirmed nor refused", exchange)
				return nil
			}
		}
	}
	for _, c := range []struct {
		name string
		try  func(*amqp.Channel) error
		may  bool
	}{
		{"own key", bind("host.web01"), true},
		{"own group", bind("group.web"), true},
		{"second group", bind("group.production"), true},
		{"all", bind("all"), true},
		{"another host's key", bind("host.server"), false},
		{"another group", bind("group.default"), false},
		{"every key", bind("#"), false},
		{"every reply", bind("reply.*"), false},
		{"every host", bind("host.*"), false},
		{"metrics", publish("thump.metrics"), true},
		{"requests", publish("thump.requests"), true},
		{"control", publish("thump.control"), false},
		{"alerts", publish("thump.alerts"), false},
		{"enrolment", publish("thump.enrolment"), false},
		{"default exchange", publish(""), false},
		{"a queue of another name", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("mine", false, true, true, false, nil)
			return err
		}, false},
		{"reading history's queue", func(ch *amqp.Channel) error {
			_, err := ch.Consume("thump.history", "", false, false, false, false, nil)
			return err
		}, false},
		{"tapping the metrics", func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclare("", false, true, true, false, nil)
			if err != nil {
				return err
			}
			return ch.QueueBind(q.Name, "", "thump.metrics", false, nil)
		}, false},
		{"deleting an exchange", func(ch *amqp.Channel) error { return ch.ExchangeDelete("thump.metrics", false, false) }, false},
	} {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		err = c.try(ch)
		var refused *amqp.Error
		switch {
		case c.may && err != nil:
			t.Errorf("%s: refused: %v", c.name, err)
		case !c.may && (!errors.As(err, &refused) || refused.Code != amqp.AccessRefused):
			t.Errorf("%s: %v, want 403", c.name, err)
		}
		_ = ch.Close() // a refusal has closed it
	}
}

// noSecrets looks for what must be in no log.
func noSecrets(t *testing.T, logs string, line []string, members ...member) {
	t.Helper()
	secrets := []string{strings.Split(line[3], "-")[1]}
	for _, m := range members {
		text, err := os.ReadFile(m.config)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`amqps://[^:]+:([^@]+)@`).FindAllStringSubmatch(string(text), -1) {
			secrets = append(secrets, found[1])
		}
	}
	if len(secrets) < 2 {
		t.Errorf("only %d secrets known", len(secrets))
	}
	for _, s := range secrets {
		if strings.Contains(logs, s) {
			t.Errorf("a secret is in the log:\n%s", logs)
		}
	}
}

// TestExec: a command runs where it is allowed, and every host is named.
func TestExec(t *testing.T) {
	p := up(t, t.TempDir(), "--amqps", "127.0.0.1:0", "--host", "server")
	line := invited(t, p.data, "--group", "web", "--uses", "2")
	allowing, refusing := newMember(t), newMember(t)
	done(t, "thump-agent", allowing.joining(line, "web01")...)
	done(t, "thump-agent", refusing.joining(line, "web02")...)
	text, err := os.ReadFile(allowing.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, allowing.config, strings.Replace(string(text), "commands:\n", "commands:\n        allow: [[/bin/echo, hello]]\n", 1))
	a, b := allowing.run(t), refusing.run(t)
	args := []string{"exec", "--data-dir", p.data, "--server", p.url(), "--bus", p.amqpURL(), "--group", "web", "--", "echo", "hello"}
	eventually(t, 60*time.Second, "both agents answer", func() error {
		out, errs, code := command(t, "thump", args...)
		if code != 1 || !strings.Contains(out, "web01: exit code 0") || !strings.Contains(out, "\n  hello\n") || !strings.Contains(out, "web02: refused") {
			return errors.New(out + errs)
		}
		return nil
	})
	b.stop()
	if out, _, _ := command(t, "thump", args...); !strings.Contains(out, "web02: not connected") {
		t.Errorf("with one agent gone exec prints\n%s", out)
	}
	for _, logged := range []struct{ log, what string }{
		{p.log.String(), "remote command signed"}, {a.log.String(), "remote command taken"}, {b.log.String(), "remote command refused"},
	} {
		if !strings.Contains(logged.log, logged.what) {
			t.Errorf("no %q in the log", logged.what)
		}
	}
	a.stop()
	p.stop()
}
