package differential

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// thump is the program under test.
var thump string

func TestMain(m *testing.M) {
	if os.Getenv("THUMP_LONG_TESTS") == "" {
		fmt.Println("skipped: takes a minute, set THUMP_LONG_TESTS=1")
		return
	}
	os.Exit(built(m.Run))
}

// built runs the tests with THUMP_BIN, or with a program that it builds.
func built(run func() int) int {
	if thump = os.Getenv("THUMP_BIN"); thump != "" {
		return run()
	}
	dir, err := os.MkdirTemp("", "thump-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	thump = filepath.Join(dir, "thump")
	if out, err := exec.Command("go", "build", "-o", thump, "thump/cmd/thump").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build thump: %v\n%s", err, out)
		return 1
	}
	return run()
}

// server is where a Prometheus HTTP API is.
type server struct{ name, url string }

// prometheus starts Debian's Prometheus, which keeps all of it in memory.
func prometheus(t *testing.T) server {
	t.Helper()
	program := os.Getenv("THUMP_PROMETHEUS")
	if program == "" {
		program = "prometheus"
	}
	path, err := exec.LookPath(program)
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal("prometheus is missing: apt-get install prometheus")
	case err != nil:
		t.Skip("prometheus is not installed")
	}
	dir, addr := t.TempDir(), address(t)
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {scrape_interval: 1h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	launch(t, path, "--config.file="+config, "--storage.tsdb.path="+dir+"/data", "--storage.tsdb.min-block-duration=31d",
		"--storage.tsdb.max-block-duration=31d", "--storage.tsdb.retention.time=10y",
		"--web.enable-remote-write-receiver", "--web.listen-address="+addr)
	s := server{"prometheus", "http://" + addr}
	ready(t, s.url+"/-/ready")
	return s
}

// pipeline starts a broker and a collector without roll-ups: those answer long
// steps from windows, which Prometheus has not.
func pipeline(t *testing.T, args ...string) server {
	t.Helper()
	dir, amqp, web := t.TempDir(), address(t), address(t)
	launch(t, thump, "broker", "--amqp", amqp, "--http", "127.0.0.1:0", "--management", "127.0.0.1:0", "--data-dir", dir+"/broker")
	listening(t, amqp)
	launch(t, thump, append([]string{"collector", "--bus", "amqp://guest:guest@" + amqp + "/", "--http", web, "--own-metrics", "0s", "--data-dir", dir + "/collector",
		"--history-retention", "3650d", "--history-out-of-order", "365d", "--history-retention-5m", "0", "--history-retention-1h", "0",
		"--history-min-free", "0"}, args...)...)
	s := server{"thump", "http://" + web}
	ready(t, s.url+"/readyz")
	return s
}

// launch starts a program that ends with the test.
func launch(t *testing.T, program string, args ...string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("%s ended: %v\n%s", filepath.Base(program), err, last(log.Bytes(), 4000))
		}
	})
}

func last(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// address is one at which nobody listens.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func ready(t *testing.T, url string) {
	t.Helper()
	eventually(t, url, func() error {
		r, err := http.Get(url)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", r.Status)
		}
		return nil
	})
}

func listening(t *testing.T, addr string) {
	t.Helper()
	eventually(t, addr, func() error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// eventually tries until there is no error, for a minute.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}
