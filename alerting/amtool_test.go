package alerting_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// tool finds a program of Debian's packages; in CI it must be there.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is missing", name)
	default:
		t.Skipf("%s is missing", name)
	}
	return path
}

func TestAmtool(t *testing.T) {
	t.Parallel()
	amtool := tool(t, "amtool")
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, routes(hook.URL))
	p := s.start(t)
	run := func(want string, args ...string) string {
		t.Helper()
		cmd := exec.Command(amtool, append(args, "--alertmanager.url", p.URL)...)
		cmd.Stderr = t.Output()
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("amtool %s: %v\n%s\nwant %q in it", strings.Join(args, " "), err, out, want)
		}
		return strings.TrimSpace(string(out))
	}

	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")
	run("web01 at 97", "alert", "query", "severity=page")

	id := run("", "silence", "add", "instance=web02", "--comment", "moved", "--author", "test", "--duration", "1h")
	run(id, "silence", "query", "instance=web02")
	newAgent(t, b, "web02", time.Minute).publish("cpu", "busy", 97)
	eventually(t, "web02 fires", func() bool { return p.states(t)["web02"] == "firing" })
	hook.quiet(t, 500*time.Millisecond)

	// A silence survives a restart.
	p.stop()
	p = s.start(t)
	run(id, "silence", "query")
	eventually(t, "web02 fires", func() bool { return p.states(t)["web02"] == "firing" })
	hook.quiet(t, 500*time.Millisecond)
	run("", "silence", "expire", id)
	hook.next(t, patience, "firing", "Busy", "web02")

	// An alert of somebody else goes the same way, and to the bus.
	run("", "alert", "add", "Backup", "instance=nas", "severity=page", "--end", time.Now().Add(3*time.Second).Format(time.RFC3339))
	hook.next(t, patience, "firing", "Backup", "nas")
	hook.next(t, patience, "resolved", "Backup", "nas")
	eventually(t, "its changes are published", func() bool {
		n := 0
		for _, m := range b.published() {
			if m.Key == "page.Backup.nas" {
				n++
			}
		}
		return n == 2
	})
	run("receiver: hook", "config", "show")
}
