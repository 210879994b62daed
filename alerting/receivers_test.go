package alerting_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestEmail sends through a real SMTP server, which prints what it gets.
func TestEmail(t *testing.T) {
	t.Parallel()
	if exec.Command("/usr/bin/python3", "-c", "import aiosmtpd").Run() != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3-aiosmtpd is missing")
		}
		t.Skip("python3-aiosmtpd is missing")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command("/usr/bin/python3", "-u", "-m", "aiosmtpd", "-n", "-l", addr, "-c", "aiosmtpd.handlers.Debugging", "stdout")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	mail := make(chan string, 10_000)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			mail <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	eventually(t, "the mail server answers", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	b := newMemory()
	newSetup(t, b, busyRule, fmt.Sprintf("route: {receiver: mail, group_by: [alertname, instance], group_wait: 0s, group_interval: 1s}\nreceivers:\n"+
		"- name: mail\n  email_configs: [{to: admin@example.org, from: thump@example.org, smarthost: %q, require_tls: false, send_resolved: true}]\n", addr)).start(t)
	a := newAgent(t, b, "web01", time.Minute)
	expect := func(subject string) {
		t.Helper()
		to, about := false, false
		for end := time.After(2 * patience); !to || !about; {
			select {
			case line := <-mail:
				to = to || line == "To: admin@example.org"
				about = about || strings.HasPrefix(line, "Subject: "+subject) && strings.Contains(line, "Busy")
			case <-end:
				t.Fatalf("no mail about %s: to %t, subject %t", subject, to, about)
			}
		}
	}
	a.publish("cpu", "busy", 97)
	expect("[FIRING:1]")
	a.publish("cpu", "busy", 5)
	expect("[RESOLVED]")
}

// TestTroubledWebhooks: one that fails is tried again until it takes the
// notification, one that is slow is waited for, one that redirects is followed.
func TestTroubledWebhooks(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t)
	var failed, redirected atomic.Int32
	server := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	cases := map[string]string{
		"failing": server(func(w http.ResponseWriter, r *http.Request) {
			if failed.Add(1) <= 2 {
				http.Error(w, "not now", http.StatusServiceUnavailable)
				return
			}
			hook.Config.Handler.ServeHTTP(w, r)
		}),
		"slow": server(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			hook.Config.Handler.ServeHTTP(w, r)
		}),
		"redirecting": server(func(w http.ResponseWriter, r *http.Request) {
			redirected.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, hook.URL, http.StatusTemporaryRedirect)
		}),
	}
	for name, url := range cases {
		b := newMemory()
		p := newSetup(t, b, busyRule, routes(url)).start(t)
		newAgent(t, b, name, time.Minute).publish("cpu", "busy", 97)
		hook.next(t, 3*patience, "firing", "Busy", name)
		hook.quiet(t, time.Second)
		if got := p.counter(t, "alertmanager_notifications_total", "integration=webhook"); got != 1 {
			t.Errorf("%s: %v notifications, want 1", name, got)
		}
	}
	if failed.Load() != 3 || redirected.Load() != 1 {
		t.Errorf("the failing one was asked %d times and the redirecting one %d times, want 3 and 1", failed.Load(), redirected.Load())
	}
}
